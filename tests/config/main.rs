//! Campaigns, site profiles and tables, as they are read and refused.

mod import;
mod load;
mod options;
mod resources;
mod schema;
mod source;
