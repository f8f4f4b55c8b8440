//! Where molecules are drawn from: QM9, or a file of SMILES.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::campaign::{Campaign, SearchSpace};
use super::fault::{Fault, Faults, Place, Text};
use crate::chem::Molecule;
use crate::chem::qm9::Qm9;

/// The name of the data set that comes with the program.
pub const QM9: &str = "qm9";

/// The molecules of a campaign's source.
pub struct Source {
    entries: Entries,
    space: SearchSpace,
}

/// SMILES as the source has them.
enum Entries {
    Qm9(Qm9),
    /// Of a file: those that lie in the search space.
    File(Vec<String>),
}

/// Opens the source of a campaign; a path in it is relative to `base`. Each molecule of a file is read and judged.
pub fn open(campaign: &Campaign, base: &Path) -> Result<Source, Faults> {
    let space = campaign.search_space.clone();
    let entries = match space.source.as_str() {
        QM9 => Entries::Qm9(Qm9::open()),
        path => {
            let mmff94 = campaign.at_mmff94_geometries().next().is_some();
            Entries::File(read(&base.join(path), &space, mmff94)?)
        }
    };
    Ok(Source { entries, space })
}

impl Source {
    /// Up to `n` molecules of the search space that `accept` takes, as distinct canonical SMILES, drawn without replacement.
    pub fn draw(&self, seed: u64, n: usize, accept: &dyn Fn(&str) -> bool) -> Vec<String> {
        let mut order: Vec<usize> = (0..self.entry_count()).collect();
        order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        let mut drawn = Vec::new();
        let mut seen = BTreeSet::new();
        // Molecules are only parsed as they come up: all of QM9 takes seconds.
        for smiles in order.into_iter().filter_map(|index| self.entry(index)) {
            if drawn.len() == n {
                break;
            }
            let Ok(molecule) = Molecule::parse(smiles) else {
                continue;
            };
            let smiles = molecule.identity(self.space.stereo());
            if self.space.holds(&molecule) && seen.insert(smiles.clone()) && accept(&smiles) {
                drawn.push(smiles);
            }
        }
        drawn
    }

    /// The entries that may lie in the search space.
    pub fn candidates(&self) -> impl Iterator<Item = &str> {
        (0..self.entry_count()).filter_map(|index| self.entry(index))
    }

    fn entry_count(&self) -> usize {
        match &self.entries {
            Entries::Qm9(data) => data.len(),
            Entries::File(smiles) => smiles.len(),
        }
    }

    fn entry(&self, index: usize) -> Option<&str> {
        match &self.entries {
            Entries::Qm9(data) => {
                Some(data.get(index).smiles).filter(|smiles| may_hold(&self.space, smiles))
            }
            Entries::File(smiles) => smiles.get(index).map(String::as_str),
        }
    }
}

/// What can be told from the letters of a QM9 SMILES, all of whose elements have one letter: whether size and elements fit.
fn may_hold(space: &SearchSpace, smiles: &str) -> bool {
    let mut symbols = smiles
        .bytes()
        .filter(|byte| byte.is_ascii_alphabetic() && *byte != b'H')
        .map(|byte| byte.to_ascii_uppercase());
    let known = |symbol: u8| {
        space
            .elements
            .iter()
            .any(|element| element.as_bytes() == [symbol])
    };
    let mut size = 0;
    symbols.all(|symbol| {
        size += 1;
        size <= space.max_heavy_atoms && known(symbol)
    })
}

