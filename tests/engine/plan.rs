//! The plan of a campaign: parts, order, arrows.

use std::collections::BTreeMap;
use std::path::Path;

use moldflow::config::campaign::{LoadedCampaign, Overrides};
use moldflow::plan::{
    self, Direction, EdgeKind, MoleculeSource, Plan, RankedProperty, StageKind, TrainingTarget,
};
use petgraph::algo::toposort;
use petgraph::graph::DiGraph;

fn good() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/good.yml")).unwrap()
}

fn plan(text: &str) -> Result<(LoadedCampaign, Plan), String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("campaign.yml");
    std::fs::write(&path, text).unwrap();
    plan::load(
        &path,
        &Overrides::default(),
        &plan::HostEnvironment::default(),
    )
    .map_err(|faults| faults.to_string())
}

#[test]
fn every_stage_plays_its_part() {
    let (_, plan) = plan(&good()).unwrap();
    let names: Vec<&str> = plan.stages.iter().map(|stage| &*stage.name).collect();
    assert_eq!(
        names,
        ["initial", "train", "generate", "screen", "evaluate"]
    );
    let kinds = plan.stages.into_iter().map(|stage| stage.kind);
    let properties = || vec!["atomization_energy".to_owned()];
    let ranking = || {
        vec![RankedProperty {
            property: 0,
            direction: Direction::Minimize,
        }]
    };
    assert_eq!(
        kinds.collect::<Vec<_>>(),
        [
            StageKind::Compute {
                properties: properties(),
                ranking: ranking(),
                molecules: MoleculeSource::Random(4),
                parallel: None,
            },
            StageKind::Train {
                method: "fit".into(),
                targets: vec![TrainingTarget {
                    property: "atomization_energy".into(),
                    direction: Direction::Minimize,
                    above: None,
                }],
            },
            StageKind::Generate {
                method: "propose".into(),
                model: 1,
                share: None,
            },
            StageKind::Screen {
                method: "rank".into(),
                model: 1,
                generators: vec![2],
                select: 2,
            },
            StageKind::Compute {
                properties: properties(),
                ranking: ranking(),
                molecules: MoleculeSource::Queue(3),
                parallel: Some(2),
            },
        ]
    );
}

#[test]
fn a_short_objective_is_a_property_with_its_calculations() {
    let (_, plan) = plan(&good()).unwrap();
    assert_eq!(plan.objectives[0].property, "atomization_energy");
    assert_eq!(plan.objectives[0].direction, Direction::Minimize);
    let property = plan.objective_property();
    assert_eq!(property.heading(), "atomization energy / hartree");
    let recipe: Vec<&str> = property.recipe.iter().map(|node| &*node.method).collect();
    assert_eq!(recipe, ["energy"]);
    assert_eq!(property.free_atoms, ["energy"]);
    assert_eq!(plan.level_of_theory(), "GFN2-xTB//MMFF94");
}

#[test]
fn names_of_stages_mean_nothing() {
    let renamed = good()
        .replace("initial:", "z:")
        .replace("after: initial", "after: z")
        .replace("evaluate", "a")
        .replace("train:", "\"to learn\":")
        .replace("after: train", "after: to learn");
    let (_, plan) = plan(&renamed).unwrap();
    let mut kinds = BTreeMap::new();
    for stage in &plan.stages {
        kinds.insert(stage.name.as_str(), stage.kind.word());
    }
    assert_eq!(kinds["z"], "compute");
    assert_eq!(kinds["a"], "compute");
    assert_eq!(kinds["to learn"], "train");
}

#[test]
fn without_its_loops_the_graph_has_no_cycle() {
    let (_, plan) = plan(&good()).unwrap();
    let mut graph = DiGraph::new();
    let stages = plan.stages.iter();
    let nodes: Vec<_> = stages
        .map(|stage| (stage.name.clone(), graph.add_node(())))
        .collect();
    let node = |name: &str| nodes.iter().find(|(stage, _)| stage == name).unwrap().1;
    for edge in plan
        .edges
        .iter()
        .filter(|edge| edge.kind == EdgeKind::After)
    {
        graph.add_edge(node(&edge.from), node(&edge.to), ());
    }
    assert!(toposort(&graph, None).is_ok());
    for edge in plan
        .edges
        .iter()
        .filter(|edge| edge.kind != EdgeKind::After)
    {
        graph.add_edge(node(&edge.from), node(&edge.to), ());
    }
    assert!(toposort(&graph, None).is_err());
}

#[test]
fn stages_may_wait_for_more_than_they_need() {
    let more = good()
        .replace("after: generate", "after: [initial, train, generate]")
        .replace("after: screen", "after: [initial, screen]");
    assert!(plan(&more).is_ok());
}

#[test]
fn slots_for_each_core_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let (campaign, site) = (
        folder.path().join("campaign.yml"),
        folder.path().join("many.yml"),
    );
    std::fs::write(&campaign, good().replace("site: local", "site: ./many.yml")).unwrap();
    let profile = "name: many\nnode: {cores: 64}\npartitions:\n  qc: {executor: local, slots: cores, cores_per_task: 4}\n  ml: {executor: local, slots: 1}\n";
    std::fs::write(&site, profile).unwrap();
    let (_, plan) = plan::load(
        &campaign,
        &Overrides::default(),
        &plan::HostEnvironment::default(),
    )
    .unwrap();
    let qc = &plan.methods["energy"];
    assert_eq!(
        (qc.slots, qc.cores, plan.methods["fit"].slots),
        (Some(16), 4, Some(1))
    );
}

#[test]
fn tasks_that_share_the_cores_of_this_host_are_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let (campaign, site) = (
        folder.path().join("campaign.yml"),
        folder.path().join("few.yml"),
    );
    let mpi = "engine: nwchem\n    settings: {ranks_per_node: 2, cores_per_rank: 2}";
    let text = good().replace("engine: gfn2//mmff94", mpi);
    std::fs::write(&campaign, text.replace("site: local", "site: ./few.yml")).unwrap();
    let crowded = |cores: usize| {
        let profile = format!(
            "name: few\nnode: {{cores: {cores}}}\nmpiexec_command: mpirun -n {{{{total_ranks}}}}\npartitions:\n  \
             qc: {{executor: local, slots: 3}}\n  ml: {{executor: local, slots: 1}}\n  unused: {{executor: local, slots: 99}}\n"
        );
        std::fs::write(&site, profile).unwrap();
        let host = plan::HostEnvironment::default();
        let (loaded, plan) = plan::load(&campaign, &Overrides::default(), &host).unwrap();
        plan::crowded(&loaded.site, &plan)
    };
    let message = crowded(12).unwrap();
    assert!(
        message.contains("need 13 cores (1 x 1 in `ml`, 3 x 4 in `qc`)"),
        "{message}"
    );
    assert_eq!(crowded(13), None);
}
