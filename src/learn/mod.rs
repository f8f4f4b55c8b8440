//! Machine learning on numbers, without chemistry: surrogates, acquisition, reinforcement learning.

pub mod acquisition;
pub mod adam;
pub mod dqn;
pub mod environment;
pub(crate) mod moments;
pub mod network;
pub mod pareto;
pub(crate) mod random_walk;
mod replay;
pub mod ridge;
pub mod saved;
mod saved_agent;
pub mod surrogate;
