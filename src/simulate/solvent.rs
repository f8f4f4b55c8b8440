//! Solvents of implicit solvation models.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Solvents for which xtb 6.5.1 has ALPB parameters with GFN2-xTB; continuum models need their
/// dielectric constants only.
///
/// S. Ehlert et al., J. Chem. Theory Comput. 17, 4250 (2021).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Solvent {
    Acetone,
    Acetonitrile,
    Aniline,
    Benzaldehyde,
    Benzene,
    Ch2cl2,
    Chcl3,
    Cs2,
    Dioxane,
    Dmf,
    Dmso,
    Ether,
    Ethylacetate,
    Hexane,
    Methanol,
    Nitromethane,
    Octanol,
    Phenol,
    Toluene,
    Thf,
    Water,
}

impl Solvent {
    /// Reason for which free atoms in it cannot be computed.
    pub(super) fn free_atoms_unknown(self) -> String {
        format!("free atoms in {} are not known", self.name())
    }

    /// Name that xtb and campaigns use.
    pub(super) fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }

    /// Dielectric constant at 298 K.
    ///
    /// Minnesota Solvent Descriptor Database (P. Winget et al., University of Minnesota, 2010);
    /// phenol, at 303 K: CRC Handbook of Chemistry and Physics.
    pub(super) fn dielectric_constant(self) -> f64 {
        match self {
            Self::Acetone => 20.493,
            Self::Acetonitrile => 35.688,
            Self::Aniline => 6.8882,
            Self::Benzaldehyde => 18.220,
            Self::Benzene => 2.2706,
            Self::Ch2cl2 => 8.93,
            Self::Chcl3 => 4.7113,
            Self::Cs2 => 2.6105,
            Self::Dioxane => 2.2099,
            Self::Dmf => 37.219,
            Self::Dmso => 46.826,
            Self::Ether => 4.2400,
            Self::Ethylacetate => 5.9867,
            Self::Hexane => 1.8819,
            Self::Methanol => 32.613,
            Self::Nitromethane => 36.562,
            Self::Octanol => 9.8629,
            Self::Phenol => 12.40,
            Self::Toluene => 2.3741,
            Self::Thf => 7.4257,
            Self::Water => 78.355,
        }
    }
}
