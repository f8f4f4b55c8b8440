//! Checks of a campaign beyond its JSON Schema: names refer to something, and parts fit together.

use std::num::NonZeroUsize;
use std::path::Path;

use super::campaign::{LoadedCampaign, Method, MethodKind, Molecules, SomeMolecules};
use super::diagnostic::{Diagnostic, Diagnostics, hint_for};
use super::site::{ExecutorConfig, PartitionConfig, Site};
use super::source::{self, Source};
use super::space::{ELEMENTS, WITHOUT_MMFF94};
use crate::chem::Smarts;
use crate::design::RangeFault;
use crate::simulate::{QcEngine, Ranks};

/// Collects the errors of a well-formed campaign, except those of its stages, which `plan` finds.
///
/// Opens and returns the source for the run to draw from, unless `drawn`: then its molecules have
/// been drawn already.
pub fn check(
    loaded: &LoadedCampaign,
    base: &Path,
    drawn: bool,
    diagnostics: &mut Diagnostics,
) -> Option<Source> {
    if loaded.is_sound("methods") {
        methods(loaded, diagnostics);
    }
    let is_readable = loaded.is_sound("search_space")
        && elements(loaded, diagnostics)
        && structure(loaded, diagnostics)
        && !drawn;
    let is_treated = |diagnostics: &mut Diagnostics| {
        !loaded.is_sound("methods")
            || closed_shells(loaded, diagnostics) & mmff94_elements(loaded, diagnostics)
    };
    (is_readable && is_treated(diagnostics))
        .then(|| source(loaded, base, diagnostics))
        .flatten()
}

fn source(loaded: &LoadedCampaign, base: &Path, diagnostics: &mut Diagnostics) -> Option<Source> {
    let place = loaded.place(&["search_space", "source"]);
    let source = match source::open(&loaded.campaign, base) {
        Ok(source) => source,
        Err(found) => {
            diagnostics.extend(found.named_at(&place));
            return None;
        }
    };
    if !loaded.is_sound("stages") {
        return Some(source);
    }
    for (name, stage) in &loaded.campaign.stages {
        // A run draws distinct molecules.
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
        diagnostics.push(Diagnostic::new(message).at(place).hint(hint));
    }
    Some(source)
}

fn methods(loaded: &LoadedCampaign, diagnostics: &mut Diagnostics) {
    for (name, method) in &loaded.campaign.methods {
        partition_fits(loaded, name, method, diagnostics);
        topic_fits(loaded, name, method, diagnostics);
        match &method.kind {
            MethodKind::Simulate { engine, geometry } => {
                engine_fits(loaded, name, engine, diagnostics);
                if let Some(first) = geometry {
                    geometry_fits(loaded, (name, engine), first, diagnostics);
                }
            }
            MethodKind::Train { engine, .. } => {
                settings_fit(loaded, name, engine.faults(), diagnostics)
            }
            MethodKind::Generate { engine } => {
                settings_fit(loaded, name, engine.faults(), diagnostics);
                let charge = loaded.campaign.search_space.charge;
                if charge != 0 && !engine.implementation().needs_pool() {
                    let message = format!(
                        "`{}` builds neutral molecules, but `search_space.charge` is {charge}",
                        engine.name()
                    );
                    let place = loaded.place(&["methods", name, "engine"]);
                    let hint = "write `engine: pool`, or remove `charge`";
                    diagnostics.push(Diagnostic::new(message).at(place).hint(hint));
                }
            }
            MethodKind::Screen { engine } => {
                settings_fit(loaded, name, engine.faults(), diagnostics);
                let objectives = loaded.campaign.objective.directed().len();
                if objectives > 1 && !engine.implementation().ranks_several() {
                    let message = format!(
                        "`{}` ranks by one objective, and the campaign has {objectives}",
                        engine.name()
                    );
                    let place = loaded.place(&["methods", name, "engine"]);
                    let hint = "write `engine: greedy` or `engine: expected_improvement`";
                    diagnostics.push(Diagnostic::new(message).at(place).hint(hint));
                }
            }
        }
    }
}

