//! `moldflow plan`: the task graph, each task's partition and command line; runs nothing.

use clap::{Args, ValueEnum};
use comfy_table::Table;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use super::check::warn_of_crowding;
use super::table::{in_words, table, trimmed};
use super::{CampaignArguments, ExitStatus, print};
use crate::app::error::CommandError;
use crate::app::host::host_environment;
use crate::app::job_script::job_script;
use crate::app::method_commands::{BatchScript, MethodCommands, method_commands};
use crate::config::campaign::{LoadedCampaign, Loop};
use crate::config::site::PartitionConfig;
use crate::plan::{self, Edge, EdgeKind, MoleculeSource, Plan, StageKind};

#[derive(Args)]
pub(super) struct PlanArguments {
    #[command(flatten)]
    campaign: CampaignArguments,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    format: PlanFormat,
}

#[derive(Clone, Copy, ValueEnum)]
enum PlanFormat {
    /// A table and the command lines
    Text,
    /// A graph for Graphviz
    Dot,
    /// A graph for Markdown
    Mermaid,
    /// Everything, for programs
    Json,
}

pub(super) fn run(arguments: &PlanArguments) -> Result<ExitStatus, CommandError> {
    let path = &arguments.campaign.campaign;
    let (loaded, plan) = plan::load(path, &arguments.campaign.overrides(), &host_environment())?;
    warn_of_crowding(&loaded, &plan);
    print(&match arguments.format {
        PlanFormat::Text => text(&loaded, &plan) + &how(&loaded, &plan)?,
        PlanFormat::Dot => plan::dot(&plan),
        PlanFormat::Mermaid => plan::mermaid(&plan),
        PlanFormat::Json => json(&loaded, &plan)?,
    })?;
    Ok(ExitStatus::Finished)
}

fn text(loaded: &LoadedCampaign, plan: &Plan) -> String {
    let mut text = format!(
        "campaign {} on site {}\n\n{}\n\n{}\n\n{}\n",
        loaded.campaign.name,
        loaded.site.name,
        trimmed(&stages(plan)),
        trimmed(&properties(plan)),
        trimmed(&methods(plan)),
    );
    let closing = plan
        .edges
        .iter()
        .filter(|edge| edge.kind != EdgeKind::After);
    for Edge { from, to, kind } in closing {
        let _ = match kind {
            EdgeKind::Results => writeln!(text, "\nresults of {from} reach {to}"),
            EdgeKind::Loop | EdgeKind::After => writeln!(text, "\nloop: {from} -> {to}"),
        };
    }
    text
}

fn stages(plan: &Plan) -> Table {
    let mut table = table(["stage", "after", "loop", "what", "tasks"]);
    for stage in &plan.stages {
        let after = stage
            .after
            .iter()
            .map(|place| plan.stages[*place].name.as_str());
        table.add_row([
            stage.name.clone(),
            after.collect::<Vec<_>>().join(", "),
            match stage.in_loop {
                Some(Loop::Generator) => "generator".to_owned(),
                Some(Loop::Consumer) => "consumer".to_owned(),
                None => String::new(),
            },
            match &stage.kind {
                StageKind::Compute { property, .. } => format!("compute {property}"),
                kind => format!(
                    "{}: {}",
                    kind.word(),
                    kind.method().map_or("", String::as_str)
                ),
            },
            tasks(plan, &stage.kind),
        ]);
    }
    table
}

/// The properties with their recipes.
fn properties(plan: &Plan) -> Table {
    let mut table = table([
        "property",
        "value",
        "unit",
        "calculations of a molecule",
        "free atoms",
    ]);
    for property in plan.properties.values() {
        let recipe = property.recipe.iter().map(|node| match &node.geometry {
            Some(first) => format!("{} (geometry of {first})", node.method),
            None => node.method.clone(),
        });
        table.add_row([
            property.name.clone(),
            property.value.clone(),
            property.unit.name().to_owned(),
            recipe.collect::<Vec<_>>().join(", "),
            property.free_atoms.join(", "),
        ]);
    }
    table
}

fn methods(plan: &Plan) -> Table {
    let heads = [
        "method",
        "kind",
        "engine",
        "partition",
        "executor",
        "slots",
        "cores",
    ];
    let mut table = table(heads);
    for method in plan.methods.values() {
        table.add_row([
            method.name.clone(),
            method.kind_name.to_owned(),
            method.engine_name.to_owned(),
            method.partition_name.clone(),
            method.executor.to_owned(),
            in_words(method.slots),
            method.cores.to_string(),
        ]);
    }
    table
}

/// Commands of each method, by its name.
type Commands = BTreeMap<String, MethodCommands>;

/// Returns the command lines, and the batch scripts of partitions whose tasks are jobs.
fn how(loaded: &LoadedCampaign, plan: &Plan) -> Result<String, CommandError> {
    let starts = method_commands(loaded, plan)?;
    let campaign = campaign_script(loaded)?;
    Ok(command_lines(plan, &starts) + &batch_scripts(plan, &starts) + &campaign)
}

