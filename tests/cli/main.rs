//! The commands: what they print and how they end.

#[path = "../support/mod.rs"]
mod support;

mod bad_campaigns;
mod commands;
mod compare;
mod init;
mod pages;
mod shell;
mod simulate;
mod sites;
mod submit;
