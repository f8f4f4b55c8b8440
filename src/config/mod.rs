//! Campaigns and site profiles: YAML to validated types, or every error with its line and a hint.

mod batch;
pub mod campaign;
mod check;
pub mod diagnostic;
pub mod duration;
mod executor;
pub mod import;
mod keywords;
mod load;
mod memory;
mod overrides;
mod params;
pub(crate) mod partitions;
mod paths;
pub mod profiles;
mod resources;
pub(crate) mod retries;
pub mod schema;
mod scratch;
pub mod site;
pub mod source;
mod space;
mod table;
mod text_form;
mod tree;
mod validation;
mod yaml11;
