//! Notifications: the command of the user receives a new best molecule, the end of a run, and too many
//! failures.
//!
//! A thread runs the commands one after the other, so that the run never waits for them. What is
//! sent is in `notified.json` before the command starts: each event is sent at most once, whatever
//! engines are killed and resumed.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::outcome::RunOutcome;
use super::run_dir;
use crate::config::notify::{Notify, NotifyEvent, NotifyInput};
use crate::driver::RunEnd;
use crate::engine::Progress;
use crate::exec::{Secrets, run_user_command};
use crate::report::{self, RunState};
use crate::task::HostFault;

/// File with the events that the command of the user has received.
const NOTIFIED: &str = "notified.json";

/// Events that the command has received.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Notified {
    /// Best molecule and its value, or the front.
    best: Option<String>,
    /// Reason of the end, and the number of tasks that had ended.
    end: Option<(String, u64)>,
}

/// Message for the command of the user.
struct Notification {
    event: NotifyEvent,
    message: String,
    /// Further data, a JSON object.
    data: Value,
}

/// Sender of the events of a run.
pub struct Notifier {
    settings: Notify,
    campaign: String,
    dir: PathBuf,
    notified: Notified,
    /// Number of tasks that have ended.
    ended: u64,
    /// Time of the last notification of a best molecule.
    sent_best: Option<Instant>,
    sender: mpsc::Sender<Notification>,
    thread: JoinHandle<()>,
}

impl Notifier {
    /// Returns the sender of a run; None if its host starts no thread. `secrets` are hidden in the
    /// log.
    pub fn start(settings: &Notify, campaign: &str, dir: &Path, secrets: Secrets) -> Option<Self> {
        let (sender, notifications) = mpsc::channel::<Notification>();
        let (command, home) = (settings.clone(), dir.to_owned());
        let name = campaign.to_owned();
        let send_all = move || {
            for notification in notifications {
                if let Err(why) = notification.send(&command, &name, &home) {
                    tracing::warn!("the user was not notified: {}", secrets.hide(&why));
                }
            }
        };
        let thread = std::thread::Builder::new().spawn(send_all);
        let thread = thread.inspect_err(|e| tracing::warn!("no notifications: {e}"));
        let text = fs::read_to_string(dir.join(NOTIFIED)).unwrap_or_default();
        Some(Self {
            settings: settings.clone(),
            campaign: campaign.to_owned(),
            dir: dir.to_owned(),
            notified: serde_json::from_str(&text).unwrap_or_default(),
            ended: 0,
            sent_best: None,
            sender,
            thread: thread.ok()?,
        })
    }

    /// Sends a new best molecule, unless one was sent a short time ago.
    pub fn report_progress(&mut self, progress: &Progress) {
        self.ended = progress.ended;
        let Some((key, message, data)) = best(progress) else {
            return;
        };
        if self.notified.best.as_ref() == Some(&key) {
            return;
        }
        // The first molecule is better than none, which is no news.
        let is_first = self.notified.best.is_none();
        let every = self.settings.best_every.get();
        if !is_first && self.sent_best.is_some_and(|sent| sent.elapsed() < every) {
            return;
        }
        self.notified.best = Some(key);
        if !self.note() || is_first {
            return;
        }
        self.sent_best = Some(Instant::now());
        let message = format!("{}: {message}", self.campaign);
        self.send(NotifyEvent::Best, message, data);
    }

    /// Sends a fault of the host for which the run stops.
    pub fn halted(&mut self, fault: HostFault) {
        let message = format!("{} stops: {fault}", self.campaign);
        self.send(
            NotifyEvent::Failures,
            message,
            json!({"stopped_by": "host_fault"}),
        );
    }

    /// Sends the end of the run, if it has ended, and waits for the commands: each for its timeout
    /// at most.
    pub fn end(mut self, outcome: &RunOutcome) {
        if let RunEnd::Stopped(stopped_by) = outcome.ending {
            let fact = Some((stopped_by.word().to_owned(), self.ended));
            if self.notified.end != fact {
                self.notified.end = fact;
                let failed = !stopped_by.is_success();
                let event = match failed && self.settings.events.contains(&NotifyEvent::Failures) {
                    true => NotifyEvent::Failures,
                    false => NotifyEvent::End,
                };
                let message = format!(
                    "{} has ended: {}. {}",
                    self.campaign,
                    stopped_by.sentence(),
                    outcome.verdict()
                );
                let state = RunState::Finished;
                let (summary, hours) = (&outcome.summary, outcome.core_hours);
                let data = report::final_json(&outcome.dir, summary, state, hours);
                if self.note() {
                    self.send(event, message, data);
                }
            }
        }
        drop(self.sender);
        let _ = self.thread.join();
    }

    /// Notes what is sent; returns false if that is impossible, and nothing may be sent.
    fn note(&self) -> bool {
        let text = json!(self.notified).to_string();
        let written = run_dir::write(&self.dir, NOTIFIED, &text);
        written
            .inspect_err(|e| tracing::warn!("the user was not notified: `{NOTIFIED}`: {e}"))
            .is_ok()
    }

    fn send(&self, event: NotifyEvent, message: String, data: Value) {
        if self.settings.events.contains(&event) {
            let _ = self.sender.send(Notification {
                event,
                message,
                data,
            });
        }
    }
}

impl Notification {
    /// Runs the command of the user.
    fn send(&self, settings: &Notify, campaign: &str, dir: &Path) -> Result<(), String> {
        let mut object = json!({
            "event": self.event.word(),
            "message": self.message,
            "campaign": campaign,
            "run_dir": dir,
        });
        for (key, value) in self.data.as_object().into_iter().flatten() {
            object[key] = value.clone();
        }
        let input = match settings.input {
            NotifyInput::Json => format!("{object}\n"),
            NotifyInput::Text => format!("{}\n", self.message),
        };
        let variables = [
            ("MOLDFLOW_EVENT", self.event.word().to_owned()),
            ("MOLDFLOW_MESSAGE", self.message.clone()),
            ("MOLDFLOW_CAMPAIGN", campaign.to_owned()),
            ("MOLDFLOW_RUN_DIR", dir.display().to_string()),
        ];
        let limit: Duration = settings.timeout.get();
        run_user_command(&settings.command, &variables, input.as_bytes(), dir, limit)
    }
}

/// Returns a key of the best molecule, or of the front, with a sentence and data on it; None before
/// there is one.
fn best(progress: &Progress) -> Option<(String, String, Value)> {
    let counts = json!({"evaluations": progress.evaluations, "failures": progress.failures});
    if let Some(best) = &progress.incumbent {
        let (smiles, value, unit) = (&best.smiles, best.value(), &progress.unit);
        let message = format!("new best molecule {smiles}, {value:.6} {unit}");
        let mut data = counts;
        data["best"] = json!({"smiles": smiles, "value": value, "unit": unit});
        return Some((
            format!("{smiles} {value}"),
            message.trim_end().to_owned(),
            data,
        ));
    }
    let front = progress.front.filter(|count| *count > 0)?;
    let volume = progress.hypervolume;
    let words = volume.map_or_else(String::new, |v| format!(", hypervolume {v:.6}"));
    let message = format!("the Pareto front has {front} molecules{words}");
    let mut data = counts;
    data["hypervolume"] = json!(volume);
    Some((format!("front {front} {volume:?}"), message, data))
}
