//! The tasks of the generator loop.

mod generators;
mod groups;
mod settings;
mod tasks;
