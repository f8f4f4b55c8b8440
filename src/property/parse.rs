//! The grammar of expressions, and the resolution of their names.
//!
//! ```text
//! sum     = product (("+" | "-") product)*
//! product = factor (("*" | "/") factor)*
//! factor  = "-" factor | primary ("^" whole number)?
//! primary = number unit? | name | name "." name | name "(" sum ("," sum)* ")" | "(" sum ")"
//! ```

use super::descriptor::Descriptor;
use super::dimension::Dimension;
use super::error::ExpressionError;
use super::expression::{Expression, Function, Leaf, Operator, QuantityOf};
use super::quantity::{ENERGY, OF_NO_SUM};
use super::unit::Unit;

/// An expression as it was written.
#[derive(Clone, Debug, PartialEq)]
pub enum Parsed {
    /// A number with its unit.
    Number(f64, Unit),
    /// A name: a descriptor, a property or a method.
    Name(String),
    /// `method.quantity`.
    Quantity(QuantityOf),
    /// The negative of an expression.
    Negative(Box<Parsed>),
    /// Two expressions joined by an operator.
    Binary(Operator, Box<Parsed>, Box<Parsed>),
    /// A whole power.
    Power(Box<Parsed>, i8),
    /// A function by its name.
    Call(String, Vec<Parsed>),
}

/// The function of a quantity that subtracts the free atoms.
const ATOMIZATION: &str = "atomization";

/// The names that an expression may use, besides functions and descriptors.
pub trait NameTable {
    /// The dimension of a quantity of a method.
    ///
    /// # Errors
    ///
    /// There is no such method, or it returns no such quantity.
    fn quantity(&self, of: &QuantityOf) -> Result<Dimension, ExpressionError>;
    /// The resolved expression of another property; none if no property has this name.
    ///
    /// # Errors
    ///
    /// That property cannot be resolved.
    fn property(&self, name: &str) -> Option<Result<Expression, ExpressionError>>;
    /// Returns true if a method has this name.
    fn is_method(&self, name: &str) -> bool;
}

/// Parses an expression.
///
/// # Errors
///
/// The text does not follow the grammar.
pub fn parse(text: &str) -> Result<Parsed, ExpressionError> {
    let (parsed, rest) = parse_prefix(text)?;
    match rest.trim_start() {
        "" => Ok(parsed),
        _ => Err(Parser { rest }.expected("an operator or the end")),
    }
}

/// Parses the expression at the beginning of a text; returns it with the rest of the text.
pub(super) fn parse_prefix(text: &str) -> Result<(Parsed, &str), ExpressionError> {
    let mut parser = Parser { rest: text };
    let parsed = parser.sum()?;
    Ok((parsed, parser.rest))
}

/// A parser and the rest of its text.
struct Parser<'t> {
    rest: &'t str,
}

impl<'t> Parser<'t> {
    fn expected(&self, expected: &'static str) -> ExpressionError {
        ExpressionError::Syntax {
            expected,
            found: self.rest.trim().to_owned(),
        }
    }

