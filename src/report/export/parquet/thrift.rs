//! Structs in the compact protocol of Apache Thrift, in which Parquet writes its metadata.
//! <https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>

/// A struct whose fields are added in ascending order of their numbers.
pub struct Struct {
    bytes: Vec<u8>,
    last: u8,
}

const TRUE: u8 = 1;
const FALSE: u8 = 2;
const I32: u8 = 5;
const I64: u8 = 6;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const STRUCT: u8 = 12;

impl Struct {
    pub fn new() -> Self {
        Self {
            bytes: Vec::new(),
            last: 0,
        }
    }

    /// Adds the number and type of a field. Numbers are less than 16 apart.
    fn field(&mut self, number: u8, kind: u8) {
        self.bytes.push((number - self.last) << 4 | kind);
        self.last = number;
    }

    pub fn flag(&mut self, number: u8, value: bool) -> &mut Self {
        self.field(number, if value { TRUE } else { FALSE });
        self
    }

    pub fn int32(&mut self, number: u8, value: i32) -> &mut Self {
        self.field(number, I32);
        write_int(value.into(), &mut self.bytes);
        self
    }

    pub fn int64(&mut self, number: u8, value: i64) -> &mut Self {
        self.field(number, I64);
        write_int(value, &mut self.bytes);
        self
    }

    pub fn text(&mut self, number: u8, text: &str) -> &mut Self {
        self.field(number, BINARY);
        write_text(text, &mut self.bytes);
        self
    }

    pub fn nested(&mut self, number: u8, value: Self) -> &mut Self {
        self.field(number, STRUCT);
        self.bytes.extend(value.into_bytes());
        self
    }

    pub fn list(&mut self, number: u8, values: Vec<Self>) -> &mut Self {
        self.list_head(number, STRUCT, values.len());
        self.bytes
            .extend(values.into_iter().flat_map(Self::into_bytes));
        self
    }

    pub fn list_of_int32(&mut self, number: u8, values: &[i32]) -> &mut Self {
        self.list_head(number, I32, values.len());
        for value in values {
            write_int((*value).into(), &mut self.bytes);
        }
        self
    }

    pub fn list_of_text(&mut self, number: u8, values: &[&str]) -> &mut Self {
        self.list_head(number, BINARY, values.len());
        for text in values {
            write_text(text, &mut self.bytes);
        }
        self
    }

    fn list_head(&mut self, number: u8, kind: u8, length: usize) {
        self.field(number, LIST);
        match length {
            0..15 => self.bytes.push((length as u8) << 4 | kind),
            _ => {
                self.bytes.push(0xf0 | kind);
                write_varint(length as u64, &mut self.bytes);
            }
        }
    }

    /// The struct with its end.
    pub fn into_bytes(mut self) -> Vec<u8> {
        self.bytes.push(0);
        self.bytes
    }
}

/// Appends a number of seven bits a byte, the lowest first.
pub fn write_varint(mut number: u64, bytes: &mut Vec<u8>) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Appends a number whose sign is its lowest bit.
fn write_int(number: i64, bytes: &mut Vec<u8>) {
    write_varint((number << 1 ^ number >> 63).cast_unsigned(), bytes);
}

fn write_text(text: &str, bytes: &mut Vec<u8>) {
    write_varint(text.len() as u64, bytes);
    bytes.extend(text.as_bytes());
}
