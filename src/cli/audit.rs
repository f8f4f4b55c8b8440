//! `moldflow check RUN_DIR`: whether all that a run keeps is as it was written, and `--repair`.

use std::path::Path;

use super::failure::Failure;
use super::{Exit, print, run_dir, settings};
use crate::config::campaign::Loaded;
use crate::driver::Files;
use crate::engine::{Config, Engine};
use crate::plan::Plan;
use crate::store::{self, Commit, Store};
use crate::task::{self, Event, Fact, FailureKind, FileRef, Outcome, Record, Usage};

pub(super) fn run(dir: &Path, repair: bool) -> Result<Exit, Failure> {
    run_dir::keep_private();
    let dir = run_dir::existing(dir)?;
    let _lock = run_dir::lock(&dir)?;
    let (loaded, plan) = super::wait(run_dir::load(&dir))?;
    super::wait(async {
        match repair {
            true => mend(&dir, &loaded, &plan).await,
            false => check(&dir, &loaded, &plan).await,
        }
    })
}

/// Facts up to which a run is verified whenever it goes on: that takes a second or so, and it grows with them.
const VERIFIED: i64 = 20_000;

async fn check(dir: &Path, loaded: &Loaded, plan: &Plan) -> Result<Exit, Failure> {
    let facts = verify(dir, loaded, plan).await?;
    let mut store = Store::open_to_read(dir).await?;
    let mut text = format!(
        "{} is whole: {facts} facts, and all that follows from them\n",
        dir.display()
    );
    for change in settings::changed(dir, &mut store).await? {
        text += &format!("changed since the run was begun: {change}\n");
    }
    print(&text)?;
    Ok(Exit::Finished)
}

/// Refuses a run that is damaged, before it goes on; one that is large is left to `moldflow check`.
pub(super) async fn verify_if_small(
    dir: &Path,
    loaded: &Loaded,
    plan: &Plan,
) -> Result<(), Failure> {
    if dir.join(store::FILE).exists() {
        let mut store = Store::open(dir).await?;
        let facts = store.facts().await?;
        store.close().await?;
        if facts <= VERIFIED {
            verify(dir, loaded, plan).await?;
        }
    }
    Ok(())
}

/// The number of facts of a run that is whole.
async fn verify(dir: &Path, loaded: &Loaded, plan: &Plan) -> Result<i64, Failure> {
    let mut store = Store::open(dir).await?;
    let mut replayed = Replayed::new(&mut store, loaded, plan).await?;
    store.close().await?;
    let (facts, mut faults) = store::audit(dir, |seq, event| replayed.records(seq, event)).await?;
    faults.append(&mut replayed.illegal);
    for file in replayed.damaged_files(dir)? {
        faults.push(format!("state/{} is missing or damaged", file.sha256));
    }
    if faults.is_empty() {
        return Ok(facts);
    }
    let message = format!("{} is damaged:\n  {}", dir.display(), faults.join("\n  "));
    let hint = format!(
        "`moldflow check --repair {}` makes it anew from its journal",
        dir.display()
    );
    Err(Failure::with_hint(message, hint))
}