    /// Takes a sign if it is next.
    fn take(&mut self, sign: char) -> bool {
        let rest = self.rest.trim_start().strip_prefix(sign);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn sum(&mut self) -> Result<Parsed, ExpressionError> {
        let mut left = self.product()?;
        loop {
            let operator = match () {
                () if self.take('+') => Operator::Add,
                () if self.take('-') => Operator::Subtract,
                () => return Ok(left),
            };
            left = Parsed::Binary(operator, Box::new(left), Box::new(self.product()?));
        }
    }

    fn product(&mut self) -> Result<Parsed, ExpressionError> {
        let mut left = self.factor()?;
        loop {
            let operator = match () {
                () if self.take('*') => Operator::Multiply,
                () if self.take('/') => Operator::Divide,
                () => return Ok(left),
            };
            left = Parsed::Binary(operator, Box::new(left), Box::new(self.factor()?));
        }
    }

    fn factor(&mut self) -> Result<Parsed, ExpressionError> {
        if self.take('-') {
            return Ok(Parsed::Negative(Box::new(self.factor()?)));
        }
        let base = self.primary()?;
        if !self.take('^') {
            return Ok(base);
        }
        let negative = self.take('-');
        let digits = self.word(|c| c.is_ascii_digit());
        let exponent: i8 = digits.parse().map_err(|_| self.expected("a whole power"))?;
        let exponent = if negative { -exponent } else { exponent };
        Ok(Parsed::Power(Box::new(base), exponent))
    }

    fn primary(&mut self) -> Result<Parsed, ExpressionError> {
        if self.take('(') {
            let inner = self.sum()?;
            return match self.take(')') {
                true => Ok(inner),
                false => Err(self.expected("`)`")),
            };
        }
        if self
            .rest
            .trim_start()
            .starts_with(|c: char| c.is_ascii_digit())
        {
            return self.number();
        }
        let name = self.name()?;
        if self.take('.') {
            let quantity = self.name()?;
            return Ok(Parsed::Quantity(QuantityOf {
                method: name,
                quantity,
            }));
        }
        match self.take('(') {
            true => Ok(Parsed::Call(name, self.arguments()?)),
            false => Ok(Parsed::Name(name)),
        }
    }

    fn arguments(&mut self) -> Result<Vec<Parsed>, ExpressionError> {
        let mut arguments = vec![self.sum()?];
        while self.take(',') {
            arguments.push(self.sum()?);
        }
        match self.take(')') {
            true => Ok(arguments),
            false => Err(self.expected("`,` or `)`")),
        }
    }

    fn number(&mut self) -> Result<Parsed, ExpressionError> {
        let text = self.rest.trim_start();
        let end = number_length(text);
        let number = text[..end].parse().map_err(|_| self.expected("a number"))?;
        self.rest = &text[end..];
        let after = self.rest.trim_start();
        let unit = match Unit::prefix(after) {
            Some((unit, rest)) if after.starts_with(char::is_alphabetic) => {
                self.rest = rest;
                unit
            }
            _ => Unit::atomic(Dimension::NONE),
        };
        Ok(Parsed::Number(number, unit))
    }

    /// A name; in backquotes if it has other signs than letters, digits and underscores.
    fn name(&mut self) -> Result<String, ExpressionError> {
        if self.take('`') {
            let name = self.rest.split_once('`').map(|(name, rest)| {
                self.rest = rest;
                name.to_owned()
            });
            return name.ok_or_else(|| self.expected("a closing backquote"));
        }
        match self.word(|c| c.is_alphanumeric() || c == '_') {
            "" => Err(self.expected("a number or a name")),
            name => Ok(name.to_owned()),
        }
    }

    fn word(&mut self, belongs: impl Fn(char) -> bool) -> &'t str {
        let text = self.rest.trim_start();
        let end = text.find(|c| !belongs(c)).unwrap_or(text.len());
        self.rest = &text[end..];
        &text[..end]
    }
}

/// Bytes of the number at the beginning of a text: digits, a point, an exponent.
fn number_length(text: &str) -> usize {
    let digits = |from: usize| {
        let rest = &text[from..];
        from + rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len())
    };
    let mut end = digits(0);
    if text[end..].starts_with('.') {
        end = digits(end + 1);
    }
    if text[end..].starts_with(['e', 'E']) {
        let sign = usize::from(text[end + 1..].starts_with(['+', '-']));
        let exponent = digits(end + 1 + sign);
        if exponent > end + 1 + sign {
            end = exponent;
        }
    }
    end
}

impl Parsed {
    /// Resolves the names, and checks the units.
    ///
    /// # Errors
    ///
    /// A name stands for nothing, or an operation meets units that it does not allow.
    pub fn resolve(&self, names: &dyn NameTable) -> Result<Expression, ExpressionError> {
        let expression = self.resolved(names)?;
        expression.dimension().map(|_| expression)
    }

