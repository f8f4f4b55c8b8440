//! Observers of a run, to which a driver reports while it works.

use super::RunEnd;
use crate::engine::Progress;
use crate::task::HostFault;

/// Tasks of a partition at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionUsage {
    /// Name of the partition.
    pub partition: String,
    /// Number of slots in use.
    pub busy: usize,
    /// Number of slots.
    pub slots: usize,
}

/// Observer of a run. The driver calls it from its event loop: implementations must return soon.
pub trait RunObserver {
    /// Receives the progress of the run several times a second, and once more at its end.
    fn report_progress(&mut self, progress: &Progress, usage: &[PartitionUsage]);
    /// Receives the reason for which no more tasks are started and running ones are awaited.
    fn draining(&mut self, _reason: RunEnd) {}
    /// Receives the fault of the host for which no more tasks are started and running ones are
    /// awaited. Called once, for the first fault.
    fn halted(&mut self, _fault: HostFault) {}
    /// Receives a sentence that names a process or job that may still run after the run, and tells
    /// how to terminate it.
    fn left_behind(&mut self, _what: &str) {}
}
