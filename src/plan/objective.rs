//! The objective: a property and a direction.

use serde::Serialize;

use crate::config::campaign::{DirectedObjective, ObjectiveConfig};
use crate::task::Prediction;

/// Property that is optimised, and its direction. The engine and the surrogate minimise its cost.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Objective {
    /// Name of the property.
    pub property: String,
    /// Which values are better.
    pub direction: Direction,
    /// With several objectives: the worst value that counts in the hypervolume, in the unit of the
    /// property; none for the worst of the molecules computed before the loops.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<f64>,
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
    /// An objective of a campaign; none if it has not one of the two keys.
    pub fn new(config: &DirectedObjective) -> Option<Self> {
        let (property, direction) = match (&config.minimize, &config.maximize) {
            (Some(property), None) => (property, Direction::Minimize),
            (None, Some(property)) => (property, Direction::Maximize),
            _ => return None,
        };
        Some(Self {
            property: property.clone(),
            direction,
            reference: config.reference,
        })
    }

    /// The objectives of a campaign whose short forms are expanded; none if one is not well formed,
    /// or if there is none.
    pub fn all(config: &ObjectiveConfig) -> Option<Vec<Self>> {
        let all: Option<Vec<Self>> = config.directed().iter().map(Self::new).collect();
        all.filter(|all| !all.is_empty())
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
