//! The report of a run.

#[path = "../support/mod.rs"]
mod support;

mod browser;
mod chart;
mod compare;
mod costs;
mod html;
mod page;
