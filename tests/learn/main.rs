//! Models, acquisitions and Pareto fronts, held against published programs.

mod acquisition;
mod dqn;
mod pareto;
mod ridge;
