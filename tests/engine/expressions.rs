//! Units and expressions of properties.

use std::collections::BTreeMap;

use moldflow::property::{
    Composition, Dimension, Expression, ExpressionError, NameTable, QuantityOf, Unit, Values, parse,
};
use proptest::prelude::*;

/// One of the first unit in the second one, by Pint 0.25.3 (Python). It has the constants of
/// CODATA 2022, which differ from those of 2018 by a few parts in 10^9.
const PINT: [(&str, &str, f64); 8] = [
    ("hartree", "eV", 27.211_386_245_981_03),
    ("hartree", "kcal/mol", 627.509_474_062_894_2),
    ("hartree", "kJ/mol", 2_625.499_639_479_149_7),
    ("hartree", "cm-1", 219_474.631_363_14),
    ("bohr", "angstrom", 0.529_177_210_543_882_8),
    ("e*bohr", "debye", 2.541_746_471_469_164_4),
    ("hartree/e", "V", 27.211_386_245_981_03),
    ("bohr^3", "angstrom^3", 0.148_184_711_170_473_66),
];

#[test]
fn units_are_those_of_pint() {
    for (from, to, expected) in PINT {
        let (from, to): (Unit, Unit) = (from.parse().unwrap(), to.parse().unwrap());
        assert_eq!(from.dimension(), to.dimension(), "{from} and {to}");
        let ratio = to.from_atomic(from.to_atomic(1.0)) / expected;
        assert!((ratio - 1.0).abs() < 5e-9, "{from} to {to}: {ratio}");
    }
}

#[test]
fn an_unknown_unit_is_named_with_those_that_are_known() {
    let error = "furlong".parse::<Unit>().unwrap_err().to_string();
    assert!(error.starts_with("`furlong` is not a unit"), "{error}");
    assert!(error.contains("`kcal/mol`"), "{error}");
    let error = "ev".parse::<Unit>().unwrap_err().to_string();
    assert!(
        error.starts_with("`ev` is not a unit (`eV` is); "),
        "{error}"
    );
    for wrong in ["", "eV eV", "eV^", "eV^x", "/eV", "eV/", "eVx"] {
        assert!(wrong.parse::<Unit>().is_err(), "{wrong:?}");
    }
}

/// Methods `a` and `b` with an energy and a dipole, and a property `difference`.
struct TwoMethods;

impl NameTable for TwoMethods {
    fn quantity(&self, of: &QuantityOf) -> Result<Dimension, ExpressionError> {
        match (of.method.as_str(), of.quantity.as_str()) {
            ("a" | "b" | "two words", "energy") => Ok(Dimension::ENERGY),
            ("a" | "b", "dipole") => Ok(Dimension::CHARGE * Dimension::LENGTH),
            _ => Err(ExpressionError::UnknownName("no such quantity".into())),
        }
    }

    fn property(&self, name: &str) -> Option<Result<Expression, ExpressionError>> {
        (name == "difference").then(|| parse("a.energy - b.energy")?.resolve(self))
    }

    fn is_method(&self, name: &str) -> bool {
        ["a", "b", "two words"].contains(&name)
    }
}

/// Methane: `a.energy` is -8, `b.energy` is -5, a dipole is 0.5, free carbon has -4, free hydrogen
/// -0.5.
struct Methane(Composition);

impl Methane {
    fn new() -> Self {
        Self(BTreeMap::from([("C".to_owned(), 1), ("H".to_owned(), 4)]))
    }
}

impl Values for Methane {
    fn quantity(&self, of: &QuantityOf) -> Option<f64> {
        match (of.method.as_str(), of.quantity.as_str()) {
            (_, "dipole") => Some(0.5),
            ("a", _) => Some(-8.0),
            _ => Some(-5.0),
        }
    }

    fn of_free_atom(&self, element: &str, _: &QuantityOf) -> Option<f64> {
        Some(if element == "C" { -4.0 } else { -0.5 })
    }

    fn composition(&self) -> &Composition {
        &self.0
    }
}