/// Returns the command line of each method.
fn command_lines(plan: &Plan, starts: &Commands) -> String {
    let mut text =
        "\ncommand lines (RUN_DIR, ID and ATTEMPT are filled in by the run)\n".to_owned();
    for method in plan.methods.values() {
        let MethodCommands {
            host,
            dir,
            launcher,
            ..
        } = &starts[&method.name];
        let mut argv = method.argv.clone();
        if let (Some(host), Some(input)) = (host, argv.last_mut()) {
            let _ = write!(text, "  {} on `{host}`:", method.name);
            *input = dir.join("input.json").display().to_string();
        } else {
            let _ = write!(text, "  {}:", method.name);
        }
        let _ = writeln!(text, " {}", argv.join(" "));
        if let Some(launcher) = launcher {
            let _ = writeln!(text, "    its program: {} PROGRAM", launcher.join(" "));
        }
        let in_script = starts[&method.name].script.is_some();
        if let Some(words) = resources(&method.partition).filter(|_| !in_script) {
            let _ = writeln!(text, "    each task has {words}");
        }
        if let Some(on_node) = &starts[&method.name].on_node {
            let _ = writeln!(text, "    on its node: {} PROGRAM", on_node.join(" "));
        }
    }
    text
}

/// Returns each batch script once, with the methods whose tasks it runs.
fn batch_scripts(plan: &Plan, starts: &Commands) -> String {
    let mut text = String::new();
    let mut shown: Vec<&BatchScript> = Vec::new();
    for method in plan.methods.values() {
        let Some(script) = &starts[&method.name].script else {
            continue;
        };
        if !shown.contains(&script) {
            let of = plan.methods.keys().map(String::as_str);
            let of = of.filter(|name| starts[*name].script.as_ref() == Some(script));
            let of: Vec<&str> = of.collect();
            let (of, submit) = (of.join(", "), script.submit);
            let host = &starts[&method.name].host;
            let there = host
                .as_ref()
                .map_or_else(String::new, |host| format!(" on `{host}`"));
            let _ = writeln!(
                text,
                "\n{submit} job.sh{there}, a job for each task of {of}; job.sh:"
            );
            for line in script.text.lines() {
                let _ = writeln!(text, "  {line}");
            }
            shown.push(script);
        }
    }
    text
}

/// Returns the script of the jobs of `moldflow submit`; empty if the site has none.
fn campaign_script(loaded: &LoadedCampaign) -> Result<String, CommandError> {
    let mut text = String::new();
    if let Some(submit) = &loaded.site.submit {
        let script = job_script(
            &loaded.site,
            submit,
            Path::new("RUN_DIR"),
            Path::new("moldflow"),
            &[],
            None,
        )?;
        let _ = writeln!(
            text,
            "\n{} job.sh, by `moldflow submit`, {}; job.sh:",
            submit.system.submit,
            match submit.chain {
                Some(count) => format!("{count} jobs at once that run one after the other"),
                None => "one job after the other".to_owned(),
            }
        );
        for line in script.lines() {
            let _ = writeln!(text, "  {line}");
        }
    }
    Ok(text)
}

/// Returns the resources of the tasks of a partition besides cores; none if the profile gives none.
fn resources(partition: &PartitionConfig) -> Option<String> {
    let memory = partition
        .memory_per_task
        .map(|memory| format!("{memory} of memory"));
    let gpus = match partition.gpus_per_task {
        0 => None,
        1 => Some("1 GPU".to_owned()),
        gpus => Some(format!("{gpus} GPUs")),
    };
    let constraint = partition
        .constraint
        .iter()
        .map(|constraint| format!("nodes of `{constraint}`"));
    let words: Vec<String> = memory.into_iter().chain(gpus).chain(constraint).collect();
    (!words.is_empty()).then(|| words.join(", "))
}

/// Returns the number of tasks of a stage in words.
fn tasks(plan: &Plan, kind: &StageKind) -> String {
    let StageKind::Compute {
        property,
        molecules,
        parallel,
    } = kind
    else {
        return match kind {
            StageKind::Screen { select, .. } => format!("1 a batch, selects {select}"),
            _ => "1 a batch".to_owned(),
        };
    };
    let each = match plan.properties[property].recipe.len() {
        1 => String::new(),
        calculations => format!("{calculations} for each of "),
    };
    let stage = |place: usize| &plan.stages[place].name;
    let molecules = match molecules {
        MoleculeSource::All => "all molecules".to_owned(),
        MoleculeSource::Random(count) => format!("{count} molecules"),
        MoleculeSource::Queue(_) if *property == plan.objective.property => {
            format!("{} molecules", plan.stop.evaluations.unwrap_or(0))
        }
        MoleculeSource::Queue(screen) => format!("what {} queues", stage(*screen)),
        MoleculeSource::Best { count, of } => format!("the best {count} of {}", stage(*of)),
        MoleculeSource::Share { share, of } => {
            format!("the best {} % of {}", 100.0 * share, stage(*of))
        }
    };
    let parallel = parallel.map_or_else(String::new, |parallel| format!(", {parallel} at once"));
    format!("{each}{molecules}{parallel}")
}

fn json(loaded: &LoadedCampaign, plan: &Plan) -> Result<String, CommandError> {
    let starts = method_commands(loaded, plan)?;
    let whole = serde_json::json!({
        "campaign": loaded.campaign.name,
        "site": loaded.site.name,
        "plan": plan,
        "start": starts,
    });
    Ok(format!("{whole:#}\n"))
}
