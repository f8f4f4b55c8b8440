//! Errors of expressions and units, as a campaign's author reads them.

use super::dimension::Dimension;
use super::unit;

/// An expression or unit that cannot be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ExpressionError {
    /// The text is not an expression: what was expected, and what follows instead.
    #[error("{expected} is expected {}", before(.found))]
    Syntax {
        /// Element of the grammar that is missing.
        expected: &'static str,
        /// The rest of the text.
        found: String,
    },
    /// A unit that is not known.
    #[error(
        "`{name}` is not a unit{}; units are {}, and products such as `hartree/K`",
        unit::alike(name).map(|unit| format!(" (`{unit}` is)")).unwrap_or_default(),
        unit::names()
    )]
    UnknownUnit {
        /// The text.
        name: String,
    },
    /// A name that stands for nothing.
    #[error("{0}")]
    UnknownName(String),
    /// The two sides of `+`, `-`, a comparison, `min` or `max` have different dimensions.
    #[error("`{left}` ({left_dimension}) and `{right}` ({right_dimension}) cannot be {verb}")]
    Mismatch {
        /// The left side as an expression.
        left: String,
        /// Its dimension.
        left_dimension: Dimension,
        /// The right side as an expression.
        right: String,
        /// Its dimension.
        right_dimension: Dimension,
        /// Participle of the operation.
        verb: &'static str,
    },
    /// A function or power that needs a plain number.
    #[error("`{expression}` is {dimension}, but {needs}")]
    Dimension {
        /// The expression that has the dimension.
        expression: String,
        /// Its dimension.
        dimension: Dimension,
        /// Requirement that is not met.
        needs: String,
    },
    /// A function with another number of arguments.
    #[error("`{function}` takes {expected}, not {given}")]
    Arguments {
        /// Name of the function.
        function: &'static str,
        /// Number of arguments that it takes, in words.
        expected: &'static str,
        /// Number of arguments that were given.
        given: usize,
    },
    /// The expression contains a property that depends on itself.
    #[error("the property `{0}` depends on itself")]
    Cycle(String),
    /// The expression contains a property that has errors of its own.
    #[error("the property `{0}` has errors")]
    OfProperty(String),
}

fn before(found: &str) -> String {
    match found.trim() {
        "" => "at the end".to_owned(),
        rest => format!("before `{rest}`"),
    }
}
