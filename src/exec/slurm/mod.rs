//! The `slurm` executor: tasks as jobs of their own, or as steps in blocks of nodes that are held for a while.

mod pool;
#[cfg(test)]
mod pool_laws;
mod steps;

pub use self::pool::Rules;
pub use self::steps::{BlockExecutor, Held};
