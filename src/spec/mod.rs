//! Campaigns and site profiles: YAML to types whose every field is right, or every fault with its line and a way out.

mod batch;
pub mod campaign;
mod check;
pub mod duration;
pub mod fault;
pub mod import;
mod keywords;
mod load;
mod memory;
mod overrides;
mod params;
pub mod partitions;
mod paths;
pub mod profiles;
pub mod retries;
pub mod schema;
pub mod scratch;
pub mod site;
pub mod source;
pub mod space;
mod table;
pub mod template;
mod tree;
mod walk;

pub use fault::{Fault, Faults};
