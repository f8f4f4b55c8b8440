//! Pages of `docs` that are generated or whose examples run.

#[path = "../support/mod.rs"]
mod support;

mod book;
mod database;
mod extending;
mod gallery;
mod python;
mod settings;
