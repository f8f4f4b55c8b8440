//! `notify` of a campaign: a command of the user that receives events of a run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::duration::Duration;

/// Command that receives events of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Notify {
    /// Program and its arguments, run without a shell: `[mail, -s, moldflow, me@example.org]`.
    #[schemars(length(min = 1), inner(length(min = 1)))]
    pub command: Vec<String>,
    /// Events that it receives.
    #[serde(default = "all_events")]
    #[schemars(length(min = 1))]
    pub events: Vec<NotifyEvent>,
    /// Form of its standard input.
    #[serde(default)]
    pub input: NotifyInput,
    /// Shortest time between two notifications of a new best molecule; what comes sooner is
    /// sent together, after it.
    #[serde(default = "default_best_every")]
    pub best_every: Duration,
    /// Time after which the command is killed.
    #[serde(default = "default_timeout")]
    pub timeout: Duration,
}

/// Event of a run that the user may want to know of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NotifyEvent {
    /// The run has ended.
    End,
    /// A molecule is better than the best before it, or the Pareto front has grown.
    Best,
    /// The run has ended because too much failed, or stops for a fault of its host.
    Failures,
}

impl NotifyEvent {
    /// Returns its word in campaigns and notifications.
    pub fn word(self) -> &'static str {
        match self {
            Self::End => "end",
            Self::Best => "best",
            Self::Failures => "failures",
        }
    }
}

/// Form of the standard input of a notification command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NotifyInput {
    /// A JSON object.
    #[default]
    Json,
    /// The message alone, one sentence or more.
    Text,
}

fn all_events() -> Vec<NotifyEvent> {
    vec![NotifyEvent::End, NotifyEvent::Best, NotifyEvent::Failures]
}

fn default_best_every() -> Duration {
    Duration::of_seconds(600)
}

fn default_timeout() -> Duration {
    Duration::of_seconds(30)
}
