//! Models, acquisitions and Pareto fronts, held against published programs.

mod acquisition;
mod bootstrap;
mod dqn;
mod gaussian_process;
mod pareto;
mod ridge;
