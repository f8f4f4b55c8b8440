//! Application logic of the commands. It parses no arguments and prints nothing: notices go to
//! observers.

pub mod allocation;
pub mod audit;
pub mod cache;
pub mod changed_campaign;
pub mod cleaning;
pub mod core_hours;
pub mod doctor;
pub mod error;
pub mod executors;
pub mod functions;
pub mod host;
pub mod inheritance;
pub mod interpreters;
pub mod job_chain;
pub mod job_script;
pub mod method_commands;
pub mod new_campaign;
pub mod node_shares;
pub mod observer;
pub mod outcome;
pub mod recorded_results;
pub mod recorded_times;
pub mod remote_hosts;
pub mod report_page;
pub mod requirements;
pub mod run_difference;
pub mod run_dir;
pub mod run_store;
pub mod session;
pub mod settings_changes;
pub mod signals;
pub mod task;
