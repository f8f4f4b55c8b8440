//! Checks of a campaign beyond its JSON Schema: names refer to something, and parts fit together.

use std::num::NonZeroUsize;
use std::path::Path;

use super::campaign::{LoadedCampaign, MethodKind, Molecules, SomeMolecules};
use super::fault::{Fault, Faults, hint_for};
use super::site::{Executor, Partition, Site};
use super::source::{self, Source};
use super::space::{ELEMENTS, WITHOUT_MMFF94};
use crate::simulate::{QcEngine, Ranks};

/// Collects the faults of a well-formed campaign, except those of its stages, which `plan` finds.
///
/// Opens and returns the source for the run to draw from, unless `drawn`: then its molecules have
/// been drawn already.
pub fn check(
    loaded: &LoadedCampaign,
    base: &Path,
    drawn: bool,
    faults: &mut Faults,
) -> Option<Source> {
    if loaded.is_sound("methods") {
        methods(loaded, faults);
    }
    let is_readable = loaded.is_sound("search_space") && elements(loaded, faults) && !drawn;
    let is_treated = |faults| !loaded.is_sound("methods") || mmff94_elements(loaded, faults);
    (is_readable && is_treated(faults))
        .then(|| source(loaded, base, faults))
        .flatten()
}

fn source(loaded: &LoadedCampaign, base: &Path, faults: &mut Faults) -> Option<Source> {
    let place = loaded.place(&["search_space", "source"]);
    let source = match source::open(&loaded.campaign, base) {
        Ok(source) => source,
        Err(found) => {
            faults.extend(found.named_at(&place));
            return None;
        }
    };
    if !loaded.is_sound("stages") {
        return Some(source);
    }
    for (name, stage) in &loaded.campaign.stages {
        // What a run draws, judged as a run does: by distinct molecules.
        let Some(Molecules::Some(SomeMolecules {
            random: Some(count),
            ..
        })) = stage.molecules
        else {
            continue;
        };
        let found = source.count(count);
        if found >= count {
            continue;
        }
        let reading = source.reading();
        let message = format!(
            "the stage `{name}` draws {count} molecules, but the source has {found} in the search space{}",
            reading.map_or_else(String::new, |reading| format!(" ({reading})"))
        );
        let place = loaded.place(&["stages", name, "molecules", "random"]);
        let hint = "lower the number, or widen the search space";
        faults.push(Fault::new(message).at(place).hint(Some(hint.into())));
    }
    Some(source)
}

fn methods(loaded: &LoadedCampaign, faults: &mut Faults) {
    for (name, method) in &loaded.campaign.methods {
        let place = |key| loaded.place(&["methods", name, key]);
        let partitions = loaded.site.partitions.keys().map(String::as_str);
        if !loaded.site.partitions.contains_key(&method.partition) {
            let message = format!(
                "the site `{}` has no partition `{}`",
                loaded.site.name, method.partition
            );
            faults.push(
                Fault::new(message)
                    .at(place("partition"))
                    .hint(hint_for(&method.partition, partitions)),
            );
        }
        let partition = loaded.site.partitions.get(&method.partition);
        if let Some(batch) = partition.and_then(|partition| partition.executor.batch())
            && method.timeout > batch.walltime
        {
            let message = format!(
                "a task of `{name}` may take {}, but a job of the partition `{}` ends after {}",
                method.timeout, method.partition, batch.walltime
            );
            let hint = "lower the timeout, or raise `walltime` in the site profile".to_owned();
            faults.push(Fault::new(message).at(place("timeout")).hint(Some(hint)));
        }
        if method.topic != method.kind.topic() {
            let (kind, topic) = (method.kind.name(), method.kind.topic().name());
            let message = format!(
                "the method `{name}` has the topic `{}`, but a `{kind}` method answers to `{topic}`",
                method.topic.name()
            );
            faults.push(
                Fault::new(message)
                    .at(place("topic"))
                    .hint(Some(format!("write `topic: {topic}`"))),
            );
        }
        if let MethodKind::Generate { settings } = &method.kind {
            for found in settings.faults() {
                let message = format!("`{}` is {}", found.setting, found.value);
                let place = loaded.place(&["methods", name, "settings", &found.setting]);
                faults.push(
                    Fault::new(message)
                        .at(place)
                        .hint(Some(format!("allowed is {}", found.allowed))),
                );
            }
        }
        let MethodKind::Simulate { engine, geometry } = &method.kind else {
            continue;
        };
        let elements = &loaded.campaign.search_space.elements;
        let found = engine.simulator().faults(elements).into_iter();
        for found in found.filter(|_| loaded.is_sound("search_space")) {
            let place = loaded.place(&["methods", name, "settings", found.setting]);
            faults.push(Fault::new(found.message).at(place).hint(Some(found.hint)));
        }
        if let Some(ranks) = engine.simulator().ranks() {
            ranks_fit(loaded, name, &ranks, faults);
        }
        if let Some(first) = geometry {
            geometry_fits(loaded, (name, engine), first, faults);
        }
    }
}