async fn mend(dir: &Path, loaded: &Loaded, plan: &Plan) -> Result<Exit, Failure> {
    // Damaged ones are those of the run directory from now on.
    let settings = match Store::open_to_read(dir).await {
        Ok(mut store) => store.settings().await.unwrap_or_default(),
        Err(_) => Vec::new(),
    };
    let mut config = Config::new(&loaded.campaign, plan);
    if let Some(stop) = settings.first().and_then(settings::stop) {
        config.stop = stop;
    }
    let mut replayed = Replayed::with(config);
    let repaired = store::repair(dir, &settings, |seq, event| replayed.records(seq, event)).await?;
    let mut text = format!(
        "{}: made anew from {} facts\n",
        dir.display(),
        repaired.facts
    );
    if repaired.lost > 0 {
        text += &format!(
            "lost: at least {} facts after them; what they told is computed again\n",
            repaired.lost
        );
    }
    if repaired.results_lost > 0 {
        text += &format!(
            "lost: geometry and provenance of {} results\n",
            repaired.results_lost
        );
    }
    let damaged = replayed.damaged_files(dir)?;
    for file in &damaged {
        let path = dir.join("state").join(&file.sha256);
        let _ = std::fs::rename(&path, repaired.kept.join(&file.sha256));
    }
    let lost = replayed.without(&damaged, repaired.facts);
    if !lost.is_empty() {
        let mut store = Store::open(dir).await?;
        store
            .commit(&Commit {
                facts: lost,
                ..Commit::default()
            })
            .await?;
        store.close().await?;
        text += "lost: files of the model or the agent; the next batch begins without them\n";
    }
    replayed.set_aside_unknown_tasks(dir, &repaired.kept);
    text += &format!("the damaged files are in {}\n", repaired.kept.display());
    print(&text)?;
    Ok(Exit::Finished)
}

/// The engine that the journal gives.
struct Replayed {
    engine: Engine,
    illegal: Vec<String>,
}

impl Replayed {
    /// As the run was begun.
    async fn new(store: &mut Store, loaded: &Loaded, plan: &Plan) -> Result<Self, Failure> {
        let mut config = Config::new(&loaded.campaign, plan);
        if let Some(stop) = store.settings().await?.first().and_then(settings::stop) {
            config.stop = stop;
        }
        Ok(Self::with(config))
    }

    fn with(config: Config) -> Self {
        Self {
            engine: Engine::new(config),
            illegal: Vec::new(),
        }
    }

    fn records(&mut self, seq: i64, event: &Event) -> Vec<Record> {
        match self.engine.handle(event) {
            Ok(step) => step.records,
            Err(illegal) => {
                self.illegal
                    .push(format!("fact {seq} cannot have happened: {illegal}"));
                Vec::new()
            }
        }
    }

    /// What follows from the loss of these files: what was saved is forgotten, and tasks that would read them fail.
    fn without(&mut self, lost: &[FileRef], facts: i64) -> Vec<(Event, Vec<Record>)> {
        if lost.is_empty() {
            return Vec::new();
        }
        let at = crate::exec::now();
        let mut seq = facts;
        let mut take = |engine: &mut Self, fact| {
            let event = Event { at, fact };
            seq += 1;
            let records = engine.records(seq, &event);
            (event, records)
        };
        let mut all = vec![take(self, Fact::StateLost)];
        for (task, attempt) in self.engine.outstanding() {
            let files = self.engine.input(task).map(|(_, files)| files);
            if files.iter().flatten().any(|(file, _)| lost.contains(file)) {
                let failure = task::Failure {
                    kind: FailureKind::Unreadable,
                    message: "a file that it would read is lost".into(),
                };
                let fact = Fact::Ended {
                    task,
                    attempt,
                    usage: Usage::default(),
                    outcome: Outcome::Failed(failure),
                };
                all.push(take(self, fact));
            }
        }
        all
    }

    fn damaged_files(&self, dir: &Path) -> Result<Vec<FileRef>, Failure> {
        let files = Files::open(dir).map_err(|e| Failure::of(&e))?;
        let live = self.engine.live_files();
        let damaged = files.damaged(&live).map_err(|e| Failure::of(&e))?;
        Ok(damaged.into_iter().cloned().collect())
    }

    /// Attempts that the journal does not know: later ones will have their numbers, and must not find their results.
    fn set_aside_unknown_tasks(&self, dir: &Path, kept: &Path) {
        let tasks = std::fs::read_dir(dir.join("tasks"))
            .into_iter()
            .flatten()
            .flatten();
        for task in tasks {
            let number = task
                .file_name()
                .to_str()
                .and_then(|name| name.parse::<u64>().ok());
            if number.is_some_and(|number| number > self.engine.last_task()) {
                let _ = std::fs::create_dir_all(kept.join("tasks"));
                let _ = std::fs::rename(task.path(), kept.join("tasks").join(task.file_name()));
            }
        }
    }
}
