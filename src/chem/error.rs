//! Errors of molecules.

/// Error of reading a molecule, or of generating its structure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChemError {
    /// Not SMILES.
    #[error("`{smiles}` is not a molecule: {reason}")]
    Unreadable { smiles: String, reason: String },
    /// Valid syntax, but no molecule: a valence that its element does not have, or rings without a
    /// Kekulé structure.
    #[error("`{smiles}` is not a molecule: {reason}")]
    Impossible { smiles: String, reason: String },
    /// SMILES that is longer than the program reads.
    #[error("`{smiles}` is longer than {longest} letters")]
    TooLong { smiles: String, longest: usize },
    /// Several molecules in one SMILES.
    #[error("`{smiles}` is {count} molecules; write one a line")]
    SeveralFragments { smiles: String, count: usize },
    /// A place holder for any atom: `*`.
    #[error("`{smiles}` has a wildcard atom, which moldflow does not treat")]
    Wildcard { smiles: String },
    /// Readable, but outside of what is modelled here: dative bonds.
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
