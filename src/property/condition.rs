//! Conditions: two expressions with a comparison between them, `gap >= 3 eV`.

use std::collections::BTreeSet;
use std::fmt;

use super::error::ExpressionError;
use super::expression::{Expression, Leaf, Values};
use super::parse::{NameTable, Parsed, parse_prefix};

/// A condition whose names are resolved and whose sides have the same dimension.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    left: Expression,
    comparison: Comparison,
    right: Expression,
}

/// A comparison of two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `<=`
    AtMost,
    /// `>=`
    AtLeast,
    /// `<`
    Below,
    /// `>`
    Above,
}

/// A condition as it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct ParsedCondition {
    left: Parsed,
    comparison: Comparison,
    right: Parsed,
}

impl Comparison {
    /// All comparisons, the longer signs first.
    const ALL: [Self; 4] = [Self::AtMost, Self::AtLeast, Self::Below, Self::Above];

    fn sign(self) -> &'static str {
        match self {
            Self::AtMost => "<=",
            Self::AtLeast => ">=",
            Self::Below => "<",
            Self::Above => ">",
        }
    }

    fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Self::AtMost => left <= right,
            Self::AtLeast => left >= right,
            Self::Below => left < right,
            Self::Above => left > right,
        }
    }
}

impl ParsedCondition {
    /// Parses `EXPRESSION <= EXPRESSION`, with `<=`, `>=`, `<` or `>`.
    ///
    /// # Errors
    ///
    /// The text does not follow the grammar.
    pub fn parse(text: &str) -> Result<Self, ExpressionError> {
        let expected = |expected, rest: &str| ExpressionError::Syntax {
            expected,
            found: rest.trim().to_owned(),
        };
        let (left, rest) = parse_prefix(text)?;
        let rest = rest.trim_start();
        let mut signs = Comparison::ALL.into_iter();
        let found = signs.find_map(|sign| Some((sign, rest.strip_prefix(sign.sign())?)));
        let (comparison, rest) =
            found.ok_or_else(|| expected("one of `<=`, `>=`, `<` and `>`", rest))?;
        let (right, rest) = parse_prefix(rest)?;
        match rest.trim() {
            "" => Ok(Self {
                left,
                comparison,
                right,
            }),
            rest => Err(expected("an operator or the end", rest)),
        }
    }

    /// Resolves the names, and checks the units.
    ///
    /// # Errors
    ///
    /// A name stands for nothing, or the two sides have different dimensions.
    pub fn resolve(&self, names: &dyn NameTable) -> Result<Condition, ExpressionError> {
        let (left, right) = (self.left.resolve(names)?, self.right.resolve(names)?);
        left.same_dimension(&right, "compared")?;
        Ok(Condition {
            left,
            comparison: self.comparison,
            right,
        })
    }
}

impl Condition {
    /// Returns true if it holds; none if a value is not known or not finite.
    pub fn holds(&self, values: &dyn Values) -> Option<bool> {
        let (left, right) = (self.left.value(values)?, self.right.value(values)?);
        Some(self.comparison.holds(left, right))
    }

    /// Returns the numbers of the molecule that it begins with.
    pub fn leaves(&self) -> BTreeSet<&Leaf> {
        &self.left.leaves() | &self.right.leaves()
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.left, self.comparison.sign(), self.right)
    }
}
