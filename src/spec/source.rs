//! Where molecules are drawn from: QM9, or a file of SMILES.

use std::path::Path;

use super::campaign::Campaign;
use super::fault::Faults;

/// The name of the data set that comes with the program.
pub const QM9: &str = "qm9";
/// Elements that molecules can be built with.
pub const ELEMENTS: [&str; 9] = ["B", "C", "N", "O", "F", "P", "S", "Cl", "Br"];

/// Molecules of a campaign's source.
pub struct Source {}

/// Opens the source of a campaign; a path in it is relative to `base`.
pub fn open(_campaign: &Campaign, _base: &Path) -> Result<Source, Faults> {
    Ok(Source {})
}
