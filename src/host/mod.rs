//! The host that the program runs on, as every layer uses it: hashes, files and the host's name.

pub mod atomic;
pub mod hash;
pub mod name;
