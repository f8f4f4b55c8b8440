//! Molecules: parsing, identity, edits, geometries. The only layer that uses the cheminformatics
//! toolkit, `cosmolkit`.

mod bonds;
mod canonical;
pub mod crossover;
mod depiction;
pub mod edit;
mod edit_name;
mod environments;
mod error;
mod geometry;
mod graph;
mod identity;
mod mol_block;
mod molecule;
mod neighbour;
mod parent;
mod paths;
mod plain;
pub mod qm9;
mod rings;
mod smarts;
mod structure;
pub(crate) mod units;

pub use bonds::rearrangement;
pub use edit_name::edit_name;
pub use error::ChemError;
pub use geometry::{Conformers, Embedding, Geometry, embed};
pub use identity::Stereo;
pub use mol_block::mol_block;
pub use molecule::{BondKind, HeavyAtom, Molecule, atomic_mass, atomic_number};
pub use neighbour::Neighbour;
pub(crate) use parent::Mixture;
pub use paths::HeavyBond;
pub use rings::ring_sizes;
pub use smarts::Smarts;
pub use structure::{SpaceViolation, StructureRules};
