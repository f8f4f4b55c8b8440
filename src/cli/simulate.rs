//! `moldflow simulate`: forecasts a campaign on a site; runs nothing.

use std::fmt::Write;

use clap::Args;

use super::table::{align_numbers, table, trimmed};
use super::{CampaignArguments, ExitStatus, print};
use crate::app::error::{CommandError, causes};
use crate::app::host::host_environment;
use crate::config::campaign::{LoadedCampaign, MethodKind, Schedule};
use crate::config::duration::Duration;
use crate::forecast::{
    self, Assumptions, Forecast, Machine, MachineError, SearchForecast, Times, forecast,
};
use crate::plan::{self, MoleculeSource, Plan, PlannedMethod, StageKind};

/// Share of idle slot time from which a note names a remedy.
const MUCH: f64 = 0.01;

#[derive(Args)]
pub(super) struct SimulateArguments {
    #[command(flatten)]
    campaign: CampaignArguments,
    /// Nodes of the allocation that the site's partitions share
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    nodes: Option<u32>,
    /// Time of a simulation: `10m`, or `lognormal:MEDIAN,SIGMA`; typical of each engine if not given
    #[arg(long, value_name = "TIME")]
    task_time: Option<Times>,
    /// Time of a `generate` task
    #[arg(long, value_name = "TIME", default_value = "5m")]
    ml_time: Times,
    /// Time of a `train` and of a `screen` task
    #[arg(long, value_name = "TIME", default_value = "10s")]
    fit_time: Times,
    /// Share of the attempts at a simulation that fail, 0 to 1
    #[arg(long, value_name = "P", default_value = "0", value_parser = share)]
    failures: f64,
    /// Time that a job or a block of nodes waits in the queue
    #[arg(long, value_name = "TIME")]
    queue_wait: Option<Duration>,
    /// Correlation of the model's predictions with the truth, above 0 to 1
    #[arg(long, value_name = "R", default_value = "0.9", value_parser = skill)]
    skill: f64,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &SimulateArguments) -> Result<ExitStatus, CommandError> {
    let path = &arguments.campaign.campaign;
    let (loaded, plan) = plan::load(path, &arguments.campaign.overrides(), &host_environment())?;
    let nodes = arguments.nodes.map(|nodes| nodes as usize);
    let machine =
        Machine::new(&loaded.site, nodes).map_err(|error| no_machine(&error, &loaded.site.name))?;
    let queue_wait = arguments
        .queue_wait
        .map_or(0, |wait| wait.get().as_millis());
    let assumptions = Assumptions {
        task_time: arguments.task_time,
        ml_time: arguments.ml_time,
        fit_time: arguments.fit_time,
        failures: arguments.failures,
        queue_wait: queue_wait as u64,
        skill: arguments.skill,
    };
    let drawn: usize = plan.draws().filter_map(|(_, count)| count).sum();
    let molecules = drawn + plan.stop.evaluations.unwrap_or(0);
    let per_atom = !plan.objective_property().extensive;
    let table = forecast::Table::open(&plan.search_space, per_atom, molecules);
    let table = table.ok_or_else(no_molecules)?;
    let forecast = forecast(&plan, &machine, &table, &assumptions)
        .map_err(|error| CommandError::new(causes(&error)))?;
    let notes = notes(&loaded, &plan, &assumptions, &forecast);
    print(&if arguments.json {
        let whole = serde_json::json!({
            "campaign": loaded.campaign.name,
            "site": loaded.site.name,
            "seed": loaded.campaign.seed,
            "forecast": forecast,
            "notes": notes,
        });
        format!("{whole:#}\n")
    } else {
        text(&loaded, &plan, &machine, arguments, &forecast, &notes)
    })?;
    Ok(ExitStatus::Finished)
}

fn no_machine(error: &MachineError, site: &str) -> CommandError {
    let hint = match error {
        MachineError::NodesMissing { .. } => {
            "give the nodes of the allocation: `--nodes 256`".into()
        }
        MachineError::NodesUnused { .. } => {
            format!("omit `--nodes`: the site profile `{site}` gives the number of nodes")
        }
        MachineError::TooFewNodes { .. } => "give more nodes with `--nodes`".into(),
    };
    CommandError::with_hint(error.to_string(), hint)
}

