//! Molecules: reading, naming, editing, embedding them. The only place that names the cheminformatics crate.

mod bonds;
pub mod edit;
mod error;
pub mod geometry;
mod graph;
mod molecule;
mod parent;
pub mod qm9;
pub mod units;

pub use bonds::rearrangement;
pub use error::ChemError;
pub use geometry::{Geometry, embed};
pub use molecule::{BondKind, HeavyAtom, Molecule, atomic_number};
pub use parent::{Mixture, mixture};
