//! Removes the directories of attempts whose results are in the database, on a thread of its own.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread::JoinHandle;

use crate::task::{Attempt, TaskId};

/// The thread and what it is told.
pub struct Janitor {
    /// `tasks` in the run directory.
    tasks: PathBuf,
    sender: mpsc::Sender<PathBuf>,
    thread: JoinHandle<()>,
}

impl Janitor {
    pub fn start(tasks: PathBuf) -> Self {
        let (sender, receiver) = mpsc::channel::<PathBuf>();
        let below = tasks.clone();
        let thread = std::thread::spawn(move || {
            for dir in receiver {
                remove(&dir, &below);
            }
        });
        Self {
            tasks,
            sender,
            thread,
        }
    }

    /// Has the directory or the scratch folder of an attempt removed; what cannot be removed stays.
    pub fn remove(&self, dir: PathBuf) {
        let _ = self.sender.send(dir);
    }

    /// Waits until all is done, and removes what is left of other attempts than `keep`: of those that were cancelled, and
    /// of those that an engine had no time for which was killed.
    pub fn leave(self, keep: &BTreeSet<(TaskId, Attempt)>) {
        drop(self.sender);
        let _ = self.thread.join();
        for task in entries(&self.tasks) {
            for attempt in entries(&task) {
                let is_kept = number(&task)
                    .zip(number(&attempt))
                    .is_some_and(|(t, a)| keep.contains(&(TaskId(t), a as Attempt)));
                if !is_kept {
                    remove(&attempt, &self.tasks);
                }
            }
        }
    }
}

/// Removes a directory; if it is one of `tasks`, its parent as well once that is empty.
fn remove(dir: &Path, tasks: &Path) {
    let _ = fs::remove_dir_all(dir);
    if let Some(task) = dir.parent().filter(|_| dir.starts_with(tasks)) {
        let _ = fs::remove_dir(task);
    }
}

fn entries(dir: &Path) -> Vec<PathBuf> {
    fs::read_dir(dir)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect()
}

fn number(path: &Path) -> Option<u64> {
    path.file_name()?.to_str()?.parse().ok()
}
