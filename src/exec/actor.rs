//! Actor: a thread that runs one executor. Decisions are in a pure core, I/O is in a backend; the
//! thread, its inbox, the count of busy jobs and the shutdown are here, once for all executors.
//!
//! ```text
//! driver -- Request --> inbox --> Backend -- Event --> Core
//! clients -- Signal --^               ^                  |
//!                                     +---- Command -----+
//! ```

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::{Adoption, Executor, Job};
use crate::task::Token;

/// State machine of an executor: it decides which job is started, polled, cancelled and reported.
///
/// An implementation must be a function of its events: it does no I/O, reads no clock and starts no
/// thread. It must accept every event in every state, because commands fail, reports arrive twice,
/// and schedulers answer late or wrongly.
pub trait Core: Send + 'static {
    /// Fact that the backend learned.
    type Event: Send;
    /// Action for the backend to carry out.
    type Command: Send;

    /// Applies an event and returns the commands that follow from it, in the order in which they
    /// are to be performed. `at`: time since the actor was started, which never decreases.
    fn handle(&mut self, at: Duration, event: Self::Event) -> Vec<Self::Command>;

    /// Number of jobs that have begun, and for which no ending command (`is_end`) was returned yet.
    /// It decreases only when `handle` returns such a command.
    fn unreported(&self) -> usize;

    /// Number of jobs that can run at once. It may change, for example when a node is lost.
    fn slots(&self) -> usize;

    /// Returns true for a command that reports the end of a job. The job counts as busy until the
    /// command has been performed.
    fn is_end(command: &Self::Command) -> bool;
}

/// I/O side of an executor: turns requests and signals into events, and performs commands.
///
/// Methods are called by one thread, one at a time, and may block; while one blocks, the executor
/// makes no progress, but no caller of `Executor` waits, `adopt` with `ADOPTS_AT_ONCE` excepted.
pub trait Backend: Send + 'static {
    /// State machine that decides.
    type Core: Core;
    /// Message from a helper of the backend, for example the end of a client process.
    type Signal: Send + 'static;

    /// Name of the thread.
    const NAME: &'static str;
    /// True if the driver waits for `adopt`, which then must be fast. Otherwise each job is said to
    /// be adopted, and the backend starts what turns out never to have started.
    const ADOPTS_AT_ONCE: bool;

    /// Takes new jobs.
    fn submit(&mut self, jobs: Vec<Job>) -> EventsOf<Self>;

    /// Looks for jobs that an earlier engine may have started; returns where each stands, in the
    /// same order, besides the events.
    fn adopt(&mut self, jobs: Vec<Job>) -> (Vec<Adoption>, EventsOf<Self>);

    /// Cancels jobs, whether they wait or run.
    fn cancel(&mut self, tokens: Vec<Token>) -> EventsOf<Self>;

    /// Discards the jobs that have not started.
    fn drop_waiting(&mut self) -> EventsOf<Self>;

    /// Terminates jobs of `run` that an earlier engine left, except `keep`.
    fn end_others(&mut self, core: &Self::Core, run: &str, keep: &[Token]) -> EventsOf<Self>;

    /// Takes a message of a helper.
    fn signal(&mut self, core: &Self::Core, signal: Self::Signal) -> EventsOf<Self>;

    /// Performs a command. When it returns from one that `Core::is_end`, the end is in the channel
    /// of reports.
    fn perform(&mut self, command: CommandOf<Self>) -> EventsOf<Self>;

    /// Moment of the next poll; None while there is nothing to poll for.
    fn next_poll(&self, core: &Self::Core) -> Option<Instant>;

    /// Asks the outside how jobs stand. Called at `next_poll` or later.
    fn poll(&mut self, core: &Self::Core) -> EventsOf<Self>;

    /// Terminates what runs and waits. `signals` returns the next message of a helper, or None when
    /// none arrives within the time given. Returns a sentence for the user about each thing that
    /// may still run.
    fn shut_down(
        self,
        core: Self::Core,
        signals: &mut dyn FnMut(Duration) -> Option<Self::Signal>,
    ) -> Vec<String>;
}

