//! Observers of a run: the user interface, and the job that the run is in.

use std::collections::BTreeMap;

use super::job_chain::CurrentJob;
use super::notify::Notifier;
use super::page_writer::PageWriter;
use crate::driver::{PartitionUsage, RunEnd, RunObserver};
use crate::engine::Progress;
use crate::task::HostFault;

/// Observer of a run: receives its progress, as `RunObserver`, and notices for the user.
pub trait SessionObserver: RunObserver {
    /// Sets the names of molecules by their SMILES. Called once, before the first progress.
    fn set_names(&mut self, names: BTreeMap<String, String>);
    /// Receives a notice, one line without its end.
    fn notice(&mut self, line: &str);
    /// Called once when no further progress comes, before the outcome is known.
    fn finish(&mut self);
}

/// Passes the progress of a run to its observer, to the job that it runs in and to the command of the
/// user.
pub struct RunMonitor<'a> {
    /// User interface.
    pub observer: &'a mut dyn SessionObserver,
    /// Job that the run is in; none outside of `moldflow submit`.
    pub job: Option<CurrentJob>,
    /// Teller of events; none unless the campaign asks for it.
    pub notifier: Option<Notifier>,
    /// Writes the report page meanwhile.
    pub page: PageWriter,
}

impl RunObserver for RunMonitor<'_> {
    fn report_progress(&mut self, progress: &Progress, usage: &[PartitionUsage]) {
        self.observer.report_progress(progress, usage);
        if let Some(job) = &mut self.job {
            job.record_progress(progress.ended);
        }
        if let Some(notifier) = &mut self.notifier {
            notifier.report_progress(progress);
        }
        for failure in self.page.failures() {
            tracing::warn!("{failure}");
            self.observer.notice(&failure);
        }
    }

    fn draining(&mut self, why: RunEnd) {
        self.observer.draining(why);
    }

    fn halted(&mut self, fault: HostFault) {
        self.observer.halted(fault);
        if let Some(notifier) = &mut self.notifier {
            notifier.halted(fault);
        }
    }

    fn left_behind(&mut self, what: &str) {
        self.observer.left_behind(what);
    }
}