fn no_molecules() -> CommandError {
    CommandError::with_hint(
        "a forecast uses the energies of QM9, but none of its molecules lies in the search space",
        "allow C, N, O or F, and more heavy atoms",
    )
}

fn text(
    loaded: &LoadedCampaign,
    plan: &Plan,
    machine: &Machine,
    arguments: &SimulateArguments,
    forecast: &Forecast,
    notes: &[String],
) -> String {
    let mut text = format!(
        "campaign {} on site {}{}, seed {}\n{}\n",
        loaded.campaign.name,
        loaded.site.name,
        match machine.nodes {
            0 | 1 => String::new(),
            nodes => format!(", {nodes} nodes"),
        },
        loaded.campaign.seed,
        assumed(arguments),
    );
    let _ = writeln!(text, "{}\n", partitions(forecast));
    let _ = writeln!(
        text,
        "time to the end   {}\nnode-hours        {:.1}\nevaluations       {} ({} failed), {} \
         batches: {}",
        time(forecast.seconds),
        forecast.node_hours,
        forecast.evaluations,
        forecast.failures,
        forecast.batches,
        forecast.stopped_by.sentence(),
    );
    if let Some(best) = &forecast.best {
        let _ = writeln!(
            text,
            "best              {} {:.6} {}, after {} evaluations and {}, among {} molecules",
            best.smiles,
            best.value,
            plan.objective_property().unit.name(),
            best.found_after_evaluations,
            time(best.found_after_seconds),
            best.molecules,
        );
    }
    if let Some(search) = &forecast.search {
        let _ = writeln!(text, "\n{}", search_phase(search));
    }
    for note in notes {
        let _ = writeln!(text, "\nnote: {note}");
    }
    text
}

fn assumed(arguments: &SimulateArguments) -> String {
    let wait = arguments
        .queue_wait
        .map_or_else(|| "none".to_owned(), |wait| wait.to_string());
    let task_time = arguments.task_time.map_or_else(
        || "typical of each engine".to_owned(),
        |time| time.to_string(),
    );
    format!(
        "assumed: simulations {task_time}, generate {}, train and screen {} each, failures {}, queue wait \
         {wait}, skill {}\n",
        arguments.ml_time, arguments.fit_time, arguments.failures, arguments.skill
    )
}

/// Returns the table of the partitions with their slots, tasks and utilisation.
fn partitions(forecast: &Forecast) -> String {
    let mut table = table(["partition", "slots", "tasks", "busy"]);
    for (name, partition) in &forecast.partitions {
        table.add_row([
            name.clone(),
            partition.slots.to_string(),
            partition.tasks.to_string(),
            percent(partition.utilisation),
        ]);
    }
    align_numbers(&mut table);
    trimmed(&table)
}

/// Returns the forecast from the first candidate to the last, with a table of the ages of
/// candidates.
fn search_phase(search: &SearchForecast) -> String {
    let mut table = table(["age of a candidate", "mean", "median", "95 %", "most"]);
    for (name, age) in [
        ("in newer batches", search.age_in_batches),
        ("in newer results", search.age_in_results),
    ] {
        table.add_row([
            name.to_owned(),
            format!("{:.1}", age.mean),
            age.median.to_string(),
            age.ninety_fifth.to_string(),
            age.most.to_string(),
        ]);
    }
    align_numbers(&mut table);
    format!(
        "from the first candidate to the last, {} to {}\n  {:<15} {} busy, {} idle without \
         candidates, {} idle without nodes\n  \
         candidates      {} queued, {} superseded before their turn\n\n{}",
        time(search.from_seconds),
        time(search.until_seconds),
        search.partition,
        percent(search.utilisation),
        percent(search.idle_without_candidates),
        percent(search.idle_without_nodes),
        search.queued,
        search.superseded,
        trimmed(&table)
    )
}

