//! Molecules: parsing, identity, edits, geometries. The only layer that uses the cheminformatics
//! crate.

mod bonds;
pub mod edit;
mod error;
pub mod geometry;
mod graph;
mod identity;
mod molecule;
mod parent;
pub mod qm9;
pub mod units;

pub use bonds::rearrangement;
pub use error::ChemError;
pub use geometry::{Conformers, Embedding, Geometry, embed};
pub use identity::Stereo;
pub use molecule::{BondKind, HeavyAtom, Molecule, atomic_mass, atomic_number};
pub use parent::{Mixture, mixture};