/// Checks that a method can start from the geometries of the method `first`.
fn geometry_fits(
    loaded: &LoadedCampaign,
    (name, engine): (&str, &QcEngine),
    first: &str,
    faults: &mut Faults,
) {
    let mut fault = |message: String, hint: Option<String>| {
        let place = loaded.place(&["methods", name, "geometry"]);
        faults.push(Fault::new(message).at(place).hint(hint));
    };
    if let QcEngine::Gfn2 { .. } = engine {
        let message = format!(
            "the method `{name}` names a `geometry`, but `{}` has its own",
            engine.name()
        );
        let hint = "remove `geometry`, or choose another engine";
        return fault(message, Some(hint.into()));
    }
    let methods = &loaded.campaign.methods;
    match methods.get(first).map(|method| &method.kind) {
        None => fault(
            format!("the method `{name}` begins with geometries of `{first}`, which does not exist"),
            hint_for(first, methods.keys().map(String::as_str)),
        ),
        Some(MethodKind::Simulate { .. }) if begins_with_itself(loaded, name) => fault(
            format!("the method `{name}` begins, over other methods, with its own geometries"),
            Some("remove one `geometry` of the circle".into()),
        ),
        Some(MethodKind::Simulate { engine, .. }) if engine.simulator().relaxes() => {}
        Some(_) => fault(
            format!("the method `{name}` begins with geometries of `{first}`, which relaxes none"),
            Some("it is a method with `engine: xtb`, `engine: command`, or `engine: nwchem` and `task: optimize`".into()),
        ),
    }
}

fn begins_with_itself(loaded: &LoadedCampaign, name: &str) -> bool {
    let campaign = &loaded.campaign;
    let mut first = campaign.geometry_of(name);
    for _ in 0..campaign.methods.len() {
        match first {
            Some(method) if method == name => return true,
            Some(method) => first = campaign.geometry_of(method),
            None => return false,
        }
    }
    false
}

