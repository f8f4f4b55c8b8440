//! The application: what the commands do, without arguments and without printing.

pub mod allocation;
pub mod audit;
pub mod cache;
pub mod chain;
pub mod executors;
pub mod failure;
pub mod host;
pub mod report_page;
pub mod requirements;
pub mod run_dir;
pub mod session;
pub mod settings;
pub mod start;
pub mod task;
pub mod ways;

use std::path::PathBuf;

use failure::Failure;

/// Path of this program.
pub fn own_executable() -> Result<PathBuf, Failure> {
    std::env::current_exe().map_err(|e| Failure::io("could not find this program's own file", &e))
}
