//! Descriptors: properties of a molecule that follow from its atoms alone.

use std::collections::BTreeMap;

use super::dimension::Dimension;
use crate::chem::atomic_mass;

/// Number of atoms of each element, hydrogen included.
pub type Composition = BTreeMap<String, u32>;

/// A property of the molecule itself, for which nothing is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Descriptor {
    /// Number of atoms, hydrogen included.
    Atoms,
    /// Number of atoms other than hydrogen.
    HeavyAtoms,
    /// Molar mass, g/mol.
    MolarMass,
}

impl Descriptor {
    /// All descriptors.
    pub const ALL: [Self; 3] = [Self::Atoms, Self::HeavyAtoms, Self::MolarMass];

    /// Name in expressions.
    pub fn name(self) -> &'static str {
        match self {
            Self::Atoms => "atoms",
            Self::HeavyAtoms => "heavy_atoms",
            Self::MolarMass => "molar_mass",
        }
    }

    /// The descriptor of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|descriptor| descriptor.name() == name)
    }

    /// Its dimension.
    pub fn dimension(self) -> Dimension {
        match self {
            Self::Atoms | Self::HeavyAtoms => Dimension::NONE,
            Self::MolarMass => Dimension::MASS,
        }
    }

    /// Its value in atomic units; none if the mass of an element is not known.
    pub fn value(self, composition: &Composition) -> Option<f64> {
        let counted = |counts: &mut dyn Iterator<Item = u32>| f64::from(counts.sum::<u32>());
        match self {
            Self::Atoms => Some(counted(&mut composition.values().copied())),
            Self::HeavyAtoms => {
                let heavy = composition.iter().filter(|(symbol, _)| *symbol != "H");
                Some(counted(&mut heavy.map(|(_, count)| *count)))
            }
            Self::MolarMass => {
                let mass = |(symbol, count): (&String, &u32)| {
                    Some(atomic_mass(symbol)? * f64::from(*count))
                };
                composition.iter().map(mass).sum()
            }
        }
    }
}
