//! An amount of memory with a unit: `192 GiB`.

use std::fmt;
use std::str::FromStr;

use super::text_form::text_form;

/// Memory of a node: `auto`, or a number of bytes with a unit, `192 GiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// Memory that the host reports.
    Auto,
    /// Number of bytes, at least one.
    Bytes(u64),
}

/// An amount of memory, at least one byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Amount(u64);

impl Amount {
    /// Returns an amount of at least 1 GiB.
    pub(crate) const fn of_gibibytes(number: u32) -> Self {
        let number = if number == 0 { 1 } else { number };
        Self((number as u64) << 30)
    }

    /// Returns the amount in bytes.
    pub fn bytes(self) -> u64 {
        self.0
    }

    /// Returns the amount in MiB, rounded up.
    pub fn mebibytes(self) -> u64 {
        self.0.div_ceil(1 << 20)
    }
}

/// Units of memory, largest first.
const UNITS: [(&str, u64); 8] = [
    ("TiB", 1 << 40),
    ("TB", 1_000_000_000_000),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("kB", 1_000),
];

/// The `format` by which the JSON Schema marks an amount of memory or `auto`.
pub const MEMORY_FORMAT: &str = "memory";
/// The `format` by which the JSON Schema marks an amount of memory.
pub const AMOUNT_FORMAT: &str = "memory-amount";

impl FromStr for Memory {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text == "auto" {
            return Ok(Self::Auto);
        }
        let digits = text
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let unit = UNITS.iter().find(|(name, _)| *name == unit.trim_start());
        match (number.parse::<u64>(), unit) {
            (Ok(number @ 1..), Some((_, unit))) => {
                let bytes = number.checked_mul(*unit).ok_or("is too much memory")?;
                Ok(Self::Bytes(bytes))
            }
            _ => Err("is not an amount of memory".into()),
        }
    }
}

impl FromStr for Amount {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse()? {
            Memory::Bytes(bytes) => Ok(Self(bytes)),
            Memory::Auto => Err("is not an amount of memory".into()),
        }
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        Memory::Bytes(self.0).fmt(f)
    }
}

text_form!(Amount, {
    "description": "A whole number with a unit: `4 GiB`.",
    "type": "string",
    "format": AMOUNT_FORMAT,
    "pattern": r"^\s*[1-9][0-9]*\s*(TiB|TB|GiB|GB|MiB|MB|KiB|kB)\s*$",
});

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Bytes(bytes) => {
                let whole = UNITS.iter().find(|(_, unit)| bytes % unit == 0);
                match whole {
                    Some((name, unit)) => write!(f, "{} {name}", bytes / unit),
                    // The memory that the system reports need not be a whole number of kilobytes.
                    None => write!(f, "{} kB", bytes.div_ceil(1_000)),
                }
            }
        }
    }
}

text_form!(Memory, {
    "description": "`auto`, or a whole number with a unit: `192 GiB`.",
    "type": "string",
    "format": MEMORY_FORMAT,
    "pattern": r"^\s*(auto|[1-9][0-9]*\s*(TiB|TB|GiB|GB|MiB|MB|KiB|kB))\s*$",
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_written_as_it_is_read() {
        for text in ["auto", "192 GiB", "3 TB", "7 kB"] {
            assert_eq!(text.parse::<Memory>().unwrap().to_string(), text);
        }
        assert_eq!("1 MB".parse::<Amount>().unwrap().mebibytes(), 1);
        assert_eq!("3 GiB".parse::<Amount>().unwrap().mebibytes(), 3072);
        assert!("auto".parse::<Amount>().is_err());
        for text in [
            "",
            "GiB",
            "0 GiB",
            "-1 GiB",
            "1.5 GiB",
            "12 parsec",
            "99999999999 TiB",
        ] {
            assert!(text.parse::<Memory>().is_err(), "{text}");
        }
    }
}
