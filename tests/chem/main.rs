//! Molecules, held against RDKit.

mod bonds;
mod crossover;
mod depiction;
mod edit;
mod geometry;
mod identity;
mod molecule;
mod neighbours;
mod rings;
mod smarts;
