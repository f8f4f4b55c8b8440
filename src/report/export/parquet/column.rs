//! Values of a column of a row group, and the page that they become.

use std::io::{self, Read};

use flate2::Compression;
use flate2::read::GzEncoder;
use serde_json::Value;

use super::super::columns::ColumnKind;
use super::thrift::{Struct, write_varint};

/// Number of the compression by gzip.
pub const GZIP: i32 = 2;

/// Values of a column, in plain encoding.
pub struct ColumnBuffer {
    kind: ColumnKind,
    /// Definition levels: false for a null.
    defined: Vec<bool>,
    bytes: Vec<u8>,
    flags: Vec<bool>,
}

/// A page with its header.
pub struct Page {
    pub bytes: Vec<u8>,
    /// Size that header and values would have without compression.
    pub uncompressed_size: i64,
}

impl ColumnBuffer {
    pub fn new(kind: ColumnKind) -> Self {
        Self {
            kind,
            defined: Vec::new(),
            bytes: Vec::new(),
            flags: Vec::new(),
        }
    }

    /// Appends a value; one that is not of the column's type is a null.
    pub fn push(&mut self, value: &Value) {
        let defined = match self.kind {
            ColumnKind::Flag => value.as_bool().map(|flag| self.flags.push(flag)),
            ColumnKind::Integer | ColumnKind::Time => value.as_i64().map(|number| {
                self.bytes.extend(number.to_le_bytes());
            }),
            ColumnKind::Number => value.as_f64().map(|number| {
                self.bytes.extend(number.to_le_bytes());
            }),
            ColumnKind::Text => value.as_str().map(|text| {
                self.bytes.extend((text.len() as u32).to_le_bytes());
                self.bytes.extend(text.as_bytes());
            }),
        };
        self.defined.push(defined.is_some());
    }

    /// The page of the values.
    ///
    /// # Errors
    ///
    /// The compression fails.
    pub fn into_page(self) -> io::Result<Page> {
        // One run of packed bits.
        let mut levels = Vec::new();
        let packed = bits(&self.defined);
        write_varint((packed.len() as u64) << 1 | 1, &mut levels);
        levels.extend(packed);
        let mut body = (levels.len() as u32).to_le_bytes().to_vec();
        body.extend(levels);
        body.extend(bits(&self.flags));
        body.extend(self.bytes);
        let mut compressed = Vec::new();
        GzEncoder::new(body.as_slice(), Compression::default()).read_to_end(&mut compressed)?;
        let mut data = Struct::new();
        data.int32(1, self.defined.len() as i32)
            .int32(2, 0)
            .int32(3, 3)
            .int32(4, 3);
        let mut header = Struct::new();
        header
            .int32(1, 0)
            .int32(2, body.len() as i32)
            .int32(3, compressed.len() as i32)
            .nested(5, data);
        let mut bytes = header.into_bytes();
        let uncompressed_size = (bytes.len() + body.len()) as i64;
        bytes.extend(compressed);
        Ok(Page {
            bytes,
            uncompressed_size,
        })
    }
}

/// Packs bits into bytes, the lowest bit first.
fn bits(flags: &[bool]) -> Vec<u8> {
    let bytes = flags.chunks(8).map(|chunk| {
        let set = chunk.iter().enumerate().filter(|(_, flag)| **flag);
        set.map(|(place, _)| 1 << place).sum()
    });
    bytes.collect()
}
