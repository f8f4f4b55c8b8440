//! Learning: numbers in, numbers out. It knows no chemistry.

pub mod acquisition;
pub mod adam;
pub mod dqn;
pub mod environment;
pub mod moments;
pub mod network;
pub mod random_walk;
pub mod replay;
pub mod ridge;
pub mod saved;
pub mod saved_agent;
pub mod surrogate;
