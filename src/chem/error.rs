//! What can be wrong with a molecule.

/// Why a molecule could not be read, or not be given a structure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChemError {
    /// Not SMILES, or an impossible valence.
    #[error("`{smiles}` is not a molecule: {reason}")]
    Unreadable { smiles: String, reason: String },
    /// Several molecules in one SMILES.
    #[error("`{smiles}` is {count} molecules; write one a line")]
    SeveralFragments { smiles: String, count: usize },
    /// Readable, but outside of what is modelled here: wildcard atoms, dative bonds.
    #[error("`{smiles}` has {what}, which moldflow does not treat")]
    Unsupported { smiles: String, what: String },
    /// No 3D structure was found.
    #[error("no geometry for `{smiles}`: {reason}")]
    NoGeometry { smiles: String, reason: String },
    /// MMFF94 cannot relax the molecule.
    #[error("MMFF94 has no parameters for `{smiles}`")]
    NoForceField { smiles: String },
    /// A malformed XYZ file.
    #[error("XYZ line {line}: {reason}")]
    Xyz { line: usize, reason: String },
}
