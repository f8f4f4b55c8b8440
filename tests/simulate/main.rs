//! Simulation engines, held against independent programs.

#[path = "../support/mod.rs"]
mod support;

mod command;
mod conformers;
mod engines;
mod gfn2;
mod nwchem;
mod nwchem_checks;
mod nwchem_states;
mod qcengine;
mod table;
mod xtb;
mod xtb_states;
