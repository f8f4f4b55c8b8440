//! Molecules, held against RDKit.

mod bonds;
mod edit;
mod geometry;
mod identity;
mod molecule;
mod smarts;
