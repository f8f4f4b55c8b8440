//! Whether a program treated the electrons that a molecule has.

use super::SimError;
use crate::chem::atomic_number;

/// Refuses a calculation of a neutral molecule of these elements that treated other electrons than it has beyond the
/// `replaced` ones, those of cores that potentials stand for.
pub(super) fn compare<'s>(
    engine: &str,
    symbols: impl Iterator<Item = &'s str>,
    replaced: u32,
    reported: u32,
) -> Result<(), SimError> {
    let protons: u32 = symbols.filter_map(atomic_number).map(u32::from).sum();
    let expected = protons - replaced.min(protons);
    if reported == expected {
        return Ok(());
    }
    let cores = match replaced {
        0 => String::new(),
        replaced => format!(" beyond the {replaced} that core potentials replace"),
    };
    Err(SimError::Unsupported(format!(
        "{engine} treated {reported} electrons, but the molecule has {expected}{cores}: its energy is not that of the molecule"
    )))
}
