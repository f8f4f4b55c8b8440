//! The objective: a property and a direction.

use serde::Serialize;

use crate::config::campaign::{DirectedObjective, ObjectiveConfig};
use crate::task::Prediction;

/// Property that is optimised, and its direction. The engine and the surrogate minimise its cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Objective {
    /// Name of the property.
    pub property: String,
    /// Which values are better.
    pub direction: Direction,
}

/// Which of two values is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The lower one.
    Minimize,
    /// The higher one.
    Maximize,
}

impl Objective {
    /// The objective of a campaign whose short forms are expanded; none if it is not well formed.
    pub fn new(config: &ObjectiveConfig) -> Option<Self> {
        let (property, direction) = match config {
            ObjectiveConfig::Directed(DirectedObjective {
                minimize: Some(property),
                maximize: None,
            }) => (property, Direction::Minimize),
            ObjectiveConfig::Directed(DirectedObjective {
                minimize: None,
                maximize: Some(property),
            }) => (property, Direction::Maximize),
            ObjectiveConfig::Directed(_) | ObjectiveConfig::Short(_) => return None,
        };
        Some(Self {
            property: property.clone(),
            direction,
        })
    }
}

impl Direction {
    /// Converts a value to the cost that is minimised, and back.
    pub fn cost(self, value: f64) -> f64 {
        match self {
            Self::Minimize => value,
            Self::Maximize => -value,
        }
    }

    /// Converts a predicted cost to a predicted value, and back.
    pub fn prediction(self, Prediction { mean, std }: Prediction) -> Prediction {
        Prediction {
            mean: self.cost(mean),
            std,
        }
    }

    /// The word for the better of two values: `lowest`, `highest`.
    pub fn superlative(self) -> &'static str {
        match self {
            Self::Minimize => "lowest",
            Self::Maximize => "highest",
        }
    }
}
