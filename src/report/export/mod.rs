//! Export of every candidate of a run, in one of several formats: a file of this folder each.
//!
//! An export streams: candidates are read a page at a time, whatever their number.

mod colmena;
mod columns;
mod csv;
mod extxyz;
mod jsonl;
mod parquet;
mod qcschema;
mod sdf;

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write};

use serde_json::Value;

use super::ReportError;
use crate::store::{CandidateRow, MoleculeResult, Store};
use columns::ExportTable;

/// Every format of an export. A new one is a file of this folder, and an entry here (with its
/// `mod`).
static FORMATS: [&ExportFormat; 7] = [
    &csv::FORMAT,
    &jsonl::FORMAT,
    &parquet::FORMAT,
    &sdf::FORMAT,
    &extxyz::FORMAT,
    &qcschema::FORMAT,
    &colmena::FORMAT,
];

/// The format of `simulation_records.jsonl`.
pub(super) static JSON_LINES: &ExportFormat = &jsonl::FORMAT;

/// Candidates that are read at a time.
const PAGE: u32 = 1000;

/// Destination of an export.
pub type Destination<'a> = dyn Write + Send + 'a;

/// Charge, in elementary charges, and multiplicity, 2S + 1, that a method gives a molecule, by its
/// name and the SMILES; None if they are not known.
pub type StateOf<'a> = dyn Fn(&str, &str) -> Option<(i32, u32)> + Sync + 'a;

/// Format of an export.
#[derive(Debug)]
pub struct ExportFormat {
    /// Name on the command line.
    pub name: &'static str,
    /// True for a format that no terminal shows.
    pub is_binary: bool,
    /// True for a format that has geometries or other results of single calculations.
    has_calculations: bool,
    /// True for a format that states charges and multiplicities.
    pub has_states: bool,
    writing: Writing,
}

impl ExportFormat {
    /// Names of all formats.
    pub fn names() -> impl Iterator<Item = &'static str> {
        FORMATS.iter().map(|format| format.name)
    }

    /// Returns the format with this name.
    pub fn of_name(name: &str) -> Option<&'static Self> {
        FORMATS.into_iter().find(|format| format.name == name)
    }
}

/// The way in which a format writes molecules.
#[derive(Debug)]
enum Writing {
    /// Each by itself.
    Alone(WriteAlone),
    /// With a beginning, an end, or something that is kept from one to the next.
    Whole(BeginWhole),
}

/// Writes a molecule; returns the reason if the format cannot hold it.
type WriteAlone =
    fn(&ExportTable, &ExportedMolecule, &mut Destination) -> io::Result<Option<LeftOut>>;

/// Writes what comes before the first molecule.
type BeginWhole = for<'a> fn(
    &'a ExportTable,
    &'a mut Destination<'a>,
) -> io::Result<Box<dyn MoleculeWriter + 'a>>;

impl Writing {
    fn begin<'a>(
        &self,
        table: &'a ExportTable,
        out: &'a mut Destination<'a>,
    ) -> io::Result<Box<dyn MoleculeWriter + 'a>> {
        match self {
            Self::Alone(write) => Ok(Box::new(AloneWriter {
                table,
                out,
                write: *write,
            })),
            Self::Whole(begin) => begin(table, out),
        }
    }
}

/// Writer of a format that writes each molecule by itself.
struct AloneWriter<'a> {
    table: &'a ExportTable,
    out: &'a mut Destination<'a>,
    write: WriteAlone,
}

impl MoleculeWriter for AloneWriter<'_> {
    fn write(&mut self, molecule: &ExportedMolecule) -> io::Result<Option<LeftOut>> {
        (self.write)(self.table, molecule, self.out)
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        self.out.flush()
    }
}

/// Writer of one format.
trait MoleculeWriter: Send {
    /// Writes a molecule; returns the reason if the format cannot hold it.
    fn write(&mut self, molecule: &ExportedMolecule) -> io::Result<Option<LeftOut>>;

    /// Writes what comes after the last molecule.
    fn finish(self: Box<Self>) -> io::Result<()>;
}

/// A molecule of an export.
struct ExportedMolecule<'a> {
    /// Value of each column of the table; times are in milliseconds since the Unix epoch.
    values: Vec<Value>,
    candidate: &'a CandidateRow,
    /// Calculations that succeeded, in the order of their tasks, of an evaluated molecule; empty for
    /// a format without calculations.
    calculations: Vec<MoleculeResult>,
    state: &'a StateOf<'a>,
}

impl ExportedMolecule<'_> {
    /// Geometry of the last calculation that has one, in the XYZ format, angstrom.
    fn xyz(&self) -> Option<&str> {
        let mut geometries = self.calculations.iter().map(|result| result.xyz.as_str());
        geometries.rfind(|xyz| !xyz.is_empty())
    }

    /// Its first name in the source; the SMILES if it has none.
    fn title(&self) -> &str {
        let CandidateRow { name, smiles, .. } = self.candidate;
        name.as_ref().unwrap_or(smiles)
    }
}

/// Reason for which a format cannot hold a molecule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeftOut {
    /// It has not been computed.
    NotComputed,
    /// No calculation of it has a geometry.
    NoGeometry,
    /// No calculation of it with a geometry has a total energy.
    NoEnergy,
    /// Charge and multiplicity are not known: the campaign has no such method any more.
    UnknownState,
    /// The atoms or bonds of the geometry are not plainly those of the SMILES.
    OtherBonds,
    /// It has more atoms than the format can hold.
    TooLarge,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::NotComputed => "not computed",
            Self::NoGeometry => "no geometry",
            Self::NoEnergy => "no total energy",
            Self::UnknownState => "charge and multiplicity unknown",
            Self::OtherBonds => "bonds of the geometry are not those of the SMILES",
            Self::TooLarge => "more than 999 atoms",
        })
    }
}

/// Numbers of molecules of an export.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportSummary {
    /// Molecules that were written.
    pub written: usize,
    /// Molecules that the format cannot hold, by the reason.
    pub left_out: BTreeMap<LeftOut, usize>,
}

/// Writes every candidate to `out`, in order of batch and rank.
///
/// # Errors
///
/// The database cannot be read, or `out` cannot be written.
pub async fn export(
    store: &mut Store,
    format: &ExportFormat,
    state: &StateOf<'_>,
    out: &mut Destination<'_>,
) -> Result<ExportSummary, ReportError> {
    let failed = |source| ReportError::Write {
        what: "the export".into(),
        source,
    };
    let table = ExportTable::read(store).await?;
    let mut summary = ExportSummary::default();
    let mut writer = format.writing.begin(&table, out).map_err(failed)?;
    let mut last = (-1, -1);
    loop {
        let page = store.candidates_after(last, PAGE).await?;
        let Some(end) = page.last() else { break };
        last = (end.batch, end.rank);
        for candidate in &page {
            let calculations = match format.has_calculations && candidate.status == "evaluated" {
                true => store.results_for(&candidate.smiles).await?,
                false => Vec::new(),
            };
            let molecule = ExportedMolecule {
                values: table.values(candidate),
                candidate,
                calculations,
                state,
            };
            match writer.write(&molecule).map_err(failed)? {
                None => summary.written += 1,
                Some(reason) => *summary.left_out.entry(reason).or_insert(0) += 1,
            }
        }
    }
    writer.finish().map_err(failed)?;
    Ok(summary)
}