    fn resolved(&self, names: &dyn NameTable) -> Result<Expression, ExpressionError> {
        let boxed = |inner: &Self| inner.resolved(names).map(Box::new);
        Ok(match self {
            Self::Number(number, unit) => Expression::Number(*number, unit.clone()),
            Self::Name(name) => resolve_name(name, names)?,
            Self::Quantity(of) => Expression::Leaf(Leaf::Quantity(of.clone()), names.quantity(of)?),
            Self::Negative(inner) => Expression::Negative(boxed(inner)?),
            Self::Binary(operator, left, right) => {
                Expression::Binary(*operator, boxed(left)?, boxed(right)?)
            }
            Self::Power(base, exponent) => Expression::Power(boxed(base)?, *exponent),
            Self::Call(name, arguments) if name == ATOMIZATION => atomization(arguments, names)?,
            Self::Call(name, arguments) => {
                let function = Function::named(name).ok_or_else(|| unknown_function(name))?;
                let arguments = arguments.iter().map(|argument| argument.resolved(names));
                Expression::Call(function, arguments.collect::<Result<_, _>>()?)
            }
        })
    }
}

fn resolve_name(name: &str, names: &dyn NameTable) -> Result<Expression, ExpressionError> {
    if let Some(property) = names.property(name) {
        return property;
    }
    if let Some(descriptor) = Descriptor::named(name) {
        return Ok(Expression::Leaf(
            Leaf::Descriptor(descriptor),
            descriptor.dimension(),
        ));
    }
    Err(ExpressionError::UnknownName(match names.is_method(name) {
        true => format!("`{name}` is a method: write a quantity of it, as `{name}.energy`"),
        false => format!(
            "`{name}` is neither a property nor a descriptor ({})",
            descriptors()
        ),
    }))
}

/// `atomization(method)`: the energy of the molecule without that of its free atoms.
fn atomization(arguments: &[Parsed], names: &dyn NameTable) -> Result<Expression, ExpressionError> {
    let of = match arguments {
        [Parsed::Name(method)] => QuantityOf {
            method: method.clone(),
            quantity: ENERGY.to_owned(),
        },
        [Parsed::Quantity(of)] => of.clone(),
        [_] => {
            let message = "`atomization` takes a method: `atomization(energy_method)`";
            return Err(ExpressionError::UnknownName(message.to_owned()));
        }
        _ => {
            return Err(ExpressionError::Arguments {
                function: ATOMIZATION,
                expected: "one method",
                given: arguments.len(),
            });
        }
    };
    let dimension = names.quantity(&of)?;
    if OF_NO_SUM.contains(&of.quantity.as_str()) {
        let QuantityOf { method, quantity } = of;
        let message = format!(
            "`atomization({method}.{quantity})` has no meaning: `{quantity}` of a molecule is no sum \
             over its atoms; write `{method}.{quantity}`"
        );
        return Err(ExpressionError::UnknownName(message));
    }
    Ok(Expression::Binary(
        Operator::Subtract,
        Box::new(Expression::Leaf(Leaf::Quantity(of.clone()), dimension)),
        Box::new(Expression::Leaf(Leaf::FreeAtoms(of), dimension)),
    ))
}

fn descriptors() -> String {
    let names = Descriptor::ALL.map(|descriptor| format!("`{}`", descriptor.name()));
    names.join(", ")
}

fn unknown_function(name: &str) -> ExpressionError {
    let known = Function::ALL.iter().map(|function| function.name());
    let known: Vec<_> = known
        .chain([ATOMIZATION])
        .map(|name| format!("`{name}`"))
        .collect();
    let message = format!(
        "there is no function `{name}`; functions are {}",
        known.join(", ")
    );
    ExpressionError::UnknownName(message)
}
