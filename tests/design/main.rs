//! The tasks of the generator loop.

mod groups;
mod settings;
mod tasks;
