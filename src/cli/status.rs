//! `moldflow status`: shows the progress of a run.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;

use serde_json::json;

use super::table::hours;
use super::terminal::{say, width};
use super::{ExitStatus, print};
use crate::app::core_hours::core_hours;
use crate::app::error::CommandError;
use crate::app::job_chain::{ChainedJob, JobChain};
use crate::app::run_dir;
use crate::config::site::Submit;
use crate::report::{self, BusySlots, RunState};
use crate::store;

#[derive(Args)]
pub(super) struct StatusArguments {
    /// Run directory
    #[arg(value_parser = super::path())]
    pub run_dir: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

pub(super) fn run(arguments: &StatusArguments) -> Result<ExitStatus, CommandError> {
    super::wait(show(arguments))
}

async fn show(arguments: &StatusArguments) -> Result<ExitStatus, CommandError> {
    let dir = run_dir::existing(&arguments.run_dir)?;
    let is_running = run_dir::is_locked(&dir);
    let (loaded, plan) = run_dir::load(&dir, &mut say).await?;
    let chain = JobChain::load(&dir)
        .map_err(|e| CommandError::new(format!("could not read the list of jobs: {e}")))?;
    if let (false, Some(job)) = (dir.join(store::FILE).exists(), chain.last()) {
        let waiting = chain
            .jobs
            .iter()
            .filter(|job| !job.cancelled && chain.up_front);
        let waiting: Vec<&str> = waiting.map(|job| &*job.id).collect();
        let text = match (arguments.json, waiting.as_slice()) {
            (true, _) => format!(
                "{:#}\n",
                json!({"run_dir": dir, "state": "submitted", "job": job.id})
            ),
            (false, [_, _, ..]) => format!(
                "{}: submitted, none of the jobs {} has started\n",
                loaded.campaign.name,
                waiting.join(", ")
            ),
            (false, _) => format!(
                "{}: submitted, job {} has not started\n",
                loaded.campaign.name, job.id
            ),
        };
        print(&text)?;
        return Ok(ExitStatus::Finished);
    }
    let mut store = run_dir::open_to_read(&dir).await?;
    let summary = store.summary().await?;
    let state = RunState::of(&summary, is_running);
    let mut busy: BTreeMap<&str, i64> = BTreeMap::new();
    if state == RunState::Running {
        for running in store.running_by_method().await? {
            let method = plan.methods.get(&running.name);
            let partition = method.map(|method| method.partition_name.as_str());
            *busy.entry(partition.unwrap_or_default()).or_default() += running.count;
        }
    }
    let slots = loaded.site.partitions.iter().map(|(name, partition)| {
        let all = partition.slot_count(&loaded.site.node);
        BusySlots {
            partition: name.clone(),
            busy: busy.get(name.as_str()).copied().unwrap_or(0),
            slots: all,
        }
    });
    let slots: Vec<_> = slots.collect();
    let core_hours = core_hours(&mut store, &plan).await?;
    let level = plan.level_of_theory();
    let jobs = jobs(&chain, state, loaded.site.submit.as_ref());
    if arguments.json {
        let mut object = report::status_json(&dir, &summary, state, &level, &slots);
        object["core_hours"] = json!(core_hours);
        if jobs.is_some() {
            object["jobs"] = json!(chain);
        }
        print(&format!("{object:#}\n"))?;
    } else {
        let tasks = store.tasks_by_state().await?;
        let text = report::status_text(&summary, state, &level, &slots, &tasks, width());
        let jobs = jobs.map_or_else(String::new, |jobs| format!("jobs          {jobs}\n"));
        let hours = hours(core_hours);
        print(&format!("{text}\ncore-hours    {hours}\n{jobs}"))?;
    }
    Ok(ExitStatus::Finished)
}

/// Returns the job in which a run is, or for which it waits; none for a run that was not submitted.
fn jobs(chain: &JobChain, state: RunState, submit: Option<&Submit>) -> Option<String> {
    let last = chain.jobs.last()?;
    let begun = chain
        .jobs
        .iter()
        .rev()
        .find(|job| job.ended_before.is_some());
    let waits = |id: &str| format!("{id} waits to continue the run");
    let after = |job: &ChainedJob| {
        let place = chain.jobs.iter().position(|other| other == job);
        let rest = chain.jobs[place.map_or(0, |place| place + 1)..].iter();
        let ids: Vec<&str> = rest
            .filter(|job| !job.cancelled)
            .map(|job| &*job.id)
            .collect();
        match ids.as_slice() {
            [] => String::new(),
            [id] => format!(", {}", waits(id)),
            ids => format!(", {} wait to continue the run", ids.join(", ")),
        }
    };
    Some(match (state, &chain.stopped, begun) {
        (RunState::Finished, _, _) => format!("{}, done", chain.jobs.len()),
        (RunState::Interrupted, Some(why), _) => format!("no job continues the run: {why}"),
        (RunState::Running, _, Some(job)) => match &chain.trouble {
            Some(why) => format!("runs in {}; {why}", job.id),
            None => format!("runs in {}{}", job.id, after(job)),
        },
        (RunState::Interrupted | RunState::Running, _, _) => {
            let system = submit.map(|submit| submit.system);
            match system.and_then(|system| system.has_job(&last.id, &last.name)) {
                Some(false) => match &chain.trouble {
                    Some(why) => format!("no job continues the run: {why}"),
                    None => format!("no job continues the run: {} is gone", last.id),
                },
                Some(true) | None => waits(&last.id),
            }
        }
    })
}
