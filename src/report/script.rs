//! The one script of the page, and the policy by which a browser runs no other.

use crate::host::hash;

/// Copies texts and turns molecules; the page is complete without it.
pub(super) const SCRIPT: &str = include_str!("../../templates/report.js");

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Returns the content security policy of the page: its styles, this script, no network.
pub(super) fn policy() -> String {
    let hash = base64(&hash::digest([SCRIPT.as_bytes()]));
    format!("default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{hash}'")
}

/// Returns bytes in base64, RFC 4648.
fn base64(bytes: &[u8]) -> String {
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let all = (0..3).fold(0, |all, n| {
            all << 8 | u32::from(*three.get(n).unwrap_or(&0))
        });
        for n in 0..4 {
            let digit = DIGITS[(all >> (18 - 6 * n) & 63) as usize];
            text.push(if n > three.len() {
                '='
            } else {
                char::from(digit)
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_its_standard() {
        // RFC 4648, section 10.
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }
}
