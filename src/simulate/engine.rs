//! Engines by the names used in campaigns, each with its own settings.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::property::Dimension;

use super::{
    CONFORMERS, CommandEngine, Gfn2, Nwchem, PythonEngine, Qcengine, Requirement, Simulator, Xtb,
};

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

/// An engine and its settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "engine", rename_all = "snake_case")]
pub enum QcEngine {
    /// GFN2-xTB energies at MMFF94 geometries, built in.
    #[serde(rename = "gfn2//mmff94")]
    Gfn2 {
        /// Settings of the engine.
        #[serde(default)]
        settings: Gfn2,
    },
    /// GFN2-xTB energies and geometries, by the program xtb.
    Xtb {
        /// Settings of the engine.
        #[serde(default)]
        settings: Xtb,
    },
    /// Hartree-Fock and density functional theory, by the program NWChem.
    Nwchem {
        /// Settings of the engine.
        #[serde(default)]
        settings: Nwchem,
    },
    /// Any program that QCEngine drives.
    Qcengine {
        /// Settings of the engine.
        settings: Qcengine,
    },
    /// Any other program, which reads and writes JSON.
    Command {
        /// Settings of the engine.
        settings: CommandEngine,
    },
    /// A function of the user in Python.
    Python {
        /// Settings of the engine.
        settings: PythonEngine,
    },
}

impl Default for QcEngine {
    fn default() -> Self {
        Self::Gfn2 {
            settings: Gfn2::default(),
        }
    }
}

impl QcEngine {
    /// Name used in campaigns.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Gfn2 { .. } => super::gfn2::NAME,
            Self::Xtb { .. } => super::xtb::NAME,
            Self::Nwchem { .. } => super::nwchem::NAME,
            Self::Qcengine { .. } => super::qcengine::NAME,
            Self::Command { .. } => super::command::NAME,
            Self::Python { .. } => super::python::NAME,
        }
    }

    /// Fills in the number of conformers of a new campaign. In a stored campaign of version 0.1.0
    /// its absence means one.
    pub fn fill_in_defaults(&mut self) {
        let conformers = match self {
            Self::Gfn2 { settings } => &mut settings.conformers,
            Self::Xtb { settings } => &mut settings.conformers,
            Self::Nwchem { settings } => &mut settings.conformers,
            Self::Qcengine { settings } => &mut settings.conformers,
            Self::Command { settings } => &mut settings.conformers,
            Self::Python { settings } => &mut settings.conformers,
        };
        conformers.get_or_insert(CONFORMERS);
    }

    /// Rough time of one molecule of about nine heavy atoms, for forecasts of campaigns whose
    /// calculations nobody has timed.
    pub fn typical_time(&self) -> Duration {
        Duration::from_secs(match self {
            Self::Gfn2 { .. } | Self::Python { .. } => 1,
            Self::Xtb { .. } => 3,
            Self::Command { .. } => 60,
            Self::Nwchem { .. } | Self::Qcengine { .. } => 300,
        })
    }

    /// The quantities that it returns for a molecule, by name.
    pub fn quantities(&self) -> BTreeMap<String, Dimension> {
        self.simulator().quantities()
    }

    /// Implementation of the engine.
    pub fn simulator(&self) -> &dyn Simulator {
        match self {
            Self::Gfn2 { settings } => settings,
            Self::Xtb { settings } => settings,
            Self::Nwchem { settings } => settings,
            Self::Qcengine { settings } => settings,
            Self::Command { settings } => settings,
            Self::Python { settings } => settings,
        }
    }
}
