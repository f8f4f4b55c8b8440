//! Observers of a run: what a driver reports while it works.

use super::RunEnd;
use crate::engine::Progress;
use crate::task::HostFault;

/// Tasks of a partition at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionUsage {
    /// Name of the partition.
    pub partition: String,
    /// Tasks that occupy its slots.
    pub busy: usize,
    /// Tasks that it runs at once.
    pub slots: usize,
}

/// An observer of a run. A driver calls it from its loop: an implementation must return soon.
pub trait RunObserver {
    /// Receives the progress of the run several times a second, and once more at its end.
    fn report_progress(&mut self, progress: &Progress, usage: &[PartitionUsage]);
    /// Receives the reason for which no more tasks are started, while those that run are awaited.
    fn draining(&mut self, _reason: RunEnd) {}
    /// Receives the fault of the host for which no more tasks are started, while those that run are
    /// awaited. Called once, for the first fault.
    fn halted(&mut self, _fault: HostFault) {}
    /// Receives a sentence about something that may still run although the run has ended or
    /// stopped: what it is, and how to end it.
    fn left_behind(&mut self, _what: &str) {}
}
