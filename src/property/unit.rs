//! Units, as campaigns write them, and their factors to atomic units.
//!
//! Constants of CODATA 2018: E. Tiesinga et al., Rev. Mod. Phys. 93, 025010 (2021).

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::dimension::Dimension;
use super::error::ExpressionError;
use crate::chem::units::{
    ANGSTROM_PER_BOHR, EV_PER_HARTREE, KCAL_PER_MOL_PER_HARTREE, KJ_PER_KCAL,
};

/// The `format` of units in the JSON Schema.
pub const UNIT_FORMAT: &str = "unit";

/// A unit: its name, its dimension, and its size in atomic units.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Unit {
    name: String,
    dimension: Dimension,
    /// Atomic units in one of this unit.
    factor: f64,
}

/// Debye in one e*bohr.
const DEBYE_PER_ATOMIC_UNIT: f64 = 2.541_746_473;
/// cm^-1 in one hartree.
const WAVENUMBERS_PER_HARTREE: f64 = 219_474.631_363_20;

/// Names of units, with dimension and factor.
const NAMED: &[(&str, Dimension, f64)] = &[
    ("hartree", Dimension::ENERGY, 1.0),
    (
        "kcal/mol",
        Dimension::ENERGY,
        1.0 / KCAL_PER_MOL_PER_HARTREE,
    ),
    (
        "kJ/mol",
        Dimension::ENERGY,
        1.0 / (KCAL_PER_MOL_PER_HARTREE * KJ_PER_KCAL),
    ),
    ("eV", Dimension::ENERGY, 1.0 / EV_PER_HARTREE),
    ("meV", Dimension::ENERGY, 1e-3 / EV_PER_HARTREE),
    ("cm-1", Dimension::ENERGY, 1.0 / WAVENUMBERS_PER_HARTREE),
    ("bohr", Dimension::LENGTH, 1.0),
    ("angstrom", Dimension::LENGTH, 1.0 / ANGSTROM_PER_BOHR),
    ("e", Dimension::CHARGE, 1.0),
    ("debye", Dimension::DIPOLE, 1.0 / DEBYE_PER_ATOMIC_UNIT),
    ("V", Dimension::POTENTIAL, 1.0 / EV_PER_HARTREE),
    ("dalton", Dimension::MASS, 1.0),
    ("g/mol", Dimension::MASS, 1.0),
    ("K", Dimension::TEMPERATURE, 1.0),
    ("1", Dimension::NONE, 1.0),
];

impl Unit {
    /// The atomic unit of a dimension.
    pub fn atomic(dimension: Dimension) -> Self {
        Self {
            name: dimension.atomic_unit(),
            dimension,
            factor: 1.0,
        }
    }

    /// Hint that names the units of a dimension; none if it has none of its own.
    pub fn hint_for(dimension: Dimension) -> Option<String> {
        let of_dimension = |(_, of, _): &&(&str, Dimension, f64)| *of == dimension;
        let names = NAMED.iter().filter(of_dimension);
        let names: Vec<String> = names.map(|(name, ..)| format!("`{name}`")).collect();
        (!names.is_empty()).then(|| format!("units of {dimension} are {}", names.join(", ")))
    }

    /// Its dimension.
    pub fn dimension(&self) -> Dimension {
        self.dimension
    }

    /// Its name, as it was written; empty for a plain number.
    pub fn name(&self) -> &str {
        match self.name.as_str() {
            "1" => "",
            name => name,
        }
    }

    /// Converts a value in this unit to atomic units.
    pub fn to_atomic(&self, value: f64) -> f64 {
        value * self.factor
    }

    /// Converts a value in atomic units to this unit.
    pub fn from_atomic(&self, value: f64) -> f64 {
        value / self.factor
    }

    /// Reads the unit at the beginning of a text: the longest name, with a power if one follows,
    /// and the rest of the text.
    pub(super) fn prefix(text: &str) -> Option<(Self, &str)> {
        let begins = |(name, _, _): &&(&str, Dimension, f64)| {
            text.strip_prefix(name)
                .is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
        };
        let longest = NAMED
            .iter()
            .filter(begins)
            .max_by_key(|(name, _, _)| name.len())?;
        let (name, dimension, factor) = *longest;
        let unit = Self {
            name: name.to_owned(),
            dimension,
            factor,
        };
        Some((unit, &text[name.len()..]))
    }
}

impl FromStr for Unit {
    type Err = ExpressionError;

    /// Reads a product of units: `eV`, `kcal/mol`, `hartree/K`, `bohr^3`.
    fn from_str(text: &str) -> Result<Self, ExpressionError> {
        let unknown = || ExpressionError::UnknownUnit {
            name: text.to_owned(),
        };
        let mut product = Self {
            name: text.trim().to_owned(),
            ..Self::atomic(Dimension::NONE)
        };
        let (mut rest, mut divides) = (text.trim(), false);
        loop {
            let (factor, after) = Self::prefix(rest).ok_or_else(unknown)?;
            let (power, after) = power(after).ok_or_else(unknown)?;
            let power = if divides { -power } else { power };
            let dimension = factor.dimension.power(power).ok_or_else(unknown)?;
            product.dimension = product.dimension * dimension;
            product.factor *= factor.factor.powi(power.into());
            match after.chars().next() {
                None => return Ok(product),
                Some(sign @ ('*' | '/')) => divides = sign == '/',
                Some(_) => return Err(unknown()),
            }
            rest = &after[1..];
        }
    }
}

/// Reads `^3` at the beginning of a text; 1 if there is no power.
fn power(text: &str) -> Option<(i8, &str)> {
    let Some(digits) = text.strip_prefix('^') else {
        return Some((1, text));
    };
    let end = digits
        .find(|c: char| !(c.is_ascii_digit() || c == '-'))
        .unwrap_or(digits.len());
    Some((digits[..end].parse().ok()?, &digits[end..]))
}

impl TryFrom<String> for Unit {
    type Error = ExpressionError;

    fn try_from(text: String) -> Result<Self, ExpressionError> {
        text.parse()
    }
}

impl From<Unit> for String {
    fn from(unit: Unit) -> Self {
        unit.name
    }
}

impl JsonSchema for Unit {
    fn schema_name() -> Cow<'static, str> {
        "Unit".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A unit, or a product of units: `eV`, `kcal/mol`, `hartree/K`; `1` for a plain number.",
            "type": "string",
            "format": UNIT_FORMAT,
        })
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// The unit that is written like `text` but for capital letters.
pub(super) fn alike(text: &str) -> Option<&'static str> {
    let mut names = NAMED.iter().map(|(name, _, _)| *name);
    names.find(|name| name.eq_ignore_ascii_case(text))
}

/// Names of the units, for messages.
pub(super) fn names() -> String {
    let names = NAMED.iter().map(|(name, _, _)| format!("`{name}`"));
    names.collect::<Vec<_>>().join(", ")
}
