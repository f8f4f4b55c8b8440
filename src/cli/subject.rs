//! Molecules that a word on the command line stands for.

use crate::app::error::CommandError;
use crate::chem::Molecule;
use crate::config::campaign::LoadedCampaign;
use crate::store::Store;

/// Canonical SMILES of the molecules that a word stands for in a run: those of this name, and the one
/// whose SMILES it is. Some names are SMILES of other molecules.
///
/// # Errors
///
/// The database cannot be read.
pub(super) async fn molecules_of(
    word: &str,
    loaded: &LoadedCampaign,
    store: &mut Store,
) -> Result<Vec<String>, CommandError> {
    let mut molecules = store.molecules_named(word).await?;
    let stereo = loaded.campaign.search_space.stereo();
    let of_smiles = Molecule::parse(word).map(|molecule| molecule.identity(stereo));
    molecules.extend(of_smiles.ok().filter(|smiles| !molecules.contains(smiles)));
    Ok(molecules)
}
