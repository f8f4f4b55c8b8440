//! Properties: numbers of a molecule, given by expressions over the quantities that methods return.
//!
//! Quantities are stored in atomic units; an expression is checked for names and units before
//! anything runs.

mod condition;
mod descriptor;
mod dimension;
mod error;
mod expression;
mod parse;
mod quantity;
mod unit;

pub use condition::{Comparison, Condition, ParsedCondition};
pub use descriptor::{Composition, Descriptor};
pub use dimension::Dimension;
pub use error::ExpressionError;
pub use expression::{Expression, Function, Leaf, Operator, QuantityOf, Values};
pub use parse::{NameTable, Parsed, parse};
pub use quantity::{
    BUILT_IN, DIPOLE, ENERGY, ENTHALPY, GAP, GIBBS, HOMO, LUMO, POLARIZABILITY, Quantities,
    THERMOCHEMICAL, ZPE, built_in,
};
pub use unit::{UNIT_FORMAT, Unit};
