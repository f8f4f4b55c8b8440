//! How the tasks of a campaign are started on its site: their environment, launcher and batch scripts.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::failure::{Failure, causes};
use crate::exec::batch::Script;
use crate::exec::launcher::{self, Shape};
use crate::plan::{Plan, Planned};
use crate::simulate;
use crate::spec::campaign::Loaded;
use crate::spec::site::{Memory, Partition, Site};

/// What stands for the directory of an attempt and its token, which only a run knows.
const DIRECTORY: &str = "RUN_DIR/tasks/ID/ATTEMPT";
const TOKEN: &str = "TOKEN";

/// Variables of every task of a partition.
pub fn environment(partition: &Partition) -> Vec<(String, String)> {
    let cores = partition.cores_per_task.to_string();
    let threads =
        ["OMP_NUM_THREADS", "RAYON_NUM_THREADS"].map(|name| (name.to_owned(), cores.clone()));
    let given = partition.environment.clone();
    // A later one of the same name counts.
    let all: BTreeMap<String, String> = threads.into_iter().chain(given).collect();
    all.into_iter().collect()
}
