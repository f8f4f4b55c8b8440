//! SHA-256, and its notation in lower-case hexadecimal digits.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

/// Returns the SHA-256 of the concatenated parts.
pub fn digest<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

/// Returns the SHA-256 of `content` as 64 hexadecimal digits.
pub fn sha256(content: impl AsRef<[u8]>) -> String {
    hex(&digest([content.as_ref()]))
}

/// Returns the SHA-256 of all that `reader` yields, as 64 hexadecimal digits, and the number of
/// bytes read.
///
/// # Errors
///
/// Any error of `reader`.
pub fn sha256_of_reader(reader: &mut impl Read) -> io::Result<(String, u64)> {
    let mut hash = Sha256::new();
    let bytes = io::copy(reader, &mut hash)?;
    Ok((hex(&hash.finalize()), bytes))
}

/// Returns the SHA-256 of a file as 64 hexadecimal digits.
///
/// # Errors
///
/// The file cannot be opened or read.
pub fn sha256_of_file(path: &Path) -> io::Result<String> {
    sha256_of_reader(&mut File::open(path)?).map(|(sha256, _)| sha256)
}

/// Returns two lower-case hexadecimal digits per byte.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_parts_is_that_of_the_whole() {
        // FIPS 180-4, the example `abc`.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256("abc"), abc);
        assert_eq!(hex(&digest([&b"a"[..], b"bc"])), abc);
        let read = sha256_of_reader(&mut &b"abc"[..]).expect("bytes can be read");
        assert_eq!(read, (abc.to_owned(), 3));
    }
}