/// The molecules of a `.smi` or `.csv` file that lie in the search space.
fn read(path: &Path, space: &SearchSpace, mmff94: bool) -> Result<Vec<String>, Faults> {
    let extension = path
        .extension()
        .unwrap_or_default()
        .to_string_lossy()
        .to_lowercase();
    let text = match extension.as_str() {
        "smi" | "csv" => Text::read(path)?,
        _ => {
            let message = format!(
                "the source `{}` is neither `qm9` nor a `.smi` or `.csv` file",
                space.source
            );
            let hint = "write `qm9`, or the path of a file with one SMILES a line (`.smi`) or a column `smiles` (`.csv`)";
            return Err(Fault::new(message).hint(Some(hint.into())).into());
        }
    };
    let mut faults = Faults::default();
    let entries = match extension.as_str() {
        "smi" => lines(&text),
        _ => column(&text, &mut faults),
    };
    let mut smiles = Vec::new();
    let count = entries.len();
    for (entry, place) in entries {
        match Molecule::parse(&entry) {
            Ok(molecule)
                if mmff94 && space.holds(&molecule) && !molecule.has_mmff94_parameters() => {}
            Ok(molecule) if space.holds(&molecule) => smiles.push(entry),
            Ok(_) => {}
            Err(error) => faults.push(
                Fault::new(error.to_string())
                    .at(place)
                    .hint(Some("correct or remove this line".into())),
            ),
        }
    }
    if faults.is_empty() && smiles.is_empty() {
        let message = match count {
            0 => format!("the source `{}` holds no molecule", space.source),
            _ => format!(
                "none of the {count} molecules of `{}` lies in the search space",
                space.source
            ),
        };
        let hint = "they must be neutral and without radicals, with only the listed elements, ring sizes and number of heavy atoms; and where the engine does not relax them, MMFF94 must have parameters for them";
        faults.push(Fault::new(message).hint(Some(hint.into())));
    }
    faults.or(smiles)
}

/// The first word of each line; blank lines and comments are left out.
fn lines(text: &Arc<Text>) -> Vec<(String, Place)> {
    let lines = text.text.lines().enumerate();
    let lines =
        lines.filter(|(_, line)| !line.trim().is_empty() && !line.trim_start().starts_with('#'));
    let entry = |(index, line): (usize, &str)| {
        let word = line.split_whitespace().next().unwrap_or_default();
        let indent = line.chars().take_while(|c| c.is_whitespace()).count();
        let place = Place {
            text: Arc::clone(text),
            line: index + 1,
            column: indent + 1,
            length: word.chars().count(),
        };
        (word.to_owned(), place)
    };
    lines.map(entry).collect()
}

/// The column `smiles` of a table.
fn column(text: &Arc<Text>, faults: &mut Faults) -> Vec<(String, Place)> {
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.text.as_bytes());
    let headers: Vec<String> = reader
        .headers()
        .into_iter()
        .flatten()
        .map(|name| name.to_owned())
        .collect();
    let Some(index) = headers
        .iter()
        .position(|name| name.eq_ignore_ascii_case("smiles"))
    else {
        let hint = format!("its columns are {}", headers.join(", "));
        faults.push(
            Fault::new("the table has no column `smiles`")
                .at(text.whole())
                .hint(Some(hint)),
        );
        return Vec::new();
    };
    let mut entries = Vec::new();
    for row in reader.records() {
        let (line, smiles) = match &row {
            Ok(row) => (
                row.position().map_or(1, |position| position.line()),
                row.get(index).unwrap_or_default(),
            ),
            Err(error) => {
                let line = error.position().map_or(1, |position| position.line());
                faults.push(
                    Fault::new(format!("this row cannot be read: {error}"))
                        .at(at_line(text, line, "")),
                );
                continue;
            }
        };
        entries.push((smiles.to_owned(), at_line(text, line, smiles)));
    }
    entries
}

/// The place of a word in a line.
fn at_line(text: &Arc<Text>, line: u64, word: &str) -> Place {
    let line = line.max(1) as usize;
    let content = text.text.lines().nth(line - 1).unwrap_or_default();
    let before = content
        .find(word)
        .map_or(0, |start| content[..start].chars().count());
    Place {
        text: Arc::clone(text),
        line,
        column: before + 1,
        length: word.chars().count().max(1),
    }
}
