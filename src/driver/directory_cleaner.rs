//! Removes the directories of attempts whose results are in the database, on threads of its own.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rustix::fs::{IFlags, ioctl_getflags, ioctl_setflags};

use crate::task::{Attempt, TaskId};

/// Number of threads: removing a directory takes a millisecond or more, mostly of waiting for the
/// file system.
const THREADS: usize = 4;
/// Folder in `tasks` that a directory is moved into first. Removing locks the parent folder:
/// removing from `tasks` itself would delay the start of tasks.
const GONE: &str = ".gone";

/// Threads that remove directories.
pub struct DirectoryCleaner {
    /// `tasks` in the run directory.
    tasks: PathBuf,
    sender: Sender<PathBuf>,
    threads: Vec<JoinHandle<()>>,
}

impl DirectoryCleaner {
    /// Starts the threads for `tasks`, which is created if it is missing.
    pub fn start(tasks: PathBuf) -> Self {
        let _ = fs::create_dir_all(&tasks);
        let _ = spread(&tasks);
        let (sender, receiver) = channel();
        let receiver = Arc::new(Mutex::new(receiver));
        let threads = (0..THREADS).filter_map(|number| {
            let (tasks, receiver) = (tasks.clone(), receiver.clone());
            let work = move || {
                let gone = tasks.join(GONE).join(number.to_string());
                // An engine that was killed may have left directories here.
                let _ = fs::remove_dir_all(&gone);
                let _ = fs::create_dir_all(&gone);
                while let Some(dir) = next(&receiver) {
                    remove(&dir, &tasks, &gone);
                }
            };
            // With fewer threads more is left to be removed when the engine leaves.
            let thread = std::thread::Builder::new().spawn(work);
            thread
                .inspect_err(|e| tracing::warn!("could not start a thread that removes: {e}"))
                .ok()
        });
        Self {
            threads: threads.collect(),
            tasks,
            sender,
        }
    }

    /// Queues the directory or scratch folder of an attempt for removal; one that cannot be removed
    /// stays.
    pub fn remove(&self, dir: PathBuf) {
        let _ = self.sender.send(dir);
    }

    /// Waits until all are removed, then removes the directories of all attempts but `keep`: those
    /// that were cancelled, and those that a killed engine had no time for.
    pub fn finish(self, keep: &BTreeSet<(TaskId, Attempt)>) {
        drop(self.sender);
        for thread in self.threads {
            let _ = thread.join();
        }
        let _ = fs::remove_dir_all(self.tasks.join(GONE));
        for task in entries(&self.tasks) {
            for attempt in entries(&task) {
                let is_kept = number(&task)
                    .zip(number(&attempt))
                    .is_some_and(|(t, a)| keep.contains(&(TaskId(t), a as Attempt)));
                if !is_kept {
                    let _ = fs::remove_dir_all(&attempt);
                    let _ = fs::remove_dir(&task);
                }
            }
        }
    }
}

/// Makes ext4 place each task in a block group of its own. In a shared group the search for a free
/// inode passes all that were deleted in the last seconds, which took most of the time with
/// thousands of short tasks.
fn spread(tasks: &Path) -> io::Result<()> {
    let folder = File::open(tasks)?;
    let flags = ioctl_getflags(&folder)?;
    Ok(ioctl_setflags(&folder, flags | IFlags::TOPDIR)?)
}

fn next(receiver: &Mutex<Receiver<PathBuf>>) -> Option<PathBuf> {
    let receiver = receiver.lock().unwrap_or_else(PoisonError::into_inner);
    receiver.recv().ok()
}

/// Removes a directory. An attempt in `tasks` is moved to `gone` first, with the folder of its task
/// if that holds no other attempt.
fn remove(dir: &Path, tasks: &Path, gone: &Path) {
    let Some(task) = dir.parent().filter(|task| task.parent() == Some(tasks)) else {
        let _ = fs::remove_dir_all(dir);
        return;
    };
    let whole = if entries(task).len() == 1 { task } else { dir };
    let moved = gone.join("dir");
    let _ = match fs::rename(whole, &moved) {
        Ok(()) => fs::remove_dir_all(moved),
        Err(_) => fs::remove_dir_all(dir),
    };
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
