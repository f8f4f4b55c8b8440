//! Report page `report.html`: a run on one page without other files, scripts and network.

use std::collections::BTreeMap;

use handlebars::Handlebars;
use serde::Serialize;

use super::charts::{self, ChartData, ChartSection};
use super::json::RunState;
use super::places::{self, PartitionEntry, StageEntry};
use super::{ReportError, timestamp};
use crate::chem::units::hartree_to_kcal_per_mol;
use crate::config::site::Site;
use crate::store::{
    CandidateRow, EngineRow, FailureRow, NamedCount, ObjectiveInfo, RunCounts, Store, Summary,
};
use crate::task::{Prediction, StoppedBy};

/// Name of the page in a run directory.
pub const FILE: &str = "report.html";

const TEMPLATE: &str = include_str!("../../templates/report.html.hbs");
/// Number of best molecules shown.
const BEST: u32 = 20;
/// Number of last failures shown.
const FAILURES: u32 = 10;
/// Most lines of a message.
const LINES: usize = 4;
/// Most characters of a line.
const LINE: usize = 240;

/// Data of the page that are not in the database of the run.
pub struct PageContext<'a> {
    /// State of the run.
    pub state: RunState,
    /// Level of theory.
    pub level_of_theory: String,
    /// Conditions that the molecules of the result must meet, as the campaign writes them.
    pub constraints: Vec<String>,
    /// Site profile of the run.
    pub site: &'a Site,
    /// The partition of each method.
    pub partitions: BTreeMap<String, String>,
    /// Present time, milliseconds since the Unix epoch.
    pub at: i64,
}

/// Returns the page of a run, HTML. SMILES and messages are not trusted: the template escapes all
/// texts, and the charts escape theirs.
///
/// # Errors
///
/// Fails if the database cannot be read.
pub async fn page(store: &mut Store, context: &PageContext<'_>) -> Result<String, ReportError> {
    let Summary {
        run,
        stopped_by,
        counts,
        failures_by_kind,
        failed_attempts_by_kind,
        front,
        hypervolume,
        ..
    } = store.summary().await?;
    let candidates = store.candidates().await?;
    let stages = store.stages().await?;
    let objectives = run.objectives.as_slice();
    let best = match run.only_objective() {
        Some(objective) => store.best(BEST, objective.highest).await?,
        None => front.clone(),
    };
    let batches = store.batches().await?;
    let filled = PageData {
        campaign: &run.campaign,
        state: context.state.word(),
        why: why(context.state, stopped_by.as_deref()),
        written: timestamp(context.at),
        begun: timestamp(run.created),
        objective: sought(objectives),
        constraints: &context.constraints,
        headings: headings(objectives),
        predicted: match objectives {
            [_] => vec!["predicted".to_owned()],
            all => (all.iter().map(|o| format!("predicted {}", o.label))).collect(),
        },
        is_front: objectives.len() > 1,
        hypervolume: hypervolume.map(|volume| format!("{volume:.6}")),
        level: &context.level_of_theory,
        site: &context.site.name,
        retries: store.retries().await?,
        failures_by_kind,
        failed_attempts_by_kind,
        is_named: best.iter().any(|row| row.name.is_some()),
        best: (1..)
            .zip(&best)
            .map(|best| molecule(best, objectives))
            .collect(),
        charts: charts::sections(&ChartData::new(objectives, &candidates, &batches)),
        failures: failures(store.last_failed_attempts(FAILURES).await?),
        places: places::places(context.site, &stages, &context.partitions),
        stages: places::stages(&stages, &context.partitions),
        engines: store.engines().await?,
        begun_by: &run.version,
        version: env!("CARGO_PKG_VERSION"),
        counts: PageCounts::from(&counts),
    };
    let mut handlebars = Handlebars::new();
    handlebars.set_strict_mode(true);
    let text = handlebars.render_template(TEMPLATE, &filled);
    text.map_err(|error| ReportError::Template(Box::new(error)))
}

/// Data of the template `report.html.hbs`.
#[derive(Serialize)]
struct PageData<'a> {
    campaign: &'a str,
    state: &'a str,
    why: String,
    written: String,
    begun: String,
    objective: String,
    constraints: &'a [String],
    /// Names of the objectives with their units, and `kcal/mol` behind one in hartree.
    headings: Vec<String>,
    /// Headings of the predictions.
    predicted: Vec<String>,
    /// True if the run has several objectives, and `best` is their front.
    is_front: bool,
    hypervolume: Option<String>,
    level: &'a str,
    site: &'a str,
    counts: PageCounts,
    retries: i64,
    failures_by_kind: Vec<NamedCount>,
    failed_attempts_by_kind: Vec<NamedCount>,
    /// True if any molecule of `best` has a name.
    is_named: bool,
    best: Vec<MoleculeEntry>,
    charts: Vec<ChartSection>,
    failures: Vec<FailureEntry>,
    places: Vec<PartitionEntry>,
    stages: Vec<StageEntry>,
    engines: Vec<EngineRow>,
    begun_by: &'a str,
    version: &'a str,
}