/// Reports settings that are out of range, or that contradict each other.
fn settings_fit(
    loaded: &LoadedCampaign,
    name: &str,
    faults: Vec<RangeFault>,
    diagnostics: &mut Diagnostics,
) {
    for found in faults {
        let message = format!("`{}` is {}", found.setting, found.value);
        let place = loaded.place(&["methods", name, "settings", &found.setting]);
        let hint = format!("allowed: {}", found.allowed);
        diagnostics.push(Diagnostic::new(message).at(place).hint(hint));
    }
}

/// Checks that the partition of a method exists and that its jobs are as long as the timeout.
fn partition_fits(
    loaded: &LoadedCampaign,
    name: &str,
    method: &Method,
    diagnostics: &mut Diagnostics,
) {
    let place = |key| loaded.place(&["methods", name, key]);
    let (site, word) = (&loaded.site, &method.partition);
    let Some(partition) = site.partitions.get(word) else {
        let message = format!("the site `{}` has no partition `{word}`", site.name);
        let known = site.partitions.keys().map(String::as_str);
        let diagnostic = Diagnostic::new(message).at(place("partition"));
        return diagnostics.push(diagnostic.hint_if(hint_for(word, known)));
    };
    if let Some(batch) = partition.executor.batch()
        && method.timeout > batch.walltime
    {
        let message = format!(
            "a task of `{name}` may take {}, but a job of the partition `{word}` ends after {}",
            method.timeout, batch.walltime
        );
        let hint = "lower the timeout, or raise `walltime` in the site profile";
        diagnostics.push(Diagnostic::new(message).at(place("timeout")).hint(hint));
    }
}

/// Checks that a method has the topic of its kind.
fn topic_fits(loaded: &LoadedCampaign, name: &str, method: &Method, diagnostics: &mut Diagnostics) {
    let (kind, topic) = (method.kind.name(), method.kind.topic().name());
    let written = method.topic.name();
    if written != topic {
        let message = format!(
            "the method `{name}` has the topic `{written}`, but the topic of a `{kind}` method is `{topic}`"
        );
        let place = loaded.place(&["methods", name, "topic"]);
        let hint = format!("write `topic: {topic}`");
        diagnostics.push(Diagnostic::new(message).at(place).hint(hint));
    }
}

/// Checks that an engine can compute the search space, and that its MPI processes can be started.
fn engine_fits(
    loaded: &LoadedCampaign,
    name: &str,
    engine: &QcEngine,
    diagnostics: &mut Diagnostics,
) {
    let simulator = engine.simulator();
    if loaded.is_sound("search_space") {
        for found in simulator.faults(&loaded.campaign.search_space.elements) {
            let place = loaded.place(&["methods", name, "settings", found.setting]);
            diagnostics.push(Diagnostic::new(found.message).at(place).hint(found.hint));
        }
    }
    if let Some(ranks) = simulator.ranks() {
        ranks_fit(loaded, name, &ranks, diagnostics);
    }
}

