//! Roles of the stages of a campaign.

use crate::config::campaign::Loop;

/// Role of a stage, in the order in which the stages first run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Computes the free atoms.
    References,
    /// Computes random molecules, on which the first model is trained.
    Initial,
    /// Fits the model.
    Train,
    /// Proposes molecules.
    Generate,
    /// Ranks the proposed molecules.
    Screen,
    /// Computes the molecules of the queue.
    Evaluate,
}

/// All roles.
pub const ROLES: [Role; 6] = [
    Role::References,
    Role::Initial,
    Role::Train,
    Role::Generate,
    Role::Screen,
    Role::Evaluate,
];

impl Role {
    /// Returns the words for it that a campaign uses.
    pub fn recipe(self) -> &'static str {
        match self {
            Self::References => "a `simulate` stage with `molecules: atoms`",
            Self::Initial => "a `simulate` stage with `molecules: random` and `count`",
            Self::Train => "a `train` stage with `loop: generator`",
            Self::Generate => "a `generate` stage with `loop: generator`",
            Self::Screen => "a `screen` stage with `loop: generator` and `select`",
            Self::Evaluate => {
                "a `simulate` stage with `molecules: queue`, `loop: consumer` and `parallel`"
            }
        }
    }

    /// Returns its purpose, as the end of a sentence about it.
    pub fn purpose(self) -> &'static str {
        match self {
            Self::References => "computes the free atoms, the reference of atomization energies",
            Self::Initial => "computes the molecules that the first model is trained on",
            Self::Train => "fits the model to all results",
            Self::Generate => "lets the agent propose molecules",
            Self::Screen => "ranks the proposed molecules and queues the best",
            Self::Evaluate => "computes the molecules of the queue",
        }
    }

    /// Returns the loop that repeats it.
    pub fn in_loop(self) -> Option<Loop> {
        match self {
            Self::References | Self::Initial => None,
            Self::Train | Self::Generate | Self::Screen => Some(Loop::Generator),
            Self::Evaluate => Some(Loop::Consumer),
        }
    }

    /// Returns the roles, one of which must come directly before it.
    pub fn after(self) -> &'static [Role] {
        match self {
            Self::References => &[],
            Self::Initial => &[],
            Self::Train => &[Self::Initial],
            Self::Generate => &[Self::Train],
            Self::Screen => &[Self::Generate],
            Self::Evaluate => &[Self::Screen],
        }
    }
}
