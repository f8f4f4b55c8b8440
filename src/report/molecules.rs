//! Best molecules on the page: drawings, geometries, values.

use serde::Serialize;

use super::table::predicted;
use super::view::View;
use crate::chem::Molecule;
use crate::chem::units::hartree_to_kcal_per_mol;
use crate::store::{CandidateRow, ObjectiveInfo};

/// Number of molecules that are drawn.
pub(super) const DRAWN: usize = 8;
/// Size of a drawing, pixels.
const WIDTH: u32 = 220;
const HEIGHT: u32 = 150;

/// Number with its name and unit.
#[derive(Serialize)]
struct ValueEntry {
    heading: String,
    value: String,
}

/// Row of the table of the best molecules, and card of one that is drawn.
#[derive(Serialize)]
pub(super) struct MoleculeEntry {
    place: usize,
    smiles: String,
    name: String,
    /// Values of the objectives; in kcal/mol too where the unit is hartree.
    values: Vec<ValueEntry>,
    batch: String,
    /// Counted from 1.
    rank: i64,
    predictions: Vec<ValueEntry>,
    /// Structural formula, SVG; None if it is not drawn.
    depiction: Option<String>,
    /// Geometry; None where there is none, or if it is not drawn.
    view: Option<View>,
}

impl MoleculeEntry {
    /// Returns the entry of a molecule, `place` counted from 1. `xyz`: its geometry.
    pub fn new(
        place: usize,
        row: &CandidateRow,
        xyz: Option<&str>,
        objectives: &[ObjectiveInfo],
    ) -> Self {
        let label = row.name.as_deref().unwrap_or(&row.smiles);
        let title = format!("{label}, in three dimensions");
        let view = xyz.and_then(|xyz| View::of(xyz, &title));
        let drawn = (place <= DRAWN).then(|| Molecule::parse(&row.smiles).ok());
        Self {
            place,
            smiles: row.smiles.clone(),
            name: row.name.clone().unwrap_or_default(),
            values: values(row, objectives),
            batch: match row.batch {
                0 => "source".into(),
                batch => batch.to_string(),
            },
            rank: row.rank + 1,
            predictions: predictions(row, objectives),
            depiction: drawn.flatten().and_then(|molecule| depiction(&molecule)),
            view,
        }
    }

    /// Returns true if the molecule has a name.
    pub fn is_named(&self) -> bool {
        !self.name.is_empty()
    }

    /// Returns the geometry, if it is drawn.
    pub fn view(&self) -> Option<&View> {
        self.view.as_ref()
    }
}

/// Structural formula, with oxygen and nitrogen in colours of the page, which are legible on dark
/// ground too.
fn depiction(molecule: &Molecule) -> Option<String> {
    let svg = molecule.depiction(WIDTH, HEIGHT)?;
    Some(
        svg.replace("#FF0000", "var(--red)")
            .replace("#0000FF", "var(--blue)"),
    )
}

/// Headings of the columns of the objectives.
pub(super) fn headings(objectives: &[ObjectiveInfo]) -> Vec<String> {
    let mut headings = Vec::new();
    for objective in objectives {
        headings.push(objective.heading());
        if objective.unit == "hartree" {
            headings.push("kcal/mol".to_owned());
        }
    }
    headings
}

/// Headings of the columns of the predictions.
pub(super) fn prediction_headings(objectives: &[ObjectiveInfo]) -> Vec<String> {
    match objectives {
        [_] => vec!["predicted".to_owned()],
        all => (all.iter().map(|o| format!("predicted {}", o.label))).collect(),
    }
}

fn values(row: &CandidateRow, objectives: &[ObjectiveInfo]) -> Vec<ValueEntry> {
    let number = |value: Option<f64>, decimals| {
        value.map_or_else(|| "-".to_owned(), |value| format!("{value:.decimals$}"))
    };
    let mut numbers = Vec::new();
    for objective in objectives {
        let value = row.value(&objective.property);
        numbers.push(number(value, 6));
        if objective.unit == "hartree" {
            numbers.push(number(value.map(hartree_to_kcal_per_mol), 2));
        }
    }
    entries(headings(objectives), numbers)
}

fn predictions(row: &CandidateRow, objectives: &[ObjectiveInfo]) -> Vec<ValueEntry> {
    let predictions = objectives.iter().map(|o| row.prediction(&o.property));
    entries(
        prediction_headings(objectives),
        predictions.map(predicted).collect(),
    )
}

fn entries(headings: Vec<String>, values: Vec<String>) -> Vec<ValueEntry> {
    let pairs = headings.into_iter().zip(values);
    pairs
        .map(|(heading, value)| ValueEntry { heading, value })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures::{evaluated, gap};

    const METHANE: &str = "2\n\nC 0 0 0\nH 0 0 1.09\n";

    fn entry(place: usize, smiles: &str, xyz: Option<&str>) -> MoleculeEntry {
        MoleculeEntry::new(place, &evaluated(0, 0, smiles, Some(1.0)), xyz, &[gap()])
    }

    #[test]
    fn what_cannot_be_drawn_has_no_picture() {
        assert!(entry(1, "CCO", None).depiction.is_some());
        for smiles in ["", "no molecule", "C1CC", "<svg onload=a()>", "[Xx]"] {
            assert_eq!(entry(1, smiles, None).depiction, None, "{smiles}");
        }
        assert_eq!(
            entry(DRAWN + 1, "CCO", None).depiction,
            None,
            "only the best are drawn"
        );
    }

    #[test]
    fn what_is_no_geometry_has_no_view() {
        assert!(entry(1, "C", Some(METHANE)).view().is_some());
        for xyz in [
            "",
            "0\n\n",
            "3\n\nC 0 0 0\n",
            "1\n\nC 0 0 nan\n",
            "no geometry",
        ] {
            assert!(entry(1, "C", Some(xyz)).view().is_none(), "{xyz:?}");
        }
    }

    #[test]
    fn oxygen_and_nitrogen_have_colours_that_dark_ground_allows() {
        let picture = entry(1, "NCC=O", None).depiction.unwrap_or_default();
        assert!(
            picture.contains("var(--red)") && picture.contains("var(--blue)"),
            "{picture}"
        );
        assert!(
            !picture.contains("#000000") && !picture.contains("<rect"),
            "{picture}"
        );
    }
}
