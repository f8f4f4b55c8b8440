//! The tasks of the generator loop.

mod gaussian_process;
mod generators;
mod groups;
mod settings;
mod tasks;
