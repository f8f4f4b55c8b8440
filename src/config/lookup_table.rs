//! Tables of the engine `table`: files of the user with a column of SMILES and a column for each
//! quantity, read with the campaign.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::campaign::{Campaign, LoadedCampaign, MethodKind};
use super::diagnostic::{Diagnostic, Diagnostics, Place, Text};
use super::paths::{PathEscape, below};
use super::table::column_of_smiles;
use crate::chem::{Molecule, Stereo};
use crate::host::hash::sha256;
use crate::simulate::{QcEngine, TableEngine, TableRows};

impl Campaign {
    /// Iterates over the settings of each method that looks up in a file of the user, with the name
    /// of the method.
    pub fn table_files(&mut self) -> impl Iterator<Item = (&String, &mut TableEngine)> {
        let methods = self.methods.iter_mut();
        methods.filter_map(|(name, method)| match &mut method.kind {
            MethodKind::Simulate {
                engine: QcEngine::Table { settings },
                ..
            } if !settings.is_embedded() => Some((name, settings)),
            _ => None,
        })
    }
}

/// Makes the paths of tables absolute, reads the files and fills in their hashes.
pub(super) fn fill_in(
    campaign: &mut Campaign,
    loaded: &LoadedCampaign,
    base: &Path,
    diagnostics: &mut Diagnostics,
) {
    let stereo = campaign.search_space.stereo();
    for (name, settings) in campaign.table_files() {
        let place = loaded.place(&["methods", name, "settings", "table"]);
        let path = match below(base, settings.table.as_ref()) {
            Ok(path) => path,
            Err(outside) => {
                let fault = Diagnostic::new(outside.to_string()).at(place);
                diagnostics.push(fault.hint(PathEscape::HINT));
                continue;
            }
        };
        // Errors name the file as the campaign does.
        let written = base.join(&settings.table);
        settings.table = path.display().to_string();
        match read(&written, settings, stereo) {
            Ok((rows, hash)) => {
                let before = settings.sha256.replace(hash.clone());
                if before.is_some_and(|before| before != hash) {
                    let message = format!("`{}` is not the table that it was", written.display());
                    let hint = "restore the file, or remove `sha256` to use the new one";
                    diagnostics.push(Diagnostic::new(message).at(place).hint(hint));
                }
                settings.rows = Arc::new(rows);
            }
            Err(found) => diagnostics.extend(found),
        }
    }
}

/// Reads a file; returns its rows and its SHA-256.
fn read(
    path: &Path,
    settings: &TableEngine,
    stereo: Stereo,
) -> Result<(TableRows, String), Diagnostics> {
    let text = Text::read(path)?;
    let delimiter = match path.extension() {
        Some(extension) if extension.eq_ignore_ascii_case("tsv") => b'\t',
        _ => b',',
    };
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .trim(csv::Trim::All)
        .from_reader(text.text.as_bytes());
    let unreadable = |error: csv::Error| {
        let line = error.position().map_or(1, |position| position.line());
        let fault = Diagnostic::new(format!("this row cannot be read: {error}"));
        Diagnostics::from(fault.at(at(&text, line)).hint("correct or remove this row"))
    };
    let header = reader.headers().map_err(unreadable)?;
    let header: Vec<String> = header.iter().map(str::to_owned).collect();
    let columns = Columns::find(&header, settings, &text)?;
    let (mut rows, mut lines) = (BTreeMap::new(), BTreeMap::new());
    let mut diagnostics = Diagnostics::default();
    for record in reader.records() {
        let record = record.map_err(unreadable)?;
        let line = record.position().map_or(1, csv::Position::line);
        let row = columns
            .row(&record, settings, stereo)
            .and_then(|(smiles, row)| match lines.insert(smiles.clone(), line) {
                None => Ok((smiles, row)),
                Some(first) => Err((
                    format!("`{smiles}` is in line {first} already"),
                    "keep one row of each molecule; stereoisomers are one unless `stereo: keep`",
                )),
            });
        match row {
            Ok((smiles, row)) => drop(rows.insert(smiles, row)),
            Err((message, hint)) => {
                diagnostics.push(Diagnostic::new(message).at(at(&text, line)).hint(hint));
            }
        }
    }
    diagnostics.or((TableRows(rows), sha256(&text.text)))
}

/// Places of the columns that are read.
struct Columns {
    smiles: usize,
    /// By the name of the quantity.
    quantities: BTreeMap<String, usize>,
}

/// The identity of a molecule and its quantities in atomic units.
type Row = (String, BTreeMap<String, f64>);

impl Columns {
    fn find(
        header: &[String],
        settings: &TableEngine,
        text: &Arc<Text>,
    ) -> Result<Self, Diagnostics> {
        let missing = |name: &str| {
            let known: Vec<String> = header.iter().map(|name| format!("`{name}`")).collect();
            let fault = Diagnostic::new(format!("the table has no column `{name}`"));
            let hint = format!("its columns are {}", known.join(", "));
            Diagnostics::from(fault.at(at(text, 1)).hint(hint))
        };
        let smiles = column_of_smiles(header).ok_or_else(|| missing("smiles"))?;
        let mut quantities = BTreeMap::new();
        for name in settings.quantities.keys() {
            let place = header.iter().position(|column| column == name);
            quantities.insert(name.clone(), place.ok_or_else(|| missing(name))?);
        }
        Ok(Self { smiles, quantities })
    }

    /// Reads a row, without the quantities whose cells are empty; else a message and a hint.
    fn row(
        &self,
        record: &csv::StringRecord,
        settings: &TableEngine,
        stereo: Stereo,
    ) -> Result<Row, (String, &'static str)> {
        let cell = |place: usize| record.get(place).unwrap_or_default();
        let molecule = Molecule::parse(cell(self.smiles))
            .map_err(|error| (error.to_string(), "correct or remove this row"))?;
        let mut row = BTreeMap::new();
        for (name, place) in &self.quantities {
            let text = cell(*place);
            if text.is_empty() {
                continue;
            }
            let number: Option<f64> = text.parse().ok().filter(|n: &f64| n.is_finite());
            let number = number.ok_or_else(|| {
                let message = format!("`{text}` in the column `{name}` is not a number");
                (message, "write a number, or leave the cell empty")
            })?;
            row.insert(name.clone(), settings.quantities[name].to_atomic(number));
        }
        Ok((molecule.identity(stereo), row))
    }
}

fn at(text: &Arc<Text>, line: u64) -> Place {
    Place {
        text: Arc::clone(text),
        line: line as usize,
        column: 1,
        length: 1,
    }
}
