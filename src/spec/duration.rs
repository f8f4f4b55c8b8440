//! A length of time as people write it: `90s`, `2m`, `1h 30m`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use jiff::fmt::friendly::{Designator, Spacing, SpanParser, SpanPrinter};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, de};

/// A length of time, longer than zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration(std::time::Duration);

/// The `format` by which the JSON Schema marks a duration.
pub const FORMAT: &str = "friendly-duration";

impl Duration {
    pub const fn from_secs(seconds: u64) -> Self {
        Self(std::time::Duration::from_secs(seconds))
    }

    pub fn get(self) -> std::time::Duration {
        self.0
    }
}

impl From<Duration> for std::time::Duration {
    fn from(duration: Duration) -> Self {
        duration.0
    }
}

impl FromStr for Duration {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match SpanParser::new().parse_unsigned_duration(text.trim()) {
            Ok(duration) if duration.is_zero() => Err("must be longer than zero".into()),
            Ok(duration) => Ok(Self(duration)),
            Err(_) => Err("is not a duration".into()),
        }
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let printer = SpanPrinter::new()
            .designator(Designator::Compact)
            .spacing(Spacing::BetweenUnits);
        f.write_str(&printer.unsigned_duration_to_string(&self.0))
    }
}

impl Serialize for Duration {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

impl JsonSchema for Duration {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A length of time: `90s`, `2m`, `1h 30m`.",
            "type": "string",
            "format": FORMAT,
            "pattern": r"^\s*[0-9][0-9.]*\s*(h|m|s|ms|us|ns|hours?|hrs?|minutes?|mins?|seconds?|secs?|milliseconds?|millis|msecs?)\b",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_duration_is_written_as_it_is_read() {
        for text in ["90ms", "2m", "1h 30m", "36h", "1m 30s"] {
            assert_eq!(text.parse::<Duration>().unwrap().to_string(), text);
        }
        assert_eq!("90s".parse::<Duration>().unwrap(), Duration::from_secs(90));
    }

    #[test]
    fn nonsense_is_no_duration() {
        for text in [
            "",
            "2",
            "m",
            "2 parsecs",
            "-2m",
            "0s",
            "1h ago",
            "1e400s",
            "NaN",
        ] {
            assert!(text.parse::<Duration>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_written_duration_reads_as_itself(milliseconds in 1..u64::from(u32::MAX)) {
            let duration = Duration(std::time::Duration::from_millis(milliseconds));
            prop_assert_eq!(duration.to_string().parse::<Duration>(), Ok(duration));
        }
    }
}
