//! Machine learning on numbers, without chemistry: regression, acquisition, reinforcement learning.

pub mod acquisition;
pub mod adam;
pub mod bootstrap;
pub mod calibration;
pub mod counts;
pub mod dqn;
pub mod environment;
pub mod gaussian_process;
pub mod joint;
pub(crate) mod moments;
pub mod network;
pub mod pareto;
pub mod quasi_newton;
pub(crate) mod random_walk;
pub mod regression;
mod replay;
pub mod ridge;
pub mod saved;
mod saved_agent;
