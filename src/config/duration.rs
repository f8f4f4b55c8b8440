//! A length of time: `90s`, `1h 30m`, `2d`, or as schedulers write it: `36:00:00`, `1-12:00:00`.

use std::fmt;
use std::str::FromStr;

use jiff::fmt::friendly::{Designator, Spacing, SpanParser, SpanPrinter};

use crate::text::text_form::text_form;

/// A length of time, longer than zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration(std::time::Duration);

/// The `format` by which the JSON Schema marks a duration.
pub const FORMAT: &str = "friendly-duration";

impl Duration {
    /// Returns a duration of this many seconds, which must not be zero.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(std::time::Duration::from_secs(seconds))
    }

    /// Returns this length, or a millisecond if it is shorter.
    pub fn at_least_a_millisecond(length: std::time::Duration) -> Self {
        Self(length.max(std::time::Duration::from_millis(1)))
    }

    /// Returns the same length as the type of the standard library.
    pub fn get(self) -> std::time::Duration {
        self.0
    }

    /// Returns a duration of whole seconds.
    pub const fn of_seconds(seconds: u64) -> Self {
        Self(std::time::Duration::from_secs(seconds))
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
        let text = text.trim();
        if is_number(text) {
            return Err(format!("has no unit: {}", hint_for_number(text)));
        }
        match clock(text).or_else(|| in_words(text)) {
            Some(duration) if duration.is_zero() => Err("must be longer than zero".into()),
            Some(duration) => Ok(Self(duration)),
            None => Err("is not a duration".into()),
        }
    }
}

/// Hint for a number without a unit: Slurm reads it as minutes, PBS as seconds.
pub fn hint_for_number(number: impl fmt::Display) -> String {
    format!("write `{number}s`, `{number}m` or `{number}h`")
}

fn is_number(text: &str) -> bool {
    text.parse::<f64>().is_ok_and(f64::is_finite)
}

/// Reads `MM:SS`, `HH:MM:SS`, `D-HH`, `D-HH:MM` and `D-HH:MM:SS`, the forms of Slurm (`man sbatch`,
/// `--time`); those without days mean the same to PBS (`man qsub`, `[[HH:]MM:]SS`).
fn clock(text: &str) -> Option<std::time::Duration> {
    let number = |part: &str| {
        let is_plain = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        is_plain.then(|| part.parse::<u64>().ok()).flatten()
    };
    let (days, rest) = match text.split_once('-') {
        Some((days, rest)) => (Some(number(days)?), rest),
        None => (None, text),
    };
    let parts: Vec<u64> = rest.split(':').map(number).collect::<Option<_>>()?;
    let (hours, minutes, seconds) = match (days, parts.as_slice()) {
        (None, [minutes, seconds]) => (0, *minutes, *seconds),
        (_, [hours, minutes, seconds]) => (*hours, *minutes, *seconds),
        (Some(_), [hours, minutes]) => (*hours, *minutes, 0),
        (Some(_), [hours]) => (*hours, 0, 0),
        _ => return None,
    };
    let hours = days.unwrap_or(0).checked_mul(24)?.checked_add(hours)?;
    let minutes = hours.checked_mul(60)?.checked_add(minutes)?;
    let seconds = minutes.checked_mul(60)?.checked_add(seconds)?;
    Some(std::time::Duration::from_secs(seconds))
}

/// Reads numbers with units; a day has 24 hours, a week seven days.
fn in_words(text: &str) -> Option<std::time::Duration> {
    let mut rest = text;
    let mut whole = std::time::Duration::ZERO;
    for (unit, hours) in [("w", 168), ("d", 24)] {
        if let Some((count, after)) = leading(rest, unit) {
            let seconds = count * f64::from(hours * 3600);
            whole = whole.checked_add(std::time::Duration::try_from_secs_f64(seconds).ok()?)?;
            rest = after;
        }
    }
    match rest {
        "" if !text.is_empty() => Some(whole),
        rest => {
            let parsed = SpanParser::new().parse_unsigned_duration(rest).ok()?;
            whole.checked_add(parsed)
        }
    }
}

/// Count of weeks (`w`) or days (`d`) at the start of a text, and the rest of the text.
fn leading<'t>(text: &'t str, unit: &str) -> Option<(f64, &'t str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (count, rest) = text.split_at(end);
    let rest = rest.trim_start();
    let end = rest.find(|c: char| !c.is_ascii_alphabetic());
    let (word, rest) = rest.split_at(end.unwrap_or(rest.len()));
    let is_unit = match unit {
        "w" => ["w", "wk", "wks", "week", "weeks"].contains(&word),
        _ => ["d", "day", "days"].contains(&word),
    };
    let rest = rest.trim_start().trim_start_matches(',').trim_start();
    is_unit.then(|| Some((count.parse().ok()?, rest))).flatten()
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let printer = SpanPrinter::new()
            .designator(Designator::Compact)
            .spacing(Spacing::BetweenUnits);
        f.write_str(&printer.unsigned_duration_to_string(&self.0))
    }
}

text_form!(Duration, {
    "description": "A length of time: `90s`, `1h 30m`, `2d`, or as Slurm writes it: `HH:MM:SS`, `D-HH:MM:SS`, `MM:SS`.",
    "type": "string",
    "format": FORMAT,
    "pattern": concat!(
        r"^\s*([0-9][0-9.]*\s*(w|wks?|weeks?|d|days?|h|m|s|ms|us|ns|hours?|hrs?|minutes?|mins?|seconds?|secs?|milliseconds?",
        r"|millis|msecs?)([^A-Za-z]|$)|([0-9]+-)?[0-9]+:[0-9]+(:[0-9]+)?\s*$|[0-9]+-[0-9]+\s*$)"
    ),
});

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

    /// The forms of `man sbatch` (Slurm 22.05); those without days are those of PBS, too.
    #[test]
    fn a_time_limit_of_a_batch_script_means_what_it_means_there() {
        for (text, seconds) in [
            ("24:00", 24 * 60),
            ("90:30", 90 * 60 + 30),
            ("24:00:00", 24 * 3600),
            ("1-00:00:00", 24 * 3600),
            ("1-12", 36 * 3600),
            ("2-03:30", 51 * 3600 + 1800),
            ("0:30", 30),
        ] {
            assert_eq!(text.parse(), Ok(Duration::from_secs(seconds)), "{text}");
        }
    }

    #[test]
    fn days_and_weeks_have_whole_hours() {
        for (text, hours) in [
            ("2d", 48),
            ("1.5 days", 36),
            ("1 day, 12h", 36),
            ("1d 2h", 26),
            ("1w 1d", 192),
        ] {
            let expected = Duration::from_secs(hours * 3600);
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_number_without_a_unit_is_told_its_way_out() {
        for text in ["60", "1.5", " 60 ", "1e3"] {
            let why = text.parse::<Duration>().expect_err(text);
            assert!(why.contains(&format!("`{}m`", text.trim())), "{why}");
        }
    }

    #[test]
    fn nonsense_is_no_duration() {
        for text in [
            "",
            "m",
            "d",
            "1d2",
            "1-",
            "-1:00",
            "1:2:3:4",
            "1:-2",
            "1-2-3",
            "99999999999999999999d",
            "9999999999999999-00",
            "0:00",
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