fn resolved(text: &str) -> Result<Expression, String> {
    let expression = parse(text).and_then(|parsed| parsed.resolve(&TwoMethods));
    expression.map_err(|error| error.to_string())
}

fn value(text: &str) -> Option<f64> {
    resolved(text).unwrap().value(&Methane::new())
}

#[test]
fn expressions_are_evaluated_in_atomic_units() {
    for (text, expected) in [
        ("a.energy - b.energy", -3.0),
        ("a.energy - b.energy - 1 hartree", -4.0),
        ("-(a.energy - b.energy) * 2", 6.0),
        ("a.energy / b.energy ^ 2 * 1 hartree", -0.32),
        ("2 * 3 + 4 * 5", 26.0),
        ("10 - 2 - 3", 5.0),
        ("2 ^ -1", 0.5),
        ("1.5e1", 15.0),
        ("atomization(a)", -2.0),
        ("atomization(a.energy) / atoms", -0.4),
        ("difference", -3.0),
        ("`two words`.energy", -5.0),
        ("heavy_atoms", 1.0),
        ("abs(difference)", 3.0),
        ("sqrt(a.energy ^ 2)", 8.0),
        ("min(a.energy, b.energy, -9 hartree)", -9.0),
        ("max(a.energy, b.energy)", -5.0),
        ("exp(0) + log(1)", 1.0),
    ] {
        let found = value(text).unwrap();
        assert!((found - expected).abs() < 1e-12, "{text}: {found}");
    }
    // The standard atomic weights of RDKit 2026.03: C 12.011, H 1.008.
    let mass = value("molar_mass").unwrap();
    assert!((mass - 16.043).abs() < 1e-9, "{mass}");
}

#[test]
fn a_value_that_is_not_finite_is_none() {
    for text in ["1 / 0", "log(0)", "sqrt(-1)", "exp(1000)"] {
        assert_eq!(value(text), None, "{text}");
    }
}

#[test]
fn names_and_units_are_checked_before_anything_runs() {
    for (text, expected) in [
        (
            "a.energy + a.dipole",
            "`a.energy` (energy) and `a.dipole` (length*charge) cannot be added",
        ),
        ("a.energy - 1", "cannot be subtracted"),
        ("a.energy - 1 debye", "cannot be subtracted"),
        ("min(a.energy, 1 eV, a.dipole)", "cannot be compared"),
        ("exp(a.energy)", "`exp` takes a plain number"),
        ("sqrt(a.energy)", "its square root has no unit"),
        ("abs(1, 2)", "`abs` takes one value, not 2"),
        ("min(1)", "`min` takes two or more values, not 1"),
        ("c.energy", "no such quantity"),
        ("energy", "`energy` is neither a property nor a descriptor"),
        (
            "a",
            "`a` is a method: write a quantity of it, as `a.energy`",
        ),
        ("sin(1)", "there is no function `sin`"),
        ("atomization(1)", "`atomization` takes a method"),
        ("a.energy -", "a number or a name is expected at the end"),
        ("(a.energy", "`)` is expected at the end"),
        (
            "a.energy b.energy",
            "an operator or the end is expected before `b.energy`",
        ),
        ("2 ^ x", "a whole power is expected"),
    ] {
        let error = resolved(text).unwrap_err();
        assert!(error.contains(expected), "{text}: {error}");
    }
}

#[test]
fn atomization_energies_are_extensive_and_others_are_not_unless_declared() {
    for (text, expected) in [
        ("atomization(a)", true),
        ("-2 * atomization(a)", true),
        ("atomization(a) / 3", true),
        ("atomization(a) / atoms", false),
        ("difference", false),
        ("a.energy", false),
    ] {
        assert_eq!(resolved(text).unwrap().is_extensive(), expected, "{text}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic_or_hang(text in "[a-c0-9.()+*/^, `-]{0,40}") {
        if let Ok(expression) = resolved(&text) {
            // What is printed means the same.
            let printed = expression.to_string();
            if let Ok(again) = resolved(&printed) {
                prop_assert_eq!(again.value(&Methane::new()), expression.value(&Methane::new()));
            }
        }
    }
}