/// Events of the core of a backend, in order.
pub type EventsOf<B> = Vec<<<B as Backend>::Core as Core>::Event>;
/// Command of the core of a backend.
pub type CommandOf<B> = <<B as Backend>::Core as Core>::Command;

/// Executor that runs a core and its backend in a thread.
///
/// `busy` is never less than the number of jobs whose end was not reported: it is lowered only
/// after the report is in the channel, and jobs to be adopted count from the call on.
pub struct Actor<B: Backend> {
    inbox: Sender<Message<B::Signal>>,
    counts: Arc<JobCounts>,
    thread: Option<JoinHandle<Vec<String>>>,
}

#[derive(Default)]
struct JobCounts {
    slots: AtomicUsize,
    /// Jobs that have begun and are not reported, as the core counts them.
    unreported: AtomicUsize,
    /// Jobs to be adopted whose request the thread has not handled.
    to_adopt: AtomicUsize,
}

enum Message<S> {
    Submit(Vec<Job>),
    /// The sender is for the answer, if the caller waits for it.
    Adopt(Vec<Job>, Option<Sender<Vec<Adoption>>>),
    Cancel(Vec<Token>),
    DropWaiting,
    EndOthers(String, Vec<Token>),
    Signal(S),
    ShutDown,
}

/// Sends messages of helpers into the inbox of an actor.
pub struct SignalSender<S>(Sender<Message<S>>);

impl<S> Clone for SignalSender<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S> SignalSender<S> {
    /// Sends a message; false once the actor has ended.
    pub fn send(&self, signal: S) -> bool {
        self.0.send(Message::Signal(signal)).is_ok()
    }
}

impl<B: Backend> Actor<B> {
    /// Starts the thread. `backend` makes the backend, given the sender of its helpers' messages.
    ///
    /// # Errors
    ///
    /// Those of `backend`, and of a host that starts no thread.
    pub fn start(
        core: B::Core,
        backend: impl FnOnce(SignalSender<B::Signal>) -> io::Result<B>,
    ) -> io::Result<Self> {
        let (sender, inbox) = channel();
        let counts = Arc::new(JobCounts::default());
        let worker = Worker {
            backend: backend(SignalSender(sender.clone()))?,
            core,
            commands: VecDeque::new(),
            inbox,
            counts: counts.clone(),
            started: Instant::now(),
        };
        worker.count();
        let builder = std::thread::Builder::new().name(B::NAME.into());
        Ok(Self {
            inbox: sender,
            counts,
            thread: Some(builder.spawn(move || worker.serve())?),
        })
    }

    fn send(&self, message: Message<B::Signal>) {
        // The thread ends only with this value, or in a panic, after which nothing can be done.
        let _ = self.inbox.send(message);
    }

    fn shut_down(&mut self) -> Vec<String> {
        self.send(Message::ShutDown);
        let thread = self.thread.take();
        thread.map_or_else(Vec::new, |thread| thread.join().unwrap_or_default())
    }
}

impl<B: Backend> Executor for Actor<B> {
    fn submit(&mut self, jobs: Vec<Job>) {
        self.send(Message::Submit(jobs));
    }

    fn find(&mut self, jobs: &[Job]) -> Vec<Adoption> {
        self.counts.to_adopt.fetch_add(jobs.len(), Ordering::SeqCst);
        if !B::ADOPTS_AT_ONCE {
            self.send(Message::Adopt(jobs.to_vec(), None));
            return vec![Adoption::Adopted; jobs.len()];
        }
        let (sender, found) = channel();
        self.send(Message::Adopt(jobs.to_vec(), Some(sender)));
        found.recv().unwrap_or_default()
    }

    fn end_others(&mut self, run: &str, keep: &[Token]) {
        self.send(Message::EndOthers(run.to_owned(), keep.to_vec()));
    }

