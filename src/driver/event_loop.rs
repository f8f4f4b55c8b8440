//! Event loop of a driver: it begins, applies one event after the other, and finishes.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until};

use super::attempt::TaskProgram;
use super::{Driver, DriverError, InitialMolecules, PartitionUsage, RunEnd, RunObserver};
use crate::exec::{Report, now};
use crate::store::{Commit, Store};
use crate::task::{Fact, Token};

/// Time between two reports of progress.
const TICK: Duration = Duration::from_millis(200);

/// Event that a driver waits for.
enum DriverEvent {
    /// An executor reports on an attempt.
    Reported(Report),
    /// Progress is due to be reported.
    Tick,
    /// The number of signals so far that asked for the end.
    Interrupted(u32),
    /// The backoff of an attempt is over.
    BackoffOver,
    /// Last moment of the batch job at which the end of running attempts can be journalled.
    LastMoment,
}

impl<P: TaskProgram> Driver<P> {
    /// Begins a new run with its molecules, or resumes an old one, and works on it to its end: see
    /// [`Driver::begin`] and [`Driver::work`].
    ///
    /// # Errors
    ///
    /// Those of both.
    pub async fn run(
        mut self,
        molecules: InitialMolecules,
        interrupts: watch::Receiver<u32>,
        observer: &mut dyn RunObserver,
    ) -> Result<(RunEnd, Store), DriverError> {
        self.begin(molecules).await?;
        self.work(interrupts, observer).await
    }

    /// Works on a run that has begun; returns at its end, or once `interrupts` counts 1 and running
    /// tasks have ended, or at once if it counts 2.
    ///
    /// # Errors
    ///
    /// Fails if the database fails or the run has to stop because of its host; `resume` continues
    /// it.
    pub async fn work(
        mut self,
        mut interrupts: watch::Receiver<u32>,
        observer: &mut dyn RunObserver,
    ) -> Result<(RunEnd, Store), DriverError> {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            if let Some(end) = self.reached_end(observer) {
                return self.finish(end, observer);
            }
            self.announce_halt(observer);
            let event = self.next_event(&mut tick, &mut interrupts).await;
            if let Some(end) = self.apply(event, observer).await? {
                return self.finish(end, observer);
            }
        }
    }

    /// Returns the end of the run, or of a drain, once it is reached; begins a drain if no task can
    /// start any more.
    fn reached_end(&mut self, observer: &mut dyn RunObserver) -> Option<RunEnd> {
        // An end that could not be committed does not count.
        if let Some(stopped_by) = self.engine.stopped_by()
            && !self.is_ahead()
        {
            return Some(RunEnd::Stopped(stopped_by));
        }
        if self.draining.is_none()
            && let Some(reason) = self.reason_to_drain()
        {
            self.drain(reason);
            observer.draining(reason);
        }
        let is_idle = self.context.executors.values().all(|e| e.busy() == 0);
        self.draining.filter(|_| is_idle && self.reports.is_empty())
    }

    async fn next_event(
        &mut self,
        tick: &mut Interval,
        interrupts: &mut watch::Receiver<u32>,
    ) -> DriverEvent {
        let last_moment = self.job.map(|(begin, time)| begin + time.last_moment());
        let due = self.later.first().map(|(due, ..)| *due);
        let due = due.filter(|_| self.draining.is_none());
        let at = |time: Option<Instant>| sleep_until(time.unwrap_or_else(Instant::now));
        tokio::select! {
            Some(report) = self.reports.recv() => DriverEvent::Reported(report),
            _ = tick.tick() => DriverEvent::Tick,
            Ok(()) = interrupts.changed() => DriverEvent::Interrupted(*interrupts.borrow_and_update()),
            () = at(due), if due.is_some() => DriverEvent::BackoffOver,
            () = at(last_moment), if last_moment.is_some() => DriverEvent::LastMoment,
        }
    }

    /// Applies an event; returns the end of the run if the event ends it at once.
    async fn apply(
        &mut self,
        event: DriverEvent,
        observer: &mut dyn RunObserver,
    ) -> Result<Option<RunEnd>, DriverError> {
        match event {
            DriverEvent::Reported(report) => {
                let taken = self.take_reports(report).await;
                self.halt_if_host(taken)?;
            }
            DriverEvent::Tick => {
                observer.report_progress(&self.engine.progress(), &self.usage());
                let deadline = self.engine.deadline();
                if deadline.is_some_and(|at| at <= now()) {
                    let taken = self.take(vec![Fact::TimeIsUp], Commit::default()).await;
                    self.halt_if_host(taken)?;
                }
            }
            DriverEvent::Interrupted(0) => {}
            DriverEvent::Interrupted(1) => {
                self.drain(RunEnd::Interrupted);
                observer.draining(RunEnd::Interrupted);
            }
            DriverEvent::Interrupted(_) => return Ok(Some(RunEnd::Interrupted)),
            DriverEvent::BackoffOver => {
                let taken = self.start_due().await;
                self.halt_if_host(taken)?;
            }
            DriverEvent::LastMoment => {
                if self.halted.is_none() {
                    self.give_up().await?;
                }
                return Ok(Some(RunEnd::JobOver));
            }
        }
        Ok(None)
    }

    /// Reports the last progress, terminates running attempts and returns the database.
    fn finish(
        mut self,
        end: RunEnd,
        observer: &mut dyn RunObserver,
    ) -> Result<(RunEnd, Store), DriverError> {
        if let (Some(halt), false) = (self.halted.take(), matches!(end, RunEnd::Stopped(_))) {
            // Nothing is deleted: the next engine takes in the files of attempts.
            return Err(halt.error(self.context.run_dir));
        }
        observer.report_progress(&self.engine.progress(), &self.usage());
        Ok((end, self.leave(observer)))
    }

    /// Terminates running attempts, deletes files that are not needed again and returns the
    /// database.
    fn leave(self, observer: &mut dyn RunObserver) -> Store {
        let Self {
            engine,
            store,
            context,
            files,
            cleaner,
            failed,
            ..
        } = self;
        for (partition, executor) in context.executors {
            for what in executor.end() {
                let what = format!("partition `{partition}`: {what}");
                tracing::error!("{what}");
                observer.left_behind(&what);
            }
        }
        let outstanding = engine.outstanding();
        let run = &context.run;
        let keep = outstanding.iter().map(|(task, attempt)| Token {
            run: run.clone(),
            task: *task,
            attempt: *attempt,
        });
        let keep: Vec<Token> = keep.collect();
        cleaner.finish(&outstanding.into_iter().chain(failed).collect());
        context.scratch.sweep(run, &keep);
        if let Err(e) = files.keep_only(&engine.live_files()) {
            tracing::warn!("could not delete a file that is no longer needed: {e}");
        }
        store
    }

    fn usage(&self) -> Vec<PartitionUsage> {
        let executors = self.context.executors.iter();
        executors
            .map(|(name, executor)| PartitionUsage {
                partition: name.clone(),
                busy: executor.busy(),
                slots: executor.slots(),
            })
            .collect()
    }
}