/// Returns the reasons for which slots stay idle, each with a remedy.
fn notes(
    loaded: &LoadedCampaign,
    plan: &Plan,
    assumptions: &Assumptions,
    forecast: &Forecast,
) -> Vec<String> {
    let mut notes = timeouts(plan, assumptions);
    let Some(consumer) = Consumer::of(plan) else {
        return notes;
    };
    let Consumer {
        stage,
        parallel,
        partition,
        screen,
        select,
    } = consumer;
    let slots = forecast.partitions.get(partition);
    let slots = slots.map_or(0, |partition| partition.slots);
    if parallel < slots {
        notes.push(format!(
            "`parallel` of stage `{stage}` is {parallel}, and `{partition}` has {slots} slots: the \
             others are never used"
        ));
    }
    notes.extend(few_proposals(plan, select));
    let Some(search) = &forecast.search else {
        return notes;
    };
    if search.idle_without_candidates > MUCH && parallel >= slots {
        let remedy = match loaded.campaign.schedule {
            Schedule::Batch => "with `schedule: batch` the loops wait for each other".to_owned(),
            Schedule::Interleaved => format!(
                "raise `select` of stage `{screen}`, now {select}, or make the generator faster"
            ),
        };
        notes.push(format!(
            "{} of the slot time of `{partition}` is lost because candidates are missing: {remedy}",
            percent(search.idle_without_candidates)
        ));
    }
    if search.idle_without_nodes > MUCH {
        notes.push(format!(
            "{} of the slot time of `{partition}` is lost waiting for nodes: hold blocks of nodes \
             for a while, or for longer \
             (`blocks` in the site profile)",
            percent(search.idle_without_nodes)
        ));
    }
    notes
}

/// The first stage that takes candidates from a queue, and the `screen` stage that fills it.
struct Consumer<'p> {
    stage: &'p str,
    parallel: usize,
    /// Partition of the last of its methods.
    partition: &'p str,
    screen: &'p str,
    select: usize,
}

impl<'p> Consumer<'p> {
    fn of(plan: &'p Plan) -> Option<Self> {
        plan.stages.iter().find_map(|stage| {
            let StageKind::Compute {
                molecules: MoleculeSource::Queue(screen),
                parallel,
                ..
            } = &stage.kind
            else {
                return None;
            };
            let screen = &plan.stages[*screen];
            let StageKind::Screen { select, .. } = screen.kind else {
                return None;
            };
            Some(Self {
                stage: &stage.name,
                parallel: parallel.unwrap_or(1),
                partition: &plan.methods_of(stage).last()?.partition_name,
                screen: &screen.name,
                select,
            })
        })
    }
}

/// A note for each method whose tasks would run past their timeout.
fn timeouts(plan: &Plan, assumptions: &Assumptions) -> Vec<String> {
    let simulate = plan.methods.values();
    let timed = simulate.filter_map(|method| {
        let time = assumptions.task_time_of(method.qc_engine()?);
        Some((method, time))
    });
    let short = timed.filter(|(method, time)| time.median().get() >= method.limits.timeout);
    let note = |(method, time): (&PlannedMethod, Times)| {
        let (name, timeout) = (
            &method.name,
            Duration::from_secs(method.limits.timeout.as_secs()),
        );
        format!(
            "simulations that take {time} run past the timeout of method `{name}`, {timeout}: give \
             their time with `--task-time`"
        )
    };
    short.map(note).collect()
}

/// A note if the first generator proposes fewer molecules than are selected.
fn few_proposals(plan: &Plan, select: usize) -> Option<String> {
    let mut methods = plan.stages.iter().filter_map(|stage| stage.kind.method());
    let engine = methods.find_map(|name| match &plan.methods[name].kind {
        MethodKind::Generate { engine } => Some(engine),
        _ => None,
    })?;
    let count = engine.implementation().typical_count()?;
    (count < select).then(|| {
        format!(
            "the generator `{}` proposes at most {count} molecules for a batch, and `select` is \
             {select}",
            engine.name()
        )
    })
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

fn time(seconds: f64) -> String {
    Duration::from_secs(seconds.round() as u64).to_string()
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("is not a number between 0 and 1".into()),
    }
}

fn skill(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(skill) if (0.01..=1.0).contains(&skill) => Ok(skill),
        _ => Err("is not a number between 0.01 and 1".into()),
    }
}
