//! Machine learning on numbers, without chemistry: regression, acquisition, reinforcement learning.

pub mod acquisition;
pub mod adam;
pub mod dqn;
pub mod environment;
pub(crate) mod moments;
pub mod network;
pub(crate) mod random_walk;
pub mod regression;
mod replay;
pub mod ridge;
pub mod saved;
mod saved_agent;
