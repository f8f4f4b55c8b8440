//! Expressions over quantities, checked for names and units.

use std::collections::BTreeSet;
use std::fmt;

use super::descriptor::{Composition, Descriptor};
use super::dimension::Dimension;
use super::error::ExpressionError;
use super::unit::Unit;

/// An expression whose names are resolved; it evaluates to a number in atomic units.
#[derive(Clone, Debug, PartialEq)]
pub enum Expression {
    /// A number with its unit.
    Number(f64, Unit),
    /// A number of the molecule.
    Leaf(Leaf, Dimension),
    /// The negative of an expression.
    Negative(Box<Expression>),
    /// Two expressions joined by an operator.
    Binary(Operator, Box<Expression>, Box<Expression>),
    /// A whole power.
    Power(Box<Expression>, i8),
    /// A function of expressions.
    Call(Function, Vec<Expression>),
}

/// A number of a molecule that an expression begins with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Leaf {
    /// A quantity that a method returns for the molecule.
    Quantity(QuantityOf),
    /// The quantities of the molecule's free atoms by the same method, summed.
    FreeAtoms(QuantityOf),
    /// A property of the molecule itself.
    Descriptor(Descriptor),
    /// A property of the campaign by its name, as conditions use it.
    Property(String),
}

/// A quantity of a method.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct QuantityOf {
    /// Name of the method.
    pub method: String,
    /// Name of the quantity: `energy`.
    pub quantity: String,
}

/// An arithmetic operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
}

/// A function of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// The absolute value.
    Abs,
    /// The square root.
    Sqrt,
    /// The exponential of a plain number.
    Exp,
    /// The natural logarithm of a plain number.
    Log,
    /// The smallest of two or more values.
    Min,
    /// The largest of two or more values.
    Max,
}

/// Values of a molecule, by which an expression is evaluated.
pub trait Values {
    /// A quantity of the molecule in atomic units; none if it is not known.
    fn quantity(&self, of: &QuantityOf) -> Option<f64>;
    /// A quantity of a free atom in atomic units; none if it is not known.
    fn of_free_atom(&self, element: &str, of: &QuantityOf) -> Option<f64>;
    /// The atoms of the molecule.
    fn composition(&self) -> &Composition;
    /// A property of the campaign in atomic units; none if it is not known.
    fn property(&self, _name: &str) -> Option<f64> {
        None
    }
}

impl Expression {
    /// Returns the dimension of its value.
    ///
    /// # Errors
    ///
    /// An operation meets dimensions that it does not allow.
    pub fn dimension(&self) -> Result<Dimension, ExpressionError> {
        match self {
            Self::Number(_, unit) => Ok(unit.dimension()),
            Self::Leaf(_, dimension) => Ok(*dimension),
            Self::Negative(inner) => inner.dimension(),
            Self::Binary(Operator::Multiply, left, right) => {
                Ok(left.dimension()? * right.dimension()?)
            }
            Self::Binary(Operator::Divide, left, right) => {
                Ok(left.dimension()? / right.dimension()?)
            }
            Self::Binary(Operator::Add, left, right) => left.same_dimension(right, "added"),
            Self::Binary(Operator::Subtract, left, right) => {
                left.same_dimension(right, "subtracted")
            }
            Self::Power(base, exponent) => {
                let dimension = base.dimension()?;
                let power = dimension.power(*exponent);
                power.ok_or_else(|| base.wrong(dimension, "its power is too large".into()))
            }
            Self::Call(function, arguments) => function.dimension(arguments),
        }
    }

    /// Returns the dimension of both sides of an operation.
    pub(super) fn same_dimension(
        &self,
        other: &Self,
        verb: &'static str,
    ) -> Result<Dimension, ExpressionError> {
        let (left_dimension, right_dimension) = (self.dimension()?, other.dimension()?);
        if left_dimension == right_dimension {
            return Ok(left_dimension);
        }
        Err(ExpressionError::Mismatch {
            left: self.to_string(),
            left_dimension,
            right: other.to_string(),
            right_dimension,
            verb,
        })
    }

    fn wrong(&self, dimension: Dimension, needs: String) -> ExpressionError {
        ExpressionError::Dimension {
            expression: self.to_string(),
            dimension,
            needs,
        }
    }

    /// Returns its value in atomic units; none if a value is not known or the result is not finite.
    pub fn value(&self, values: &dyn Values) -> Option<f64> {
        let value = match self {
            Self::Number(number, unit) => unit.to_atomic(*number),
            Self::Leaf(leaf, _) => leaf.value(values)?,
            Self::Negative(inner) => -inner.value(values)?,
            Self::Binary(operator, left, right) => {
                let (left, right) = (left.value(values)?, right.value(values)?);
                match operator {
                    Operator::Add => left + right,
                    Operator::Subtract => left - right,
                    Operator::Multiply => left * right,
                    Operator::Divide => left / right,
                }
            }
            Self::Power(base, exponent) => base.value(values)?.powi((*exponent).into()),
            Self::Call(function, arguments) => {
                let arguments = arguments.iter().map(|argument| argument.value(values));
                function.value(arguments.collect::<Option<Vec<f64>>>()?)?
            }
        };
        value.is_finite().then_some(value)
    }

