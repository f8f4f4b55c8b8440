//! Keys, read off the bytes that a terminal in raw mode sends.

/// Key that `moldflow top` knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// A letter, digit or sign.
    Char(char),
    /// Tab.
    Tab,
    /// Shift and Tab.
    BackTab,
    /// Enter.
    Enter,
    /// Escape alone.
    Escape,
    /// Arrow up.
    Up,
    /// Arrow down.
    Down,
    /// Page up.
    PageUp,
    /// Page down.
    PageDown,
    /// Ctrl-C, or the end of the input.
    Interrupt,
}

/// Escape sequences of terminals, without the escape.
const SEQUENCES: [(&[u8], Key); 7] = [
    (b"[A", Key::Up),
    (b"OA", Key::Up),
    (b"[B", Key::Down),
    (b"OB", Key::Down),
    (b"[Z", Key::BackTab),
    (b"[5~", Key::PageUp),
    (b"[6~", Key::PageDown),
];

/// Splits what one read returned into keys; others are left out.
pub(super) fn decode(mut bytes: &[u8]) -> Vec<Key> {
    let mut keys = Vec::new();
    while let Some((first, rest)) = bytes.split_first() {
        bytes = rest;
        keys.extend(match first {
            0x1b => {
                let (key, length) = after_escape(rest);
                bytes = &rest[length..];
                key
            }
            3 | 4 => Some(Key::Interrupt),
            b'\t' => Some(Key::Tab),
            b'\r' | b'\n' => Some(Key::Enter),
            b' '..=b'~' => Some(Key::Char(char::from(*first))),
            _ => None,
        });
    }
    keys
}

/// Returns the key that follows an escape, and the number of its bytes.
fn after_escape(rest: &[u8]) -> (Option<Key>, usize) {
    let known = SEQUENCES.iter().find(|(bytes, _)| rest.starts_with(bytes));
    match (known, rest) {
        (Some((bytes, key)), _) => (Some(*key), bytes.len()),
        (None, [b'[' | b'O', sequence @ ..]) => {
            let end = sequence.iter().position(|byte| matches!(byte, b'@'..=b'~'));
            (None, end.map_or(rest.len(), |end| end + 2))
        }
        (None, _) => (Some(Key::Escape), 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_of_terminals_are_keys() {
        let keys = decode(b"q\x1b[A\x1bOB\x1b[Z\t\r\x1b[6~\x1b[15~3\x03\x1b");
        let expected = [
            Key::Char('q'),
            Key::Up,
            Key::Down,
            Key::BackTab,
            Key::Tab,
            Key::Enter,
            Key::PageDown,
            Key::Char('3'),
            Key::Interrupt,
            Key::Escape,
        ];
        assert_eq!(keys, expected);
    }

    #[test]
    fn unknown_bytes_are_no_keys() {
        assert_eq!(decode("ä\x1b[1;5".as_bytes()), []);
    }
}
