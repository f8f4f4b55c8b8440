//! Errors of molecules and their geometries.

/// Error of parsing a molecule or generating its geometry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChemError {
    /// Text that is not SMILES.
    #[error("`{smiles}` is not a molecule: {reason}")]
    Unreadable {
        /// The text.
        smiles: String,
        /// Message of the parser.
        reason: String,
    },
    /// Valid syntax, but no molecule: an impossible valence, or rings without a Kekulé structure.
    #[error("`{smiles}` is not a molecule: {reason}")]
    Impossible {
        /// The molecule as given.
        smiles: String,
        /// Message of the toolkit.
        reason: String,
    },
    /// SMILES beyond the length limit.
    #[error("`{smiles}` is longer than {longest} letters")]
    TooLong {
        /// Beginning of the text.
        smiles: String,
        /// Length limit, in bytes.
        longest: usize,
    },
    /// Several molecules in one SMILES.
    #[error("`{smiles}` is {count} molecules; write one a line")]
    SeveralFragments {
        /// The molecules as given.
        smiles: String,
        /// Number of molecules.
        count: usize,
    },
    /// A placeholder for any atom: `*`.
    #[error("`{smiles}` has a wildcard atom, which moldflow does not treat")]
    Wildcard {
        /// The molecule as given.
        smiles: String,
    },
    /// A valid molecule with a feature that is not modelled here, such as a dative bond.
    #[error("`{smiles}` has {what}, which moldflow does not treat")]
    Unsupported {
        /// The molecule as given.
        smiles: String,
        /// The feature.
        what: String,
    },
    /// No embedding succeeded.
    #[error("no geometry for `{smiles}`: {reason}")]
    NoGeometry {
        /// Canonical SMILES.
        smiles: String,
        /// Failure of the last embedding.
        reason: String,
    },
    /// MMFF94 has no parameters for one of its atoms.
    #[error("MMFF94 has no parameters for `{smiles}`")]
    NoForceField {
        /// Canonical SMILES.
        smiles: String,
    },
    /// Text that is not SMARTS.
    #[error("`{text}` is not a SMARTS pattern: {reason}")]
    Pattern {
        /// The text.
        text: String,
        /// Message of the toolkit.
        reason: String,
    },
    /// A malformed XYZ file.
    #[error("XYZ line {line}: {reason}")]
    Xyz {
        /// Line number, counted from 1.
        line: usize,
        /// Problem of the line.
        reason: String,
    },
}
