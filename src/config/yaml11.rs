//! Scalars of YAML 1.1 as PyYAML reads them, for which Python programs write their files: `yes`,
//! `010`, `1_000`, `1:30`. The patterns are those of `yaml/resolver.py`, version 6.0.

use super::tree::{TreeNode, Value};

/// Interprets the plain scalars of a tree by the rules of YAML 1.1.
pub fn resolve(node: &mut TreeNode) {
    match &mut node.value {
        Value::List(nodes) => nodes.iter_mut().for_each(resolve),
        Value::Map(entries) => entries.iter_mut().for_each(|(_, node)| resolve(node)),
        Value::Unknown => {}
        Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Number(_) | Value::Text(_) => {
            let written = node.place.written();
            // Quoted and tagged ones, and those of several lines, are as they were read.
            let is_plain = !written.starts_with(['"', '\'', '!', '|', '>', '&', '*']);
            let is_whole = !matches!(&node.value, Value::Text(text) if *text != written);
            if is_plain && is_whole && !written.is_empty() {
                node.value = plain(&written);
            }
        }
    }
}

/// The value of a plain scalar.
fn plain(text: &str) -> Value {
    match text {
        "~" | "null" | "Null" | "NULL" => return Value::Null,
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Value::Bool(true);
        }
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Value::Bool(false);
        }
        ".nan" | ".NaN" | ".NAN" => return Value::Number(f64::NAN),
        _ => {}
    }
    let value = integer(text).map(Value::Integer);
    let value = value.or_else(|| number(text).map(Value::Number));
    value.unwrap_or_else(|| Value::Text(text.to_owned()))
}

fn signed(text: &str) -> (i128, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    }
}

fn integer(text: &str) -> Option<i128> {
    let (sign, rest) = signed(text);
    let digits = rest.replace('_', "");
    let of = |digits: &str, radix| {
        // No second sign.
        let is_plain = digits.chars().all(|c| c.is_digit(radix));
        is_plain
            .then(|| i128::from_str_radix(digits, radix).ok())
            .flatten()
    };
    let size = match (digits.strip_prefix("0b"), digits.strip_prefix("0x")) {
        (Some(digits), _) => of(digits, 2)?,
        (_, Some(digits)) => of(digits, 16)?,
        _ if !rest.starts_with(|c: char| c.is_ascii_digit()) => return None,
        _ if digits == "0" => 0,
        _ if digits.starts_with('0') => of(&digits[1..], 8)?,
        _ => {
            let mut parts = digits.split(':');
            let mut size = of(parts.next()?, 10)?;
            for part in parts {
                size = size
                    .checked_mul(60)?
                    .checked_add(of(sexagesimal(part)?, 10)?)?;
            }
            size
        }
    };
    Some(sign * size)
}

/// One or two digits below 60.
fn sexagesimal(part: &str) -> Option<&str> {
    let is_one = matches!(part.as_bytes(), [b'0'..=b'9'] | [b'0'..=b'5', b'0'..=b'9']);
    is_one.then_some(part)
}

fn number(text: &str) -> Option<f64> {
    let (sign, rest) = signed(text);
    let sign = sign as f64;
    if [".inf", ".Inf", ".INF"].contains(&rest) {
        return Some(sign * f64::INFINITY);
    }
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        // Without a sign it is no exponent to PyYAML.
        Some((mantissa, exponent)) if exponent.starts_with(['+', '-']) => {
            let digits = &exponent[1..];
            let is_plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            (mantissa, is_plain.then_some(exponent)?)
        }
        Some(_) => return None,
        None => (rest, "0"),
    };
    let (whole, fraction) = mantissa.split_once('.')?;
    let is_plain = |digits: &str| {
        digits
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'_')
    };
    let (leading, last) = whole
        .rsplit_once(':')
        .map_or((None, whole), |(l, w)| (Some(l), w));
    let begins = |digits: &str| digits.starts_with(|c: char| c.is_ascii_digit());
    let is_number = is_plain(last) && is_plain(fraction) && (begins(whole) || begins(fraction));
    // A number without a digit before the point has no sign to PyYAML.
    if !is_number || whole.is_empty() && rest.len() < text.len() {
        return None;
    }
    let digits = format!("{last}.{fraction}e{exponent}").replace('_', "");
    let size: f64 = digits.parse().ok()?;
    match leading {
        None => Some(sign * size),
        Some(_) if exponent != "0" => None,
        Some(leading) => {
            sexagesimal(last)?;
            Some(sign * (integer(leading)? as f64 * 60.0 + size))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by `tests/goldens/config_pyyaml.py` with PyYAML 6.0.
    const GOLDEN: &str = include_str!("../../tests/goldens/config_pyyaml.json");

    #[test]
    fn scalars_are_read_as_by_pyyaml() {
        let golden: Vec<(String, serde_json::Value)> =
            serde_json::from_str(GOLDEN).expect("pairs of a text and its value");
        assert!(golden.len() > 60);
        for (text, value) in golden {
            let read = match plain(&text) {
                Value::Null => serde_json::Value::Null,
                Value::Bool(value) => value.into(),
                Value::Integer(value) => i64::try_from(value).expect("a small number").into(),
                Value::Number(value) if value.is_finite() => value.into(),
                Value::Number(value) => format!("{value}").to_lowercase().into(),
                Value::Text(text) => format!("text {text}").into(),
                other => panic!("{text} became {other:?}"),
            };
            assert_eq!(read, value, "{text}");
        }
    }
}
