//! Report page of a run that is at work: written again from time to time, on a thread of its own.

use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::error::causes;
use super::{report_page, run_dir};
use crate::report::{FILE, PageContext, ReportError};

/// Time between two pages.
pub const EVERY: Duration = Duration::from_secs(600);

/// Thread that writes the report page. It ends when this is dropped.
pub struct PageWriter {
    /// Its end tells the thread to end.
    stop: Option<Sender<()>>,
    failures: Receiver<String>,
    thread: Option<JoinHandle<()>>,
}

impl PageWriter {
    /// Begins to write the page of the run in `dir` after each `every`. A thread that cannot be
    /// started is a failure to write.
    pub fn begin(dir: &Path, context: PageContext, every: Duration) -> Self {
        let (stop, stopped) = channel();
        let (failed, failures) = channel();
        let dir = dir.to_owned();
        let of_thread = failed.clone();
        let write = move || write_pages(&dir, context, every, &stopped, &of_thread);
        let thread = thread::Builder::new()
            .name("report page".into())
            .spawn(write);
        let thread = thread.map_err(|e| failed.send(format!("{FILE}: {e}"))).ok();
        Self {
            stop: Some(stop),
            failures,
            thread,
        }
    }

    /// Returns a sentence for each failure since the last call.
    pub fn failures(&self) -> impl Iterator<Item = String> {
        self.failures.try_iter()
    }
}

impl Drop for PageWriter {
    /// Waits for a page that is being written: the last page of the run must not come before it.
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Writes a page after each `every`, until `stopped`. Of failures in a row only the first is
/// reported.
fn write_pages(
    dir: &Path,
    mut context: PageContext,
    every: Duration,
    stopped: &Receiver<()>,
    failed: &Sender<String>,
) {
    let mut has_failed = false;
    while stopped.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
        context.at = jiff::Timestamp::now().as_millisecond();
        let written = write_page(dir, &context);
        if let (Err(error), false) = (&written, has_failed) {
            let error = causes(error);
            let _ = failed.send(format!("{FILE} was not written, the run goes on: {error}"));
        }
        has_failed = written.is_err();
    }
}

fn write_page(dir: &Path, context: &PageContext) -> Result<(), ReportError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|source| ReportError::Write {
        what: FILE.to_owned(),
        source,
    })?;
    runtime.block_on(async {
        let mut store = run_dir::open_to_read(dir).await?;
        store.hold_still().await?;
        report_page::write(&mut store, dir, context).await
    })
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::config::campaign::Overrides;
    use crate::plan::{self, HostEnvironment};
    use crate::report::RunState;
    use crate::store::{RunInfo, Store};

    const SOON: Duration = Duration::from_millis(2);

    fn wait_until(mut is_so: impl FnMut() -> bool) {
        let begin = Instant::now();
        while !is_so() {
            assert!(begin.elapsed() < Duration::from_secs(60), "it never came");
            thread::sleep(SOON);
        }
    }

    #[test]
    fn a_page_is_written_again_and_again_and_failures_in_a_row_are_reported_once() {
        let dir = tempfile::tempdir().expect("a directory");
        let campaign = Path::new(env!("CARGO_MANIFEST_DIR")).join("campaigns/quickstart.yml");
        let (overrides, host) = (Overrides::default(), HostEnvironment::default());
        let (loaded, plan) = plan::load(&campaign, &overrides, &host).expect("a campaign");
        let context = report_page::page_context(dir.path(), &loaded, &plan, RunState::Running);
        let writer = PageWriter::begin(dir.path(), context, SOON);
        let mut failures = Vec::new();
        wait_until(|| {
            failures.extend(writer.failures());
            !failures.is_empty()
        });
        assert!(failures[0].starts_with("report.html was not written, the run goes on: "));
        let info = RunInfo {
            name: "00c0ffee".into(),
            campaign: "quickstart".into(),
            created: 0,
            version: "0.2.0".into(),
            objectives: vec![],
        };
        // As an engine does: nobody else may bring the new database to the present schema.
        let Ok(lock) = run_dir::lock(dir.path()) else {
            panic!("nobody has locked it")
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let created = runtime
            .expect("a runtime")
            .block_on(Store::create(dir.path(), &info));
        created.expect("a database");
        drop(lock);
        let page = dir.path().join(FILE);
        for _ in 0..2 {
            wait_until(|| page.exists());
            std::fs::remove_file(&page).expect("a page");
        }
        failures.extend(writer.failures());
        assert_eq!(failures.len(), 1, "{failures:?}");
        drop(writer);
        let _ = std::fs::remove_file(&page);
        thread::sleep(10 * SOON);
        assert!(!page.exists(), "its thread has ended");
    }
}
