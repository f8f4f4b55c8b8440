//! `moldflow runs`: lists the runs in a folder.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::table::{table, trimmed};
use super::terminal::say;
use super::{ExitStatus, print};
use crate::app::error::CommandError;
use crate::app::job_chain::JobChain;
use crate::app::run_dir;
use crate::report::{self, RunState};
use crate::store::{self, Summary};

#[derive(Args)]
pub(super) struct RunsArguments {
    /// Folder whose runs are listed
    #[arg(default_value = "runs", value_parser = super::path())]
    pub dir: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// A run that is listed.
enum ListedRun {
    /// No job has begun it yet.
    Submitted,
    Begun {
        summary: Box<Summary>,
        state: RunState,
        can_be_resumed: bool,
    },
}

pub(super) fn run(arguments: &RunsArguments) -> Result<ExitStatus, CommandError> {
    super::wait(list(arguments))
}

async fn list(arguments: &RunsArguments) -> Result<ExitStatus, CommandError> {
    let mut runs = Vec::new();
    for dir in run_dirs(&arguments.dir)? {
        match read(&dir).await {
            Ok(run) => runs.push((dir, run)),
            Err(error) => {
                let why = error.diagnostics().0.iter().map(|d| d.message.as_str());
                let why = why.collect::<Vec<_>>().join("; ");
                say(&format!("warning: `{}` is left out: {why}", dir.display()));
            }
        }
    }
    runs.sort_by_key(|(dir, run)| (run.begun(), dir.clone()));
    let now = Timestamp::now().as_millisecond();
    if arguments.json {
        let runs: Vec<Value> = runs.iter().map(|(dir, run)| run.json(dir)).collect();
        print(&format!("{:#}\n", json!(runs)))?;
        return Ok(ExitStatus::Finished);
    }
    if runs.is_empty() {
        print(&format!("no runs in `{}`\n", arguments.dir.display()))?;
        return Ok(ExitStatus::Finished);
    }
    let mut rows = table([
        "run",
        "campaign",
        "state",
        "resume",
        "evaluations",
        "best",
        "begun",
    ]);
    for (dir, run) in &runs {
        rows.add_row(run.cells(dir, now));
    }
    print(&format!("{}\n", trimmed(&rows)))?;
    Ok(ExitStatus::Finished)
}

/// The folders in `dir` that hold a run; `dir` alone if it does.
fn run_dirs(dir: &Path) -> Result<Vec<PathBuf>, CommandError> {
    let entries = fs::read_dir(dir).and_then(|entries| {
        let paths = entries.map(|entry| Ok(entry?.path()));
        paths.collect::<Result<Vec<PathBuf>, std::io::Error>>()
    });
    let mut dirs = entries.map_err(|error| {
        CommandError::io(
            &format!("could not read the folder `{}`", dir.display()),
            &error,
        )
    })?;
    if run_dir::holds_run(dir) {
        return Ok(vec![dir.to_owned()]);
    }
    dirs.retain(|dir| run_dir::holds_run(dir));
    Ok(dirs)
}

async fn read(dir: &Path) -> Result<ListedRun, CommandError> {
    let dir = run_dir::existing(dir)?;
    let is_at_work = run_dir::is_locked(&dir);
    let chain = JobChain::load(&dir)
        .map_err(|e| CommandError::new(format!("could not read the list of jobs: {e}")))?;
    if !dir.join(store::FILE).exists() && chain.last().is_some() {
        return Ok(ListedRun::Submitted);
    }
    let summary = run_dir::open_to_read(&dir).await?.summary().await?;
    let state = RunState::of(&summary, is_at_work);
    Ok(ListedRun::Begun {
        can_be_resumed: state == RunState::Interrupted && !summary.run.is_of_first_version(),
        summary: Box::new(summary),
        state,
    })
}

impl ListedRun {
    /// Time of its begin, milliseconds since the Unix epoch; later than any while it has none.
    fn begun(&self) -> i64 {
        match self {
            Self::Submitted => i64::MAX,
            Self::Begun { summary, .. } => summary.run.created,
        }
    }

    fn cells(&self, dir: &Path, now: i64) -> [String; 7] {
        let dir = dir.display().to_string();
        let none = || "-".to_owned();
        match self {
            Self::Submitted => {
                let state = "submitted".to_owned();
                [dir, none(), state, none(), none(), none(), none()]
            }
            Self::Begun {
                summary,
                state,
                can_be_resumed,
            } => [
                dir,
                summary.run.campaign.clone(),
                state.word().to_owned(),
                if *can_be_resumed { "yes" } else { "-" }.to_owned(),
                summary.counts.evaluations.to_string(),
                best(summary).unwrap_or_else(none),
                age(now - summary.run.created),
            ],
        }
    }

    fn json(&self, dir: &Path) -> Value {
        match self {
            Self::Submitted => json!({"run_dir": dir, "state": "submitted"}),
            Self::Begun {
                summary,
                state,
                can_be_resumed,
            } => json!({
                "run_dir": dir,
                "campaign": summary.run.campaign,
                "state": state.word(),
                "resumable": can_be_resumed,
                "evaluations": summary.counts.evaluations,
                "failures": summary.counts.failures,
                "best": report::best_json(summary),
                "front": (summary.run.objectives.len() > 1).then_some(summary.front.len()),
                "begun": report::timestamp(summary.run.created),
            }),
        }
    }
}

/// The best molecule with its value, or the size of the front.
pub(super) fn best(summary: &Summary) -> Option<String> {
    if summary.run.objectives.len() > 1 {
        return Some(format!("a front of {}", summary.front.len()));
    }
    let objective = summary.run.only_objective()?;
    let best = summary.best.as_ref()?;
    let (value, unit) = (best.objective?, &objective.unit);
    Some(
        format!("{} {value:.6} {unit}", best.smiles)
            .trim_end()
            .to_owned(),
    )
}

/// A time in its largest unit: `3 min ago`.
fn age(milliseconds: i64) -> String {
    let minutes = milliseconds.max(0) / 60_000;
    match minutes {
        0 => "just now".to_owned(),
        1..120 => format!("{minutes} min ago"),
        120..2880 => format!("{} h ago", minutes / 60),
        _ => format!("{} days ago", minutes / 1440),
    }
}
