//! The `slurm` executor: tasks as jobs of their own, or as steps in blocks of nodes that are held
//! for a while.

mod block_executor;
mod pool;
#[cfg(test)]
mod pool_laws;
mod step;

pub use self::block_executor::{BlockExecutor, BlockParams};
pub use self::pool::BlockPolicy;