#[derive(Serialize)]
struct PageCounts {
    evaluations: i64,
    failures: i64,
    cached: i64,
    batches: i64,
    queued: i64,
    in_flight: i64,
}

impl From<&RunCounts> for PageCounts {
    fn from(counts: &RunCounts) -> Self {
        Self {
            evaluations: counts.evaluations,
            failures: counts.failures,
            cached: counts.cached,
            batches: counts.batches,
            queued: counts.queued,
            in_flight: counts.in_flight,
        }
    }
}

#[derive(Serialize)]
struct MoleculeEntry {
    place: usize,
    smiles: String,
    name: String,
    /// Values of the objectives; in kcal/mol too where the unit is hartree.
    values: Vec<String>,
    batch: String,
    rank: i64,
    predictions: Vec<String>,
}

#[derive(Serialize)]
struct FailureEntry {
    molecule: String,
    name: String,
    task: i64,
    attempt: i64,
    stage: String,
    kind: String,
    at: String,
    message: String,
}

fn why(state: RunState, stopped_by: Option<&str>) -> String {
    match (state, stopped_by) {
        (RunState::Running, _) => "an engine is at work".into(),
        (RunState::Interrupted, _) => {
            "no engine is at work; `moldflow resume` continues the run".into()
        }
        (RunState::Finished, Some(word)) => StoppedBy::of_word(word)
            .map_or_else(|| word.to_owned(), |reason| reason.sentence().to_owned()),
        (RunState::Finished, None) => String::new(),
    }
}

/// The objectives in words: `lowest gap, eV`.
fn sought(objectives: &[ObjectiveInfo]) -> String {
    let objectives = objectives.iter().map(|objective| {
        let unit = match objective.unit.as_str() {
            "" => String::new(),
            unit => format!(", {unit}"),
        };
        format!("{} {}{unit}", objective.superlative(), objective.label)
    });
    objectives.collect::<Vec<_>>().join("; ")
}

/// Headings of the columns of the objectives.
fn headings(objectives: &[ObjectiveInfo]) -> Vec<String> {
    let mut headings = Vec::new();
    for objective in objectives {
        headings.push(objective.heading());
        if objective.unit == "hartree" {
            headings.push("kcal/mol".to_owned());
        }
    }
    headings
}

fn molecule((place, row): (usize, &CandidateRow), objectives: &[ObjectiveInfo]) -> MoleculeEntry {
    let number = |value: Option<f64>, decimals| {
        value.map_or_else(|| "-".to_owned(), |value| format!("{value:.decimals$}"))
    };
    let mut values = Vec::new();
    for objective in objectives {
        let value = row.value(&objective.property);
        values.push(number(value, 6));
        if objective.unit == "hartree" {
            values.push(number(value.map(hartree_to_kcal_per_mol), 2));
        }
    }
    let predicted = |objective: &ObjectiveInfo| match row.prediction(&objective.property) {
        Some(Prediction { mean, std }) => format!("{mean:.6} ± {std:.6}"),
        None => "-".into(),
    };
    MoleculeEntry {
        place,
        smiles: row.smiles.clone(),
        name: row.name.clone().unwrap_or_default(),
        values,
        batch: match row.batch {
            0 => "source".into(),
            batch => batch.to_string(),
        },
        rank: row.rank,
        predictions: objectives.iter().map(predicted).collect(),
    }
}

fn failures(rows: Vec<FailureRow>) -> Vec<FailureEntry> {
    let failed = |row: FailureRow| FailureEntry {
        molecule: row.smiles.unwrap_or_else(|| "-".into()),
        name: row.name.unwrap_or_default(),
        task: row.task,
        attempt: row.attempt,
        stage: row.stage,
        kind: row.kind,
        at: timestamp(row.at),
        message: beginning(&row.message),
    };
    rows.into_iter().map(failed).collect()
}

/// Returns the first lines of a message, with control characters replaced.
fn beginning(message: &str) -> String {
    let line = |line: &str| -> String {
        let letters = line.chars().take(LINE);
        letters
            .map(|c| if c.is_control() { '\u{fffd}' } else { c })
            .collect()
    };
    let mut lines: Vec<String> = message.lines().take(LINES).map(line).collect();
    if message.lines().nth(LINES).is_some() {
        lines.push("...".into());
    }
    lines.join("\n")
}