/// Checks that the MPI processes of a method can be started where its tasks run.
fn ranks_fit(loaded: &LoadedCampaign, name: &str, ranks: &Ranks, faults: &mut Faults) {
    let mut fault = |(key, message, hint): (&str, String, &str)| {
        let place = loaded.place(&["methods", name, "settings", key]);
        faults.push(Fault::new(message).at(place).hint(Some(hint.to_owned())));
    };
    let LoadedCampaign { campaign, site, .. } = loaded;
    if ranks.total() > 1 && site.mpiexec_command.is_none() {
        let message = format!(
            "the method `{name}` wants {} MPI ranks, but the site `{}` does not say how MPI programs are started",
            ranks.total(),
            site.name
        );
        let hint = "give the site profile an `mpiexec_command`, such as `mpirun -n {{total_ranks}}`, or use one rank";
        fault(("ranks_per_node", message, hint));
    }
    let word = &campaign.methods[name].partition;
    let Some(partition) = site.partitions.get(word) else {
        return;
    };
    let nodes = partition.executor.nodes_per_task();
    if ranks.nodes > nodes {
        let message = format!(
            "the method `{name}` wants {} nodes, but a task of the partition `{word}` has {nodes}",
            ranks.nodes
        );
        let hint = "lower it, or raise `nodes_per_task` in the site profile";
        fault(("nodes", message, hint));
    }
    if let Some(nodes) = nodes_without_names(site, partition, ranks) {
        let message = format!(
            "the method `{name}` starts an MPI program in a block of {nodes} nodes, but the site's `mpiexec_command` does not say on which of them"
        );
        let hint = "let `mpiexec_command` name `{{hosts}}`: `srun --nodelist={{hosts}} --ntasks={{total_ranks}}`";
        fault(("ranks_per_node", message, hint));
    }
    // Processes of this host may share its cores.
    let cores = ranks.ranks_per_node.saturating_mul(ranks.cores_per_rank);
    if cores > partition.cores_per_task && !matches!(partition.executor, Executor::Local { .. }) {
        let message = format!(
            "the method `{name}` wants {cores} cores of a node, but a task of the partition `{word}` has {}",
            partition.cores_per_task
        );
        let hint = "lower it, or raise `cores_per_task` in the site profile";
        fault(("ranks_per_node", message, hint));
    }
}

/// Number of nodes of a block in which the launcher of an MPI program does not learn the nodes of
/// its task. None where it does, or needs not.
fn nodes_without_names(site: &Site, partition: &Partition, ranks: &Ranks) -> Option<NonZeroUsize> {
    let blocks = partition.executor.blocks()?;
    let template = site.mpiexec_command.as_deref().unwrap_or_default();
    let template = template.replace(' ', "");
    let names_nodes = template.contains("{{hosts}}") || template.contains("{{hostfile}}");
    (ranks.total() > 1 && blocks.nodes.get() > 1 && !names_nodes).then_some(blocks.nodes)
}

/// Checks that MMFF94 has parameters for all elements if a method uses its geometries unrelaxed.
fn mmff94_elements(loaded: &LoadedCampaign, faults: &mut Faults) -> bool {
    let Some((method, engine)) = loaded.campaign.at_mmff94_geometries().next() else {
        return true;
    };
    let elements = &loaded.campaign.search_space.elements;
    let missing = elements.iter().enumerate();
    let missing = missing.filter(|(_, element)| WITHOUT_MMFF94.contains(&element.as_str()));
    let before = faults.0.len();
    for (index, element) in missing {
        let message = format!(
            "MMFF94 has no parameters for `{element}`, and the method `{method}` takes its energies at MMFF94 geometries (`engine: {engine}`)"
        );
        let hint = format!(
            "remove `{element}`, or relax the molecules: `engine: xtb`, `task: optimize` of `nwchem`, or a `geometry`"
        );
        let place = loaded.place(&["search_space", "elements", &index.to_string()]);
        faults.push(Fault::new(message).at(place).hint(Some(hint)));
    }
    faults.0.len() == before
}

/// Checks that all elements are known.
fn elements(loaded: &LoadedCampaign, faults: &mut Faults) -> bool {
    let before = faults.0.len();
    let elements = &loaded.campaign.search_space.elements;
    for (index, element) in elements.iter().enumerate() {
        let place = loaded.place(&["search_space", "elements", &index.to_string()]);
        let fault =
            |message: String, hint: String| Fault::new(message).at(place.clone()).hint(Some(hint));
        if element == "H" {
            faults.push(fault(
                "hydrogen is implied and not listed".into(),
                "remove `H`".into(),
            ));
        } else if !ELEMENTS.contains(&element.as_str()) {
            let known = ELEMENTS.map(|known| format!("`{known}`")).join(", ");
            faults.push(fault(
                format!("`{element}` is no element that moldflow can build with"),
                format!("it knows {known}"),
            ));
        } else if elements[..index].contains(element) {
            faults.push(fault(
                format!("`{element}` is listed twice"),
                "remove one of the two".into(),
            ));
        }
    }
    faults.0.len() == before
}
