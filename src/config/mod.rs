//! Campaigns and site profiles: YAML to validated types, or every error with its line and a way
//! out.

mod batch;
pub mod campaign;
mod check;
pub mod duration;
mod executor;
pub mod fault;
pub mod import;
mod keywords;
mod load;
mod memory;
mod overrides;
mod params;
pub mod partitions;
pub mod paths;
pub mod profiles;
mod resources;
pub mod retries;
pub mod schema;
pub mod scratch;
pub mod site;
pub mod source;
pub mod space;
mod table;
mod text_form;
mod tree;
mod walk;
mod yaml11;

pub use fault::{Fault, Faults};
