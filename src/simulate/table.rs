//! Engine `table`: looks the quantities of a molecule up, in QM9 or in a table of the user, so that
//! a whole search takes seconds and its best possible result is known.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::command::is_name;
use super::{
    ConformerSearch, Outputs, PreparedSimulation, Request, SettingFault, SimError, SimResult,
    Simulator, built_in_quantities, embed_timeout,
};
use crate::chem::qm9::{FREE_ATOMS, LEVEL_OF_THEORY, Qm9};
use crate::property::{Dimension, ENERGY, GAP, POLARIZABILITY, Quantities, Unit, built_in};

pub(super) const NAME: &str = "table";
/// Name of the table that comes with the program.
const QM9: &str = "qm9";
/// Digits of the hash in the level of theory.
const HASH_DIGITS: usize = 12;

/// Settings of the engine `table`. Two are equal if their tables have the same content.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TableEngine {
    /// `qm9`, or the path of a `.csv` or `.tsv` file with a column of SMILES and a column for each
    /// quantity, relative to the campaign file. `qm9` has `energy` (U0), `gap` and
    /// `polarizability`.
    #[schemars(length(min = 1))]
    pub table: String,
    /// Columns of the file that are quantities, each with its unit: `{gap: eV, logp: "1"}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub quantities: BTreeMap<String, Unit>,
    /// SHA-256 of the file as it was when the campaign was read; filled in then, not written by
    /// hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Rows of the file, read with the campaign.
    #[serde(skip)]
    pub rows: Arc<TableRows>,
}

/// Quantities in atomic units by the identity of the molecule.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TableRows(pub BTreeMap<String, Quantities>);

impl PartialEq for TableEngine {
    fn eq(&self, other: &Self) -> bool {
        let is_same_table = match (&self.sha256, &other.sha256) {
            (None, None) => self.table == other.table,
            (one, other) => one == other,
        };
        is_same_table && self.quantities == other.quantities
    }
}

impl TableEngine {
    /// Returns true for the table that comes with the program.
    pub fn is_embedded(&self) -> bool {
        self.table == QM9
    }

    fn quantities_of(&self, smiles: &str) -> Option<Quantities> {
        match self.is_embedded() {
            true => Qm9Table::quantities(smiles),
            false => self.rows.0.get(smiles).cloned(),
        }
    }

    /// Iterates over the molecules of the table with their quantities; those of QM9 that come twice
    /// have those of the first.
    pub fn molecules(&self) -> Box<dyn Iterator<Item = (&str, Quantities)> + '_> {
        if self.is_embedded() {
            return Box::new(Qm9Table::molecules());
        }
        let rows = self.rows.0.iter();
        Box::new(rows.map(|(smiles, row)| (smiles.as_str(), row.clone())))
    }
}

/// QM9 with the position of each molecule.
struct Qm9Table {
    data: Qm9,
    positions: HashMap<String, usize>,
}

static QM9_TABLE: LazyLock<Qm9Table> = LazyLock::new(|| {
    let data = Qm9::open();
    let mut positions = HashMap::with_capacity(data.len());
    for (position, entry) in data.molecules().enumerate() {
        positions.entry(entry.smiles.to_owned()).or_insert(position);
    }
    Qm9Table { data, positions }
});

impl Qm9Table {
    /// The quantities of a molecule or a free atom.
    fn quantities(smiles: &str) -> Option<Quantities> {
        if let Some(position) = QM9_TABLE.positions.get(smiles) {
            return Some(Self::at(*position));
        }
        let symbol = smiles.strip_prefix('[')?.strip_suffix(']')?;
        let (_, energy) = FREE_ATOMS.iter().find(|(element, _)| *element == symbol)?;
        Some(Quantities::from([(ENERGY.to_owned(), *energy)]))
    }

    fn at(position: usize) -> Quantities {
        let entry = QM9_TABLE.data.get(position);
        Quantities::from([
            (ENERGY.to_owned(), entry.u0_hartree),
            (GAP.to_owned(), entry.gap_hartree),
            (POLARIZABILITY.to_owned(), entry.polarizability_bohr3),
        ])
    }

