//! One search in this process: the real engine and the real tasks, one after the other, without a
//! run directory, a database or a clock.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{CompareError, TaskBody};
use crate::config::campaign::Schedule;
use crate::config::draw::StageDraw;
use crate::config::source::Source;
use crate::engine::{Effect, Engine, TaskInput, TaskResult, stream};
use crate::host::hash::sha256;
use crate::plan::Plan;
use crate::task::{Attempt, Event, Fact, FileRef, Outcome, Record, StoppedBy, TaskId, Usage};

/// Evaluations of a search, in their order.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Trace {
    /// Cost of each molecule; none of one that failed or does not meet the constraints.
    pub costs: Vec<Option<f64>>,
    /// The best molecule, canonical SMILES; none if there is no value.
    pub best: Option<String>,
    pub stopped_by: StoppedBy,
}

/// All molecules of a source in a file, which generators of pools read.
pub(super) struct PoolFile {
    /// Their canonical SMILES.
    pub molecules: Vec<String>,
    file: FileRef,
    path: PathBuf,
}

impl PoolFile {
    /// Writes the molecules to a file in `dir`.
    pub fn write(dir: &Path, name: &str, molecules: Vec<String>) -> io::Result<Self> {
        let text = molecules.join("\n") + "\n";
        let path = dir.join(name);
        fs::write(&path, &text)?;
        let file = FileRef {
            sha256: sha256(&text),
            bytes: text.len() as u64,
        };
        Ok(Self {
            molecules,
            file,
            path,
        })
    }
}

/// Number of molecules that are drawn from the source.
pub(super) fn initial(plan: &Plan) -> usize {
    plan.draws().filter_map(|(_, count)| count).sum()
}

/// Runs a plan with its seed to its end, in the folder `dir`. The loops wait for each other, so
/// that no duration matters.
///
/// # Errors
///
/// A file cannot be written, or a task does not end.
pub(super) fn search(
    plan: &Plan,
    source: &Source,
    pool: Option<&PoolFile>,
    body: &TaskBody,
    dir: &Path,
) -> Result<Trace, CompareError> {
    let mut plan = plan.clone();
    plan.schedule = Schedule::Batch;
    let began = began(&plan, source, pool)?;
    fs::create_dir_all(dir)?;
    let files = pool.map(|pool| (pool.file.sha256.clone(), pool.path.clone()));
    let mut search = Search {
        engine: Engine::new(plan),
        body,
        dir,
        files: files.into_iter().collect(),
        pool: pool.map(|pool| &pool.file),
        due: VecDeque::new(),
        costs: Vec::new(),
    };
    let trace = search.run(began);
    fs::remove_dir_all(dir)?;
    trace
}

/// The beginning of a run: the molecules that its stages take from the source.
fn began(plan: &Plan, source: &Source, pool: Option<&PoolFile>) -> Result<Fact, CompareError> {
    let none = BTreeSet::new();
    let drawn = source.draw_for(stream(plan.seed, "draw", 0), plan.draws(), &none, &none);
    let StageDraw { found, asked, .. } = drawn;
    if found < asked {
        return Err(CompareError::TooFewMolecules { found, asked });
    }
    Ok(Fact::Began {
        molecules: drawn.stages,
        reserve: drawn.reserve,
        pool: pool.map(|pool| pool.file.clone()),
        atom_retries: 0,
    })
}

struct Search<'s> {
    engine: Engine,
    body: &'s TaskBody<'s>,
    dir: &'s Path,
    /// Files that tasks left, by their SHA-256.
    files: HashMap<String, PathBuf>,
    /// A file that other searches share.
    pool: Option<&'s FileRef>,
    /// Attempts that are submitted.
    due: VecDeque<(TaskId, Attempt)>,
    costs: Vec<Option<f64>>,
}

impl Search<'_> {
    fn run(&mut self, began: Fact) -> Result<Trace, CompareError> {
        self.take(began)?;
        let stopped_by = loop {
            if let Some(stopped_by) = self.engine.stopped_by() {
                break stopped_by;
            }
            let Some((task, attempt)) = self.due.pop_front() else {
                return Err(CompareError::Stuck);
            };
            // One that was cancelled is awaited no more.
            if self.engine.awaits(task, attempt) {
                let outcome = self.outcome(task, attempt)?;
                self.take(Fact::Ended {
                    task,
                    attempt,
                    usage: Usage::default(),
                    outcome,
                })?;
            }
        };
        Ok(Trace {
            costs: std::mem::take(&mut self.costs),
            best: self.engine.incumbent().map(|best| best.smiles.clone()),
            stopped_by,
        })
    }

    /// Passes a fact to the engine, and keeps the values and the submissions that follow.
    fn take(&mut self, fact: Fact) -> Result<(), CompareError> {
        let has_files =
            matches!(&fact, Fact::Ended { outcome, .. } if !outcome.new_files().is_empty());
        let step = self.engine.handle(&Event { at: 0, fact })?;
        let direction = self.engine.plan().objectives[0].direction;
        for record in step.records {
            match record {
                Record::Evaluated {
                    objective: Some(value),
                    feasible,
                    ..
                } => {
                    let cost = Some(direction.cost(value));
                    self.costs.push(cost.filter(|_| feasible != Some(false)));
                }
                Record::EvaluationFailed { .. } => self.costs.push(None),
                _ => {}
            }
        }
        for effect in step.effects {
            match effect {
                Effect::Submit { task, attempt } | Effect::SubmitLater { task, attempt, .. } => {
                    self.due.push_back((task, attempt));
                }
                Effect::Cancel { .. } | Effect::End => {}
            }
        }
        match has_files {
            true => Ok(self.keep_only_live_files()?),
            false => Ok(()),
        }
    }

    /// Does a task; the files that it leaves are kept.
    fn outcome(&mut self, task: TaskId, attempt: Attempt) -> Result<Outcome, CompareError> {
        let (input, files) = self.engine.input(task).ok_or(CompareError::Stuck)?;
        if let Some(TaskResult { outcome, .. }) = input.looked_up() {
            return Ok(outcome);
        }
        let folder = self.dir.join(format!("{task}-{attempt}"));
        fs::create_dir(&folder)?;
        for (file, name) in files {
            let path = self.files.get(&file.sha256).ok_or(CompareError::Stuck)?;
            fs::hard_link(path, folder.join(name))?;
        }
        let outcome = (self.body)(input.in_folder(&folder), &folder).outcome;
        for (name, file) in outcome.new_files() {
            let kept = self.dir.join(&file.sha256);
            fs::rename(folder.join(name), &kept)?;
            self.files.insert(file.sha256.clone(), kept);
        }
        fs::remove_dir_all(&folder)?;
        if let Outcome::Failed(failure) = &outcome
            && !matches!(self.engine.input(task), Some((TaskInput::Simulate(_), _)))
        {
            return Err(CompareError::Task {
                message: failure.message.clone(),
            });
        }
        Ok(outcome)
    }

    fn keep_only_live_files(&mut self) -> io::Result<()> {
        let live = self.engine.live_files();
        let live: BTreeSet<&String> = live.iter().chain(self.pool).map(|f| &f.sha256).collect();
        let (kept, obsolete) = std::mem::take(&mut self.files)
            .into_iter()
            .partition(|(sha256, _)| live.contains(sha256));
        self.files = kept;
        let obsolete: HashMap<String, PathBuf> = obsolete;
        obsolete.values().try_for_each(fs::remove_file)
    }
}
