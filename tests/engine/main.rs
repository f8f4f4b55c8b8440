//! The plan, and the engine that interprets it.

mod expressions;
mod forecast;
mod laws;
mod plan;