    fn molecules<'t>() -> impl Iterator<Item = (&'t str, Quantities)> {
        let table = &*QM9_TABLE;
        let entries = table.data.molecules().enumerate();
        let first = entries.filter(|(place, entry)| table.positions[entry.smiles] == *place);
        first.map(|(place, entry)| (entry.smiles, Self::at(place)))
    }
}

impl Simulator for TableEngine {
    /// Level of QM9, or hash of the file: results of a changed table are of another level.
    fn level(&self, _: &str) -> String {
        match &self.sha256 {
            _ if self.is_embedded() => LEVEL_OF_THEORY.to_owned(),
            Some(hash) => format!("{NAME} {}", &hash[..HASH_DIGITS.min(hash.len())]),
            None => NAME.to_owned(),
        }
    }

    fn quantities(&self) -> BTreeMap<String, Dimension> {
        if self.is_embedded() {
            return built_in_quantities(&[ENERGY, GAP, POLARIZABILITY]);
        }
        let declared = self.quantities.iter();
        let dimension = declared.map(|(name, unit)| (name.clone(), unit.dimension()));
        dimension.collect()
    }

    fn takes_geometries(&self) -> bool {
        false
    }

    fn faults(&self, _: &[String]) -> Vec<SettingFault> {
        let mut faults = Vec::new();
        let mut fault = |message: String, hint: String| {
            faults.push(SettingFault {
                setting: "quantities",
                message,
                hint,
            });
        };
        match (self.is_embedded(), self.quantities.is_empty()) {
            (true, false) => fault(
                "the quantities of `qm9` are known".to_owned(),
                "remove `quantities`: they are `energy`, `gap` and `polarizability`".to_owned(),
            ),
            (false, true) => fault(
                format!("no column of `{}` is a quantity", self.table),
                "name its columns with their units: `quantities: {gap: eV}`".to_owned(),
            ),
            _ => {}
        }
        for (name, unit) in &self.quantities {
            if !is_name(name) {
                fault(
                    format!("`{name}` is no name that an expression could use"),
                    "names consist of letters, digits and `_`, and do not begin with a digit; rename the column".to_owned(),
                );
            }
            if let Some(dimension) = built_in(name).filter(|of| *of != unit.dimension()) {
                fault(
                    format!("`{unit}` is not a unit of `{name}`, which is {dimension}"),
                    Unit::hint_for(dimension)
                        .unwrap_or_else(|| format!("write `{}`", dimension.atomic_unit())),
                );
            }
        }
        faults
    }

    fn free_atoms_unknown(&self) -> Option<String> {
        // A table that could not be read has an error of its own.
        let rows = &self.rows.0;
        let has_atoms = self.is_embedded() || rows.is_empty() || rows.contains_key("[H]");
        let message = "its table has no free atoms; add rows for them, `[H]`, `[C]`, ...";
        (!has_atoms).then(|| message.to_owned())
    }

    fn conformers_mut(&mut self) -> Option<&mut Option<NonZeroU32>> {
        None
    }

    fn conformer_search(&self) -> ConformerSearch {
        ConformerSearch {
            conformers: None,
            embed_timeout_seconds: embed_timeout(),
            needs_mmff94: false,
        }
    }

    fn typical_time(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn looks_up(&self) -> bool {
        true
    }

    fn look_up(&self, smiles: &str) -> Option<Result<SimResult, SimError>> {
        let Some(mut quantities) = self.quantities_of(smiles) else {
            let message = format!("`{smiles}` is not in the table `{}`", self.table);
            return Some(Err(SimError::Unsupported(message)));
        };
        Some(Ok(SimResult {
            total_energy_hartree: quantities.remove(ENERGY),
            engine: NAME.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            level_of_theory: self.level(""),
            quantities,
            geometry: None,
        }))
    }

    fn prepare(&self, request: &Request, _: Option<&Path>) -> Result<PreparedSimulation, SimError> {
        let found = self.look_up(&request.smiles);
        let unread = || SimError::Unsupported("the table has no rows".to_owned());
        found
            .unwrap_or_else(|| Err(unread()))
            .map(PreparedSimulation::Done)
    }

    fn parse(&self, _: &Request, _: &Outputs) -> Result<SimResult, SimError> {
        let message = "a table has no program with an output";
        Err(SimError::Unreadable(message.to_owned()))
    }
}
