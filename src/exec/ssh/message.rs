//! Messages between this host and the program on the remote host: one request, one answer.

use serde::{Deserialize, Serialize};

/// Start of a message, after other output of the shell of the remote host.
const MARK: &[u8] = b"\0moldflow\0";

/// Request to the remote host, and attempts that it may remove.
#[derive(Debug, Serialize, Deserialize)]
pub struct ExchangeMessage<'m> {
    /// Tokens of attempts that ended and were fetched.
    #[serde(borrow)]
    pub done: Vec<&'m str>,
    /// The request.
    pub request: ExchangeRequest<'m>,
}

/// Request to the remote host.
#[derive(Debug, Serialize, Deserialize)]
pub enum ExchangeRequest<'m> {
    /// Makes the directory of an attempt, unless it exists.
    Put {
        /// Name of the attempt.
        token: &'m str,
        /// Files that are written.
        #[serde(borrow)]
        files: Vec<MessageFile<'m>>,
        /// SHA-256 of a file that the host keeps, and its name in the directory.
        #[serde(borrow)]
        links: Vec<(&'m str, &'m str)>,
    },
    /// Keeps files under the SHA-256 that is their name.
    Keep(#[serde(borrow)] Vec<MessageFile<'m>>),
    /// Asks for the files in the directory of an attempt, those of `except` left out.
    Get {
        /// Name of the attempt.
        token: &'m str,
        /// Paths in the directory that are not sent.
        #[serde(borrow)]
        except: Vec<&'m str>,
    },
    /// Removes old attempts of `run` other than `keep`, and attempts of runs long gone.
    Sweep {
        /// Name of the run.
        run: &'m str,
        /// Tokens of attempts that are kept.
        #[serde(borrow)]
        keep: Vec<&'m str>,
    },
}

/// File of an attempt.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageFile<'m> {
    /// Path in the directory, with `/`.
    pub name: &'m str,
    /// Content.
    pub content: &'m [u8],
}

/// Answer of the remote host.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExchangeAnswer<'m> {
    /// It was done.
    Done,
    /// The host keeps no files with these SHA-256; nothing was done.
    Missing(#[serde(borrow)] Vec<&'m str>),
    /// Files of an attempt.
    Files(#[serde(borrow)] Vec<MessageFile<'m>>),
    /// There is no such attempt.
    NoAttempt,
    /// It failed: the reason.
    Failed(&'m str),
}

impl ExchangeMessage<'_> {
    /// Returns the message as bytes.
    pub fn encoded(&self) -> Vec<u8> {
        encoded(self)
    }
}

impl ExchangeAnswer<'_> {
    /// Returns the message as bytes.
    pub fn encoded(&self) -> Vec<u8> {
        encoded(self)
    }
}

/// Decoded message; None if it is cut short or something else.
pub fn decoded<'m, T: Deserialize<'m>>(bytes: &'m [u8]) -> Option<T> {
    let start = bytes
        .windows(MARK.len())
        .position(|window| window == MARK)?;
    let rest = bytes[start + MARK.len()..].strip_prefix(VERSION.as_bytes())?;
    postcard::from_bytes(rest).ok()
}

/// Another version may mean something else by the same bytes.
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");

fn encoded<T: Serialize>(message: &T) -> Vec<u8> {
    let head = [MARK, VERSION.as_bytes()].concat();
    // It fails on types of unknown length only, and these have none.
    postcard::to_extend(message, head).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_message_is_read_whole_or_not_at_all(
            noise in "[a-z\n]{0,20}",
            name in "[a-z./]{1,20}",
            content in proptest::collection::vec(any::<u8>(), 0..200),
            cut in 1usize..100,
        ) {
            let answer = ExchangeAnswer::Files(vec![MessageFile { name: &name, content: &content }]);
            let bytes = [noise.as_bytes(), &answer.encoded()].concat();
            prop_assert_eq!(decoded(&bytes), Some(answer));
            let short = &bytes[..bytes.len().saturating_sub(cut)];
            prop_assert_eq!(decoded::<ExchangeAnswer>(short), None);
        }
    }
}
