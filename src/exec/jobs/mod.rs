//! One job per task, through any scheduler that is reached by any transport.

mod attempt_dir;
mod cancel;
mod event;
mod executor;
mod queue;
#[cfg(test)]
mod queue_laws;
mod remote_host;

pub(crate) use self::cancel::cancel_all;
pub use self::executor::JobExecutor;
pub use self::remote_host::RemoteHost;
