//! Whole runs of the program: killed, resumed, extended, out of disk. One at a time.

#[path = "../support/mod.rs"]
mod support;

mod archived;
mod binary;
mod budgets;
mod cache;
mod campaigns;
mod cleaned;
mod compared;
mod damaged;
mod disk_full;
mod explained;
mod exported;
mod extended;
mod faults;
mod files;
mod free_atoms;
mod from;
mod generators;
mod home;
mod host;
mod identity;
mod killed;
mod listed;
mod notified;
mod objectives;
mod policy;
mod private;
mod python;
mod resumed;
mod scratch;
mod shown;
mod tasks_fail;
mod two_steps;
mod watched;
