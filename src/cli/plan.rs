//! `moldflow plan`: the task graph, each task's partition and command line; runs nothing.

use clap::{Args, ValueEnum};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use super::check::warn_of_crowding;
use super::table::{in_words, table, trimmed};
use super::{CampaignArguments, ExitStatus, print};
use crate::app::error::CommandError;
use crate::app::host::host_environment;
use crate::app::job_script::job_script;
use crate::app::stage_commands::{BatchScript, StageCommands, stage_commands};
use crate::config::campaign::LoadedCampaign;
use crate::config::site::PartitionConfig;
use crate::plan::{self, EdgeKind, Plan, PlannedStage};

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
    let mut table = table([
        "stage",
        "after",
        "method",
        "what",
        "tasks",
        "partition",
        "executor",
        "slots",
        "cores",
    ]);
    for stage in plan.stages() {
        let declared = plan
            .edges
            .iter()
            .filter(|edge| matches!(edge.kind, EdgeKind::After | EdgeKind::Geometry))
            .filter(|edge| edge.to == stage.stage);
        let after: Vec<&str> = declared.map(|edge| edge.from.as_str()).collect();
        table.add_row([
            stage.stage.clone(),
            after.join(", "),
            stage.method_name.clone(),
            stage.engine.clone().unwrap_or(stage.kind.to_owned()),
            tasks(loaded, plan, &stage.stage),
            stage.partition_name.clone(),
            stage.executor.to_owned(),
            in_words(stage.slots),
            stage.cores.to_string(),
        ]);
    }
    let mut text = format!(
        "campaign {} on site {}\n\n{}\n",
        loaded.campaign.name,
        loaded.site.name,
        trimmed(&table)
    );
    let [train, generate, screen] =
        [&plan.train, &plan.generate, &plan.screen].map(|stage| &stage.stage);
    let _ = writeln!(
        text,
        "\ngenerator loop: {train} -> {generate} -> {screen} -> {train}"
    );
    let evaluate = &plan.evaluate.stage;
    let begins = plan
        .evaluate_geometry
        .as_ref()
        .map_or(evaluate, |first| &first.stage);
    let between = if begins == evaluate {
        ""
    } else {
        &format!(" -> {evaluate}")
    };
    let _ = writeln!(
        text,
        "consumer loop:  {begins}{between} -> {begins}, its results to {train}"
    );
    text
}

/// Commands of each stage, by its name.
type StageCommandMap = BTreeMap<String, StageCommands>;

/// Returns the command lines, and the batch scripts of partitions whose tasks are jobs.
fn how(loaded: &LoadedCampaign, plan: &Plan) -> Result<String, CommandError> {
    let starts = stage_commands(loaded, plan)?;
    let campaign = campaign_script(loaded)?;
    Ok(command_lines(plan, &starts) + &batch_scripts(plan, &starts) + &campaign)
}

/// Returns the command line of each stage.
fn command_lines(plan: &Plan, starts: &StageCommandMap) -> String {
    let mut text =
        "\ncommand lines (RUN_DIR, ID and ATTEMPT are filled in by the run)\n".to_owned();
    for stage in plan.stages() {
        let StageCommands {
            host,
            dir,
            launcher,
            ..
        } = &starts[&stage.stage];
        let mut argv = stage.argv.clone();
        if let (Some(host), Some(input)) = (host, argv.last_mut()) {
            let _ = write!(text, "  {} on `{host}`:", stage.stage);
            *input = dir.join("input.json").display().to_string();
        } else {
            let _ = write!(text, "  {}:", stage.stage);
        }
        let _ = writeln!(text, " {}", argv.join(" "));
        if let Some(launcher) = launcher {
            let _ = writeln!(text, "    its program: {} PROGRAM", launcher.join(" "));
        }
        let in_script = starts[&stage.stage].script.is_some();
        if let Some(words) = resources(&stage.partition).filter(|_| !in_script) {
            let _ = writeln!(text, "    each task has {words}");
        }
        if let Some(on_node) = &starts[&stage.stage].on_node {
            let _ = writeln!(text, "    on its node: {} PROGRAM", on_node.join(" "));
        }
    }
    text
}

/// Returns each batch script once, with the stages whose tasks it runs.
fn batch_scripts(plan: &Plan, starts: &StageCommandMap) -> String {
    let mut text = String::new();
    let mut shown: Vec<&BatchScript> = Vec::new();
    for stage in plan.stages() {
        let Some(script) = &starts[&stage.stage].script else {
            continue;
        };
        if !shown.contains(&script) {
            let of = plan.stages().into_iter().map(|stage| stage.stage.as_str());
            let of = of.filter(|name| starts[*name].script.as_ref() == Some(script));
            let of: Vec<&str> = of.collect();
            let (of, submit) = (of.join(", "), script.submit);
            let host = &starts[&stage.stage].host;
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
fn tasks(loaded: &LoadedCampaign, plan: &Plan, stage: &str) -> String {
    let elements = loaded.campaign.search_space.elements.len();
    let is =
        |step: &Option<PlannedStage>, name: &str| step.as_ref().is_some_and(|s| s.stage == name);
    match stage {
        // Hydrogen is in every molecule and in no list of elements.
        stage if stage == plan.references.stage => (elements + 1).to_string(),
        stage if stage == plan.initial.stage => plan.initial_count.to_string(),
        stage if stage == plan.screen.stage => format!("1 a batch, selects {}", plan.select),
        stage if is(&plan.initial_geometry, stage) => plan.initial_count.to_string(),
        stage if stage == plan.evaluate.stage || is(&plan.evaluate_geometry, stage) => format!(
            "{}, {} at once",
            loaded.campaign.stop.evaluations, plan.parallel
        ),
        _ => "1 a batch".into(),
    }
}

fn json(loaded: &LoadedCampaign, plan: &Plan) -> Result<String, CommandError> {
    let starts = stage_commands(loaded, plan)?;
    let whole = serde_json::json!({
        "campaign": loaded.campaign.name,
        "site": loaded.site.name,
        "plan": plan,
        "start": starts,
    });
    Ok(format!("{whole:#}\n"))
}
