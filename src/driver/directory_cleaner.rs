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

/// Threads that remove. Removing a directory takes hardly any work but waits for the file system, a
/// millisecond and more.
const THREADS: usize = 4;
/// The folder in `tasks` that a directory is moved into first. Whoever removes from a folder keeps
/// others from making anything in it meanwhile: those who remove from `tasks` itself would hold up
/// the start of tasks.
const GONE: &str = ".gone";

/// Threads that remove directories.
pub struct DirectoryCleaner {
    /// `tasks` in the run directory.
    tasks: PathBuf,
    sender: Sender<PathBuf>,
    threads: Vec<JoinHandle<()>>,
}

impl DirectoryCleaner {
    pub fn start(tasks: PathBuf) -> Self {
        let _ = fs::create_dir_all(&tasks);
        let _ = spread(&tasks);
        let (sender, receiver) = channel();
        let receiver = Arc::new(Mutex::new(receiver));
        let threads = (0..THREADS).filter_map(|number| {
            let (tasks, receiver) = (tasks.clone(), receiver.clone());
            let work = move || {
                let gone = tasks.join(GONE).join(number.to_string());
                // What an engine left that was killed.
                let _ = fs::remove_dir_all(&gone);
                let _ = fs::create_dir_all(&gone);
                while let Some(dir) = next(&receiver) {
                    remove(&dir, &tasks, &gone);
                }
            };
            // With fewer, or none, more is left to be removed when the engine leaves.
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

    /// Has the directory or the scratch folder of an attempt removed; what cannot be removed stays.
    pub fn remove(&self, dir: PathBuf) {
        let _ = self.sender.send(dir);
    }

    /// Waits until all is done, and removes what is left of other attempts than `keep`: of those
    /// that were cancelled, and of those that an engine had no time for which was killed.
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

/// Has ext4 put each task into a part of the disk of its own. In one part together the search for
/// room for a new file passes all that were deleted there in the last seconds, which with thousands
/// of short tasks took most of the time.
fn spread(tasks: &Path) -> io::Result<()> {
    let folder = File::open(tasks)?;
    let flags = ioctl_getflags(&folder)?;
    Ok(ioctl_setflags(&folder, flags | IFlags::TOPDIR)?)
}

fn next(receiver: &Mutex<Receiver<PathBuf>>) -> Option<PathBuf> {
    let receiver = receiver.lock().unwrap_or_else(PoisonError::into_inner);
    receiver.recv().ok()
}

/// Removes a directory. If it is an attempt of `tasks`, it is moved to `gone` first, with its task
/// if that has no other.
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