    /// Returns the numbers that it begins with.
    pub fn leaves(&self) -> BTreeSet<&Leaf> {
        match self {
            Self::Number(..) => BTreeSet::new(),
            Self::Leaf(leaf, _) => BTreeSet::from([leaf]),
            Self::Negative(inner) | Self::Power(inner, _) => inner.leaves(),
            Self::Binary(_, left, right) => &left.leaves() | &right.leaves(),
            Self::Call(_, arguments) => arguments.iter().flat_map(Self::leaves).collect(),
        }
    }

    fn is_number(&self) -> bool {
        match self {
            Self::Number(..) => true,
            Self::Negative(inner) => inner.is_number(),
            _ => false,
        }
    }

    /// Returns true if its value is known to grow with the size of the molecule: an atomization
    /// energy, times a plain number.
    pub fn is_extensive(&self) -> bool {
        match self {
            Self::Negative(inner) => inner.is_extensive(),
            Self::Binary(Operator::Subtract, left, right) => matches!(
                (left.as_ref(), right.as_ref()),
                (Self::Leaf(Leaf::Quantity(molecule), _), Self::Leaf(Leaf::FreeAtoms(atoms), _)) if molecule == atoms
            ),
            Self::Binary(Operator::Multiply, left, right) => {
                left.is_number() && right.is_extensive() || right.is_number() && left.is_extensive()
            }
            Self::Binary(Operator::Divide, left, right) => right.is_number() && left.is_extensive(),
            _ => false,
        }
    }
}

impl Leaf {
    fn value(&self, values: &dyn Values) -> Option<f64> {
        match self {
            Self::Quantity(of) => values.quantity(of),
            Self::FreeAtoms(of) => {
                let mut sum = 0.0;
                for (element, count) in values.composition() {
                    sum += values.of_free_atom(element, of)? * f64::from(*count);
                }
                Some(sum)
            }
            Self::Descriptor(descriptor) => descriptor.value(values.composition()),
            Self::Property(name) => values.property(name),
        }
    }
}

impl Function {
    /// All functions.
    pub const ALL: [Self; 6] = [
        Self::Abs,
        Self::Sqrt,
        Self::Exp,
        Self::Log,
        Self::Min,
        Self::Max,
    ];

    /// Name in expressions.
    pub fn name(self) -> &'static str {
        match self {
            Self::Abs => "abs",
            Self::Sqrt => "sqrt",
            Self::Exp => "exp",
            Self::Log => "log",
            Self::Min => "min",
            Self::Max => "max",
        }
    }

    /// The function of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|function| function.name() == name)
    }

    fn dimension(self, arguments: &[Expression]) -> Result<Dimension, ExpressionError> {
        match (self, arguments) {
            (Self::Abs, [one]) => one.dimension(),
            (Self::Sqrt, [one]) => {
                let dimension = one.dimension()?;
                let root = dimension.square_root();
                root.ok_or_else(|| one.wrong(dimension, "its square root has no unit".into()))
            }
            (Self::Exp | Self::Log, [one]) => match one.dimension()? {
                Dimension::NONE => Ok(Dimension::NONE),
                other => Err(one.wrong(other, format!("`{}` takes a plain number", self.name()))),
            },
            (Self::Min | Self::Max, [first, rest @ ..]) if !rest.is_empty() => {
                let mut dimension = first.dimension();
                for other in rest {
                    dimension = dimension.and(first.same_dimension(other, "compared"));
                }
                dimension
            }
            _ => Err(ExpressionError::Arguments {
                function: self.name(),
                expected: match self {
                    Self::Min | Self::Max => "two or more values",
                    Self::Abs | Self::Sqrt | Self::Exp | Self::Log => "one value",
                },
                given: arguments.len(),
            }),
        }
    }

    fn value(self, arguments: Vec<f64>) -> Option<f64> {
        let first = *arguments.first()?;
        Some(match self {
            Self::Abs => first.abs(),
            Self::Sqrt => first.sqrt(),
            Self::Exp => first.exp(),
            Self::Log => first.ln(),
            Self::Min => arguments.into_iter().fold(first, f64::min),
            Self::Max => arguments.into_iter().fold(first, f64::max),
        })
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number, unit) if unit.name().is_empty() => write!(f, "{number}"),
            Self::Number(number, unit) => write!(f, "{number} {unit}"),
            Self::Leaf(leaf, _) => write!(f, "{leaf}"),
            Self::Negative(inner) => write!(f, "-{inner}"),
            Self::Binary(operator, left, right) => {
                let sign = match operator {
                    Operator::Add => '+',
                    Operator::Subtract => '-',
                    Operator::Multiply => '*',
                    Operator::Divide => '/',
                };
                write!(f, "({left} {sign} {right})")
            }
            Self::Power(base, exponent) => write!(f, "{base}^{exponent}"),
            Self::Call(function, arguments) => {
                let arguments: Vec<_> = arguments.iter().map(ToString::to_string).collect();
                write!(f, "{}({})", function.name(), arguments.join(", "))
            }
        }
    }
}

impl fmt::Display for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Quantity(of) => write!(f, "{}.{}", of.method, of.quantity),
            Self::FreeAtoms(of) => write!(f, "free_atoms({}.{})", of.method, of.quantity),
            Self::Descriptor(descriptor) => f.write_str(descriptor.name()),
            Self::Property(name) => f.write_str(name),
        }
    }
}
