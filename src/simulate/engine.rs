//! Engines by the names used in campaigns, each with its own settings.

use std::collections::BTreeMap;

use crate::property::Dimension;

use super::{
    CONFORMERS, CommandEngine, Gfn2, Nwchem, PythonEngine, Qcengine, Requirement, Simulator,
    TableEngine, Xtb,
};

engines! {
    /// An engine and its settings.
    pub enum QcEngine: dyn Simulator {
        /// GFN2-xTB energies at MMFF94 geometries, built in.
        Gfn2(#[serde(default)] Gfn2) = "gfn2//mmff94",
        /// GFN2-xTB energies and geometries, by the program xtb.
        Xtb(#[serde(default)] Xtb) = "xtb",
        /// Hartree-Fock and density functional theory, by the program NWChem.
        Nwchem(#[serde(default)] Nwchem) = "nwchem",
        /// Any program that QCEngine drives.
        Qcengine(Qcengine) = "qcengine",
        /// Any other program, which reads and writes JSON.
        Command(CommandEngine) = "command",
        /// A function of the user in Python.
        Python(PythonEngine) = "python",
        /// A table of known quantities: QM9, or a file of yours.
        Table(TableEngine) = "table",
    }
}

/// Programs of the engines that always use the same one, by the name of the engine.
pub(crate) fn programs() -> Vec<(&'static str, Requirement)> {
    let fixed = [
        (super::xtb::NAME, Xtb::default().requirement()),
        (super::nwchem::NAME, Nwchem::default().requirement()),
        (super::qcengine::NAME, Some(super::qcengine::requirement())),
        (super::python::NAME, Some(super::python::requirement())),
    ];
    let named = fixed.map(|(name, program)| program.map(|program| (name, program)));
    named.into_iter().flatten().collect()
}

impl Default for QcEngine {
    fn default() -> Self {
        Self::Gfn2 {
            settings: Gfn2::default(),
        }
    }
}

impl QcEngine {
    /// Fills in the number of conformers of a new campaign. In a stored campaign of version 0.1.0
    /// its absence means one.
    pub fn fill_in_defaults(&mut self) {
        if let Some(conformers) = self.implementation_mut().conformers_mut() {
            conformers.get_or_insert(CONFORMERS);
        }
    }

    /// The quantities that it returns for a molecule, by name.
    pub fn quantities(&self) -> BTreeMap<String, Dimension> {
        self.simulator().quantities()
    }

    /// Implementation of the engine.
    pub fn simulator(&self) -> &dyn Simulator {
        self.implementation()
    }
}
