//! The `slurm` executor: tasks as jobs of their own, or as steps in blocks of nodes that are held for a while.

mod arrays;
mod block_executor;
mod commands;
mod pool;
#[cfg(test)]
mod pool_laws;
mod step;

pub use self::block_executor::{BlockBackend, BlockExecutor, BlockParams};
pub use self::commands::{Slurm, listed, shown};
pub use self::pool::BlockPolicy;

pub(super) use self::arrays::is_among;
pub(super) use self::commands::time;
