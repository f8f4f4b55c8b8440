//! The `slurm` executor: tasks as jobs of their own, or as steps in blocks of nodes that are held for a while.

mod arrays;
mod commands;
mod pool;
#[cfg(test)]
mod pool_laws;
mod steps;

pub use self::commands::{Slurm, listed, shown};
pub use self::pool::Rules;
pub use self::steps::{BlockExecutor, Held};

pub(super) use self::arrays::is_among;
pub(super) use self::commands::time;
