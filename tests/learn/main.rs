//! Models, acquisitions and Pareto fronts, held against published programs.

mod acquisition;
mod dqn;
mod gaussian_process;
mod pareto;
mod ridge;
