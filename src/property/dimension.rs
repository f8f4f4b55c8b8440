//! Dimensions: the exponents of energy, length, charge, mass and temperature.

use std::fmt;
use std::ops::{Div, Mul};

/// Exponents of the base dimensions of a quantity. All zero: a plain number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dimension {
    exponents: [i8; 5],
}

/// The base dimensions with their atomic units, in the order of the exponents.
const BASE: [(&str, &str); 5] = [
    ("energy", "hartree"),
    ("length", "bohr"),
    ("charge", "e"),
    ("mass", "dalton"),
    ("temperature", "K"),
];

impl Dimension {
    /// A plain number.
    pub const NONE: Self = Self { exponents: [0; 5] };
    /// Energy of a molecule, or of a mole of them.
    pub const ENERGY: Self = Self::base(0);
    /// Length.
    pub const LENGTH: Self = Self::base(1);
    /// Electric charge.
    pub const CHARGE: Self = Self::base(2);
    /// Mass of a molecule, or of a mole of them.
    pub const MASS: Self = Self::base(3);
    /// Temperature.
    pub const TEMPERATURE: Self = Self::base(4);
    /// Electric dipole moment: charge times length.
    pub const DIPOLE: Self = Self {
        exponents: [0, 1, 1, 0, 0],
    };
    /// Volume, and polarizability divided by 4 pi epsilon_0.
    pub const VOLUME: Self = Self {
        exponents: [0, 3, 0, 0, 0],
    };
    /// Electric potential: energy per charge.
    pub const POTENTIAL: Self = Self {
        exponents: [1, 0, -1, 0, 0],
    };

    const fn base(place: usize) -> Self {
        let mut exponents = [0; 5];
        exponents[place] = 1;
        Self { exponents }
    }

    /// Returns true for a plain number.
    pub fn is_none(self) -> bool {
        self == Self::NONE
    }

    /// Returns the dimension of a power; none if an exponent becomes too large.
    pub fn power(self, exponent: i8) -> Option<Self> {
        let mut exponents = self.exponents;
        for e in &mut exponents {
            *e = e.checked_mul(exponent)?;
        }
        Some(Self { exponents })
    }

    /// Returns the dimension of a square root; none if an exponent is odd.
    pub fn square_root(self) -> Option<Self> {
        let is_even = self.exponents.iter().all(|e| e % 2 == 0);
        is_even.then(|| Self {
            exponents: self.exponents.map(|e| e / 2),
        })
    }

    /// Returns the name of its atomic unit: `hartree`, `hartree/K`; `1` for a plain number.
    pub fn atomic_unit(self) -> String {
        self.product(|(_, unit)| unit, "1")
    }

    fn product(
        self,
        name: impl Fn((&'static str, &'static str)) -> &'static str,
        one: &str,
    ) -> String {
        let (mut above, mut below) = (Vec::new(), Vec::new());
        for (base, exponent) in BASE.into_iter().zip(self.exponents) {
            let factor = match exponent.unsigned_abs() {
                1 => name(base).to_owned(),
                power => format!("{}^{power}", name(base)),
            };
            match exponent {
                0 => {}
                1.. => above.push(factor),
                ..0 => below.push(factor),
            }
        }
        let above = match above.is_empty() {
            true => one.to_owned(),
            false => above.join("*"),
        };
        below
            .into_iter()
            .fold(above, |text, factor| format!("{text}/{factor}"))
    }
}

impl Mul for Dimension {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        let mut exponents = self.exponents;
        for (e, more) in exponents.iter_mut().zip(other.exponents) {
            *e = e.saturating_add(more);
        }
        Self { exponents }
    }
}

impl Div for Dimension {
    type Output = Self;

    fn div(self, other: Self) -> Self {
        let mut exponents = self.exponents;
        for (e, less) in exponents.iter_mut().zip(other.exponents) {
            *e = e.saturating_sub(less);
        }
        Self { exponents }
    }
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_none() {
            true => f.write_str("a plain number"),
            false => f.write_str(&self.product(|(name, _)| name, "1")),
        }
    }
}