    fn cancel(&mut self, tokens: &[Token]) {
        self.send(Message::Cancel(tokens.to_vec()));
    }

    fn drop_waiting(&mut self) {
        self.send(Message::DropWaiting);
    }

    fn slots(&self) -> usize {
        self.counts.slots.load(Ordering::SeqCst)
    }

    fn busy(&self) -> usize {
        // In this order: the thread raises the second before it lowers the first.
        let to_adopt = self.counts.to_adopt.load(Ordering::SeqCst);
        to_adopt + self.counts.unreported.load(Ordering::SeqCst)
    }

    fn end(mut self: Box<Self>) -> Vec<String> {
        self.shut_down()
    }
}

impl<B: Backend> Drop for Actor<B> {
    /// Terminates what still runs.
    fn drop(&mut self) {
        if self.thread.is_some() {
            for sentence in self.shut_down() {
                tracing::error!("{sentence}");
            }
        }
    }
}

/// State of the thread.
struct Worker<B: Backend> {
    backend: B,
    core: B::Core,
    commands: VecDeque<CommandOf<B>>,
    inbox: Receiver<Message<B::Signal>>,
    counts: Arc<JobCounts>,
    started: Instant,
}

impl<B: Backend> Worker<B> {
    fn serve(mut self) -> Vec<String> {
        loop {
            while let Some(command) = self.commands.pop_front() {
                let events = self.backend.perform(command);
                self.handle(events);
            }
            match self.next_message() {
                Ok(Message::ShutDown) | Err(RecvTimeoutError::Disconnected) => break,
                Ok(message) => self.receive(message),
                Err(RecvTimeoutError::Timeout) => {
                    let events = self.backend.poll(&self.core);
                    self.handle(events);
                }
            }
        }
        let inbox = self.inbox;
        let mut signals = move |limit| {
            let deadline = Instant::now() + limit;
            loop {
                let left = deadline.saturating_duration_since(Instant::now());
                match inbox.recv_timeout(left) {
                    Ok(Message::Signal(signal)) => return Some(signal),
                    Ok(_) => {}
                    Err(_) => return None,
                }
            }
        };
        self.backend.shut_down(self.core, &mut signals)
    }

    fn next_message(&self) -> Result<Message<B::Signal>, RecvTimeoutError> {
        match self.backend.next_poll(&self.core) {
            None => {
                let received = self.inbox.recv();
                received.map_err(|_| RecvTimeoutError::Disconnected)
            }
            Some(moment) => {
                let left = moment.saturating_duration_since(Instant::now());
                self.inbox.recv_timeout(left)
            }
        }
    }

    fn receive(&mut self, message: Message<B::Signal>) {
        let backend = &mut self.backend;
        let events = match message {
            Message::Submit(jobs) => backend.submit(jobs),
            Message::Cancel(tokens) => backend.cancel(tokens),
            Message::DropWaiting => backend.drop_waiting(),
            Message::EndOthers(run, keep) => backend.end_others(&self.core, &run, &keep),
            Message::Signal(signal) => backend.signal(&self.core, signal),
            Message::ShutDown => return,
            Message::Adopt(jobs, answer) => {
                let count = jobs.len();
                let (found, events) = backend.adopt(jobs);
                self.handle(events);
                self.counts.to_adopt.fetch_sub(count, Ordering::SeqCst);
                if let Some(answer) = answer {
                    let _ = answer.send(found);
                }
                return;
            }
        };
        self.handle(events);
    }

    fn handle(&mut self, events: EventsOf<B>) {
        for event in events {
            let commands = self.core.handle(self.started.elapsed(), event);
            self.commands.extend(commands);
        }
        self.count();
    }

    fn count(&self) {
        let ends = self
            .commands
            .iter()
            .filter(|command| B::Core::is_end(command));
        let unreported = self.core.unreported() + ends.count();
        self.counts.unreported.store(unreported, Ordering::SeqCst);
        let slots = self.core.slots();
        self.counts.slots.store(slots, Ordering::SeqCst);
    }
}
