//! Learning: numbers in, numbers out. It knows no chemistry.

pub mod acquisition;
