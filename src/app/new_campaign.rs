//! A new campaign file: written from a template, and only if it passes its check.

use std::fs;
use std::io;
use std::path::Path;

use handlebars::Handlebars;
use serde::Serialize;

use super::error::CommandError;
use super::host::host_environment;
use crate::config::campaign::Overrides;
use crate::plan;

const TEMPLATE: &str = include_str!("../../templates/campaign.yml.hbs");

/// Data of the template `campaign.yml.hbs`.
#[derive(Serialize)]
pub struct NewCampaign {
    /// Name of the campaign.
    pub name: String,
    /// The file that it is written to, as the user names it.
    pub file: String,
    /// What it looks for, a sentence without its full stop.
    pub aim: String,
    /// Site profile.
    pub site: String,
    /// True for the profile of this computer.
    pub site_is_local: bool,
    /// True if it proposes new molecules, false if it computes those of its source.
    pub search: bool,
    /// Number of molecules that a search begins with.
    pub initial: usize,
    /// The property of the campaign; None for the atomization energy, which needs none.
    pub property: Option<NewProperty>,
    /// The property that stages compute.
    pub computed: String,
    /// `qm9`, or a file relative to that of the campaign.
    pub source: String,
    /// True if the source is a file.
    pub is_file: bool,
    /// Symbols of elements, separated by commas.
    pub elements: String,
    /// Largest molecule, counted without hydrogen.
    pub max_heavy_atoms: usize,
    /// Sizes of rings, separated by commas.
    pub ring_sizes: String,
    /// Patterns that a search for a property forbids, SMARTS in quotation marks.
    pub forbid: Vec<String>,
    /// Simulation engine.
    pub engine: String,
    /// Comment on the engine.
    pub engine_note: String,
    /// True for NWChem, which needs settings.
    pub is_nwchem: bool,
    /// Timeout of a simulation.
    pub timeout: String,
}

/// A property of the template, and its direction.
#[derive(Serialize)]
pub struct NewProperty {
    /// Name in the campaign.
    pub name: &'static str,
    /// Expression over the quantities of the method `compute`.
    pub expression: &'static str,
    /// Unit of its values.
    pub unit: &'static str,
    /// Name in tables.
    pub label: &'static str,
    /// `minimize` or `maximize`.
    pub direction: &'static str,
}

impl NewCampaign {
    /// Writes the campaign to `path`. A campaign that does not pass its check is not written.
    ///
    /// # Errors
    ///
    /// Fails if there is a file already, if the campaign is wrong, or if it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), CommandError> {
        let failed =
            |e: io::Error| CommandError::io(&format!("could not write `{}`", path.display()), &e);
        if path.exists() {
            let message = format!("`{}` exists already", path.display());
            return Err(CommandError::with_hint(
                message,
                "name another file, or delete it",
            ));
        }
        // Beside its place, from where it reads the same files.
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let draft = path.with_file_name(format!(".{name}.new"));
        fs::write(&draft, self.text()?).map_err(failed)?;
        let checked = plan::load(&draft, &Overrides::default(), &host_environment());
        // Unlike a rename this replaces no file that came in between.
        let written = match checked {
            Ok(_) => fs::hard_link(&draft, path).map_err(failed),
            Err(faults) => Err(faults.into()),
        };
        let _ = fs::remove_file(&draft);
        written
    }

    fn text(&self) -> Result<String, CommandError> {
        let mut handlebars = Handlebars::new();
        handlebars.set_strict_mode(true);
        handlebars.register_escape_fn(handlebars::no_escape);
        let text = handlebars.render_template(TEMPLATE, self);
        text.map_err(|error| CommandError::new(format!("the template is broken: {error}")))
    }
}