/// Checks that a method can start from the geometries of the method `first`.
fn geometry_fits(
    loaded: &LoadedCampaign,
    (name, engine): (&str, &QcEngine),
    first: &str,
    diagnostics: &mut Diagnostics,
) {
    let mut report = |message: String, hint: Option<String>| {
        let place = loaded.place(&["methods", name, "geometry"]);
        diagnostics.push(Diagnostic::new(message).at(place).hint_if(hint));
    };
    if !engine.simulator().takes_geometries() {
        let message = format!(
            "the method `{name}` names a `geometry`, but its settings say that it needs none"
        );
        let hint = "write `geometry: true` in its settings, or remove the name";
        return report(message, Some(hint.into()));
    }
    if let QcEngine::Gfn2 { .. } = engine {
        let message = format!(
            "the method `{name}` names a `geometry`, but the engine `{}` makes its own geometries",
            engine.name()
        );
        let hint = "remove `geometry`, or choose another engine";
        return report(message, Some(hint.into()));
    }
    let methods = &loaded.campaign.methods;
    match methods.get(first).map(|method| &method.kind) {
        None => report(
            format!("the method `{name}` starts from geometries of `{first}`, which does not exist"),
            hint_for(first, methods.keys().map(String::as_str)),
        ),
        Some(MethodKind::Simulate { .. }) if begins_with_itself(loaded, name) => report(
            format!("the method `{name}` begins, over other methods, with its own geometries"),
            Some("remove one `geometry` of the circle".into()),
        ),
        Some(MethodKind::Simulate { engine, .. }) if engine.simulator().relaxes() => {}
        Some(_) => report(
            format!("the method `{name}` starts from geometries of `{first}`, which does not relax molecules"),
            Some("name a method with `engine: xtb`, `engine: command` or `engine: python` that returns geometries, or `engine: nwchem` and `task: optimize`".into()),
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
fn ranks_fit(loaded: &LoadedCampaign, name: &str, ranks: &Ranks, diagnostics: &mut Diagnostics) {
    let mut report = |(key, message, hint): (&str, String, &str)| {
        let place = loaded.place(&["methods", name, "settings", key]);
        diagnostics.push(Diagnostic::new(message).at(place).hint(hint));
    };
    let LoadedCampaign { campaign, site, .. } = loaded;
    if ranks.total() > 1 && site.mpiexec_command.is_none() {
        let message = format!(
            "the method `{name}` needs {} MPI ranks, but the site `{}` has no `mpiexec_command`",
            ranks.total(),
            site.name
        );
        let hint =
            "add one to the site profile, such as `mpirun -n {{total_ranks}}`, or use one rank";
        report(("ranks_per_node", message, hint));
    }
    let word = &campaign.methods[name].partition;
    let Some(partition) = site.partitions.get(word) else {
        return;
    };
    let nodes = partition.executor.nodes_per_task();
    if ranks.nodes > nodes {
        let message = format!(
            "the method `{name}` needs {} nodes, but a task of the partition `{word}` has {nodes}",
            ranks.nodes
        );
        let hint = "lower `nodes`, or raise `nodes_per_task` in the site profile";
        report(("nodes", message, hint));
    }
    if let Some(nodes) = nodes_without_names(site, partition, ranks) {
        let message = format!(
            "the method `{name}` starts an MPI program in a block of {nodes} nodes, but the site's `mpiexec_command` does not say on which of them"
        );
        let hint = "use `{{hosts}}` in `mpiexec_command`: `srun --nodelist={{hosts}} --ntasks={{total_ranks}}`";
        report(("ranks_per_node", message, hint));
    }
    // Processes of this host may share its cores.
    let cores = ranks.ranks_per_node.saturating_mul(ranks.cores_per_rank);
    if cores > partition.cores_per_task
        && !matches!(partition.executor, ExecutorConfig::Local { .. })
    {
        let message = format!(
            "the method `{name}` needs {cores} cores of a node, but a task of the partition `{word}` has {}",
            partition.cores_per_task
        );
        let hint = "lower `ranks_per_node` or `cores_per_rank`, or raise `cores_per_task` in the site profile";
        report(("ranks_per_node", message, hint));
    }
}

/// Number of nodes of a block in which the launcher of an MPI program does not learn the nodes of
/// its task. None where it does, or needs not.
fn nodes_without_names(
    site: &Site,
    partition: &PartitionConfig,
    ranks: &Ranks,
) -> Option<NonZeroUsize> {
    let blocks = partition.executor.blocks()?;
    let template = site.mpiexec_command.as_deref().unwrap_or_default();
    let template = template.replace(' ', "");
    let names_nodes = template.contains("{{hosts}}") || template.contains("{{hostfile}}");
    (ranks.total() > 1 && blocks.nodes.get() > 1 && !names_nodes).then_some(blocks.nodes)
}

/// Checks that every engine computes the ions and open shells that the search space allows.
fn closed_shells(loaded: &LoadedCampaign, diagnostics: &mut Diagnostics) -> bool {
    let Some((method, engine)) = loaded.campaign.of_closed_shells().next() else {
        return true;
    };
    let space = &loaded.campaign.search_space;
    let before = diagnostics.0.len();
    let allowed = [
        ("ions", "ions", space.ions),
        ("charge", "ions", space.charge != 0),
        (
            "radicals",
            "molecules with unpaired electrons",
            space.radicals,
        ),
    ];
    for (key, name, _) in allowed.into_iter().filter(|(_, _, allowed)| *allowed) {
        let message = format!(
            "the search space allows {name}, but `engine: {engine}` of the method `{method}` computes neutral closed shells only"
        );
        let hint =
            format!("remove `{key}`, or choose `engine: xtb`, `nwchem`, `qcengine` or `command`");
        let place = loaded.place(&["search_space", key]);
        diagnostics.push(Diagnostic::new(message).at(place).hint(hint));
    }
    diagnostics.0.len() == before
}

/// Checks that MMFF94 has parameters for all elements if a method uses its geometries unrelaxed.
fn mmff94_elements(loaded: &LoadedCampaign, diagnostics: &mut Diagnostics) -> bool {
    let Some((method, engine)) = loaded.campaign.at_mmff94_geometries().next() else {
        return true;
    };
    let elements = &loaded.campaign.search_space.elements;
    let missing = elements.iter().enumerate();
    let missing = missing.filter(|(_, element)| WITHOUT_MMFF94.contains(&element.as_str()));
    let before = diagnostics.0.len();
    for (index, element) in missing {
        let message = format!(
            "MMFF94 has no parameters for `{element}`, and the method `{method}` computes energies at MMFF94 geometries (`engine: {engine}`)"
        );
        let hint = format!(
            "remove `{element}`, or relax the molecules: `engine: xtb`, `task: optimize` of `nwchem`, or a `geometry`"
        );
        let place = loaded.place(&["search_space", "elements", &index.to_string()]);
        diagnostics.push(Diagnostic::new(message).at(place).hint(hint));
    }
    diagnostics.0.len() == before
}

/// Checks that patterns are SMARTS, and that there are molar masses in the range.
fn structure(loaded: &LoadedCampaign, diagnostics: &mut Diagnostics) -> bool {
    let before = diagnostics.0.len();
    let space = &loaded.campaign.search_space;
    for (key, patterns) in [("require", &space.require), ("forbid", &space.forbid)] {
        for (index, pattern) in patterns.iter().enumerate() {
            if let Err(error) = Smarts::parse(pattern) {
                let place = loaded.place(&["search_space", key, &index.to_string()]);
                let hint = "write SMARTS of the substructure: `[OX2H]` is a hydroxyl group";
                diagnostics.push(Diagnostic::new(error.to_string()).at(place).hint(hint));
            } else if key == "forbid" && space.require.contains(pattern) {
                let place = loaded.place(&["search_space", key, &index.to_string()]);
                let message = format!("the pattern `{pattern}` is both required and forbidden");
                let fault = Diagnostic::new(message).at(place);
                diagnostics.push(fault.hint("remove one of the two"));
            }
        }
    }
    if let (Some(min), Some(max)) = (space.molar_mass.min, space.molar_mass.max)
        && min > max
    {
        let message = format!("no molar mass is at least {min} and at most {max} g/mol");
        let place = loaded.place(&["search_space", "molar_mass"]);
        diagnostics.push(
            Diagnostic::new(message)
                .at(place)
                .hint("exchange `min` and `max`"),
        );
    }
    diagnostics.0.len() == before
}

/// Checks that all elements are known.
fn elements(loaded: &LoadedCampaign, diagnostics: &mut Diagnostics) -> bool {
    let before = diagnostics.0.len();
    let elements = &loaded.campaign.search_space.elements;
    for (index, element) in elements.iter().enumerate() {
        let place = loaded.place(&["search_space", "elements", &index.to_string()]);
        let diagnostic =
            |message: String, hint: String| Diagnostic::new(message).at(place.clone()).hint(hint);
        if element == "H" {
            diagnostics.push(diagnostic(
                "hydrogen is implied and must not be listed".into(),
                "remove `H`".into(),
            ));
        } else if !ELEMENTS.contains(&element.as_str()) {
            let known = ELEMENTS.map(|known| format!("`{known}`")).join(", ");
            diagnostics.push(diagnostic(
                format!("moldflow cannot build molecules with the element `{element}`"),
                format!("supported elements: {known}"),
            ));
        } else if elements[..index].contains(element) {
            diagnostics.push(diagnostic(
                format!("`{element}` is listed twice"),
                "remove one of the two".into(),
            ));
        }
    }
    diagnostics.0.len() == before
}
