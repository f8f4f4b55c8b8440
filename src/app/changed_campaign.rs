//! `campaign.yml` of a run whose values `resume --set` changes: it is replaced once the journal has the
//! change.

use std::path::Path;
use std::{fs, io};

use super::error::{CommandError, Topic};
use super::run_dir;
use crate::host::atomic::{self, Durability};

/// File of a campaign with values of `--set`, until the journal has the change.
const NEW_CAMPAIGN: &str = "campaign.yml.new";

/// Writes a changed campaign beside the present one, see [`settle_campaign`].
///
/// # Errors
///
/// Fails if the file cannot be written.
pub fn write_new_campaign(dir: &Path, text: &str) -> Result<(), CommandError> {
    let path = dir.join(NEW_CAMPAIGN);
    run_dir::write(dir, NEW_CAMPAIGN, text)
        .map_err(|e| CommandError::io(&format!("could not write `{}`", path.display()), &e))
}

/// Lets a changed campaign that was written beside the present one take its place if the database
/// has the change, and deletes it otherwise: an engine that is killed leaves the whole change or
/// nothing of it.
///
/// # Errors
///
/// Fails if a file or the database cannot be read or written.
pub async fn settle_campaign(dir: &Path) -> Result<(), CommandError> {
    let path = dir.join(NEW_CAMPAIGN);
    let failed = |e| CommandError::io(&format!("could not replace `{}`", path.display()), &e);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(failed(e)),
    };
    let settings = run_dir::open_to_read(dir).await?.settings().await?.pop();
    match settings.is_some_and(|settings| settings.campaign == text) {
        true => atomic::write(
            &dir.join(run_dir::CAMPAIGN),
            text.as_bytes(),
            Durability::Synced,
        ),
        false => Ok(()),
    }
    .and_then(|()| fs::remove_file(&path))
    .map_err(failed)
}

/// Refuses names of params: the campaign of a run has none.
///
/// # Errors
///
/// Fails if the key of one of the arguments is no path.
pub fn refuse_params(dir: &Path, set: &[String]) -> Result<(), CommandError> {
    let params = fs::read_to_string(dir.join(run_dir::PARAMS)).unwrap_or_default();
    let params: serde_json::Value = serde_json::from_str(&params).unwrap_or_default();
    for argument in set {
        let key = argument.split('=').next().unwrap_or_default().trim();
        if params.get(key).is_some() {
            let message = format!(
                "`{key}` is a param of the campaign file, and a run knows only the values that the \
                 params had"
            );
            let hint = "give the value by its path: `--set stop.evaluations=500`";
            return Err(CommandError::with_hint(message, hint).about(Topic::Settings));
        }
    }
    Ok(())
}
