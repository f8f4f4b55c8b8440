//! A molecule for which a program's input is written: its geometry, charge and spin.

use super::electrons::ElectronicState;
use super::{ConformerSearch, MMFF94, RelaxedGeometry, Request, SimError, conformer};
use super::{ground_state_unpaired_electrons, require_same_bonds};
use crate::chem::{Geometry, Molecule, atomic_number};

/// Level of the initial geometries of molecules that MMFF94 cannot treat.
const ETKDG: &str = "ETKDG";

/// A molecule for which a program's input is written.
pub(super) struct PreparedMolecule {
    pub geometry: Geometry,
    /// Level of theory of the geometry; None for a free atom and for a geometry of another engine.
    pub level: Option<&'static str>,
    /// Total charge in elementary charges.
    pub charge: i32,
    pub unpaired_electrons: u32,
}

impl PreparedMolecule {
    /// Prepares a molecule in this state, or a free atom, which is neutral and in its ground state
    /// whatever the state is: free atoms are the zero of atomization energies.
    ///
    /// # Errors
    ///
    /// The molecule has no geometry, or cannot be in this state.
    pub fn new(
        request: &Request,
        search: ConformerSearch,
        state: ElectronicState,
    ) -> Result<Self, SimError> {
        let molecule = Molecule::parse(&request.smiles)?;
        if let Some(symbol) = molecule.free_atom() {
            return Ok(Self {
                unpaired_electrons: free_atom_spin(&molecule, symbol)?,
                geometry: atom_at_origin(symbol),
                level: None,
                charge: 0,
            });
        }
        // Checked before the embeddings, which take longer.
        let unpaired_electrons = state.unpaired_electrons(&molecule)?;
        let (geometry, level) = match &request.geometry {
            Some(RelaxedGeometry {
                xyz,
                level_of_theory,
            }) => {
                let given = require_elements(Geometry::from_xyz(xyz)?)?;
                require_same_bonds(&molecule, &given, level_of_theory)?;
                (given, None)
            }
            // Its bonds are compared after the calculation, which may relax it.
            None => {
                let conformers = search.run(&molecule, request.seed)?;
                let level = if conformers.relaxed { MMFF94 } else { ETKDG };
                let geometry = conformer::lowest_geometry(&molecule, conformers)?;
                (geometry, Some(level))
            }
        };
        Ok(Self {
            geometry,
            level,
            charge: state.total_charge(&molecule),
            unpaired_electrons,
        })
    }

    pub fn multiplicity(&self) -> u32 {
        self.unpaired_electrons + 1
    }
}

/// Refuses a geometry with a symbol that is not an element: programs write symbols, and they are
/// copied into the input of another program.
fn require_elements(geometry: Geometry) -> Result<Geometry, SimError> {
    let mut symbols = geometry.atoms.iter().map(|(symbol, _)| symbol);
    match symbols.find(|symbol| atomic_number(symbol).is_none()) {
        Some(symbol) => Err(SimError::Unreadable(format!(
            "`{}` in the geometry is no element",
            symbol.escape_default()
        ))),
        None => Ok(geometry),
    }
}

/// Number of unpaired electrons of a free atom, which must be neutral and of an element with a
/// known ground state.
pub(super) fn free_atom_spin(molecule: &Molecule, symbol: &str) -> Result<u32, SimError> {
    match ground_state_unpaired_electrons(symbol) {
        Some(unpaired) if molecule.charge() == 0 => Ok(unpaired),
        _ => Err(SimError::Unsupported(format!(
            "`{}` is not a neutral main-group atom",
            molecule.canonical_smiles()
        ))),
    }
}

/// Geometry of a single atom, at the origin.
pub(super) fn atom_at_origin(symbol: &str) -> Geometry {
    Geometry {
        atoms: vec![(symbol.to_owned(), [0.0; 3])],
    }
}
