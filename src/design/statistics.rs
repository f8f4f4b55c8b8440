//! Sums over all observations, from which the group model is fitted.

use serde::{Deserialize, Serialize};

use super::groups::{ExtendedVocabulary, Vocabulary};
use super::settings::Model;
use crate::chem::Molecule;
use crate::learn::moments::Moments;
use crate::learn::ridge::BayesianRidge;
use crate::learn::saved::{SavedError, SavedFormat};
use crate::learn::surrogate::FitError;

/// Sums over molecules and their values of the objective, hartree. They depend, to the last bit,
/// only on the observations and their order, not on the portions in which they are added.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Statistics {
    target: RegressionTarget,
    vocabulary: Vocabulary,
    /// Sums over the fitted quantity.
    fitted: Moments,
    /// Sums over the objective. Column 0 is the factor that converts a fitted value to the
    /// objective; the others are the columns of the fit times this factor.
    objective: Moments,
}

/// Objective of the campaign and quantity that the model is fitted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RegressionTarget {
    /// Determines the fitted quantity.
    pub model: Model,
    /// True if the objective is divided by the number of atoms.
    pub per_atom: bool,
}

/// Mean and standard deviation of the objective, hartree.
pub(super) struct ObjectiveDistribution {
    pub mean: f64,
    pub deviation: f64,
}

const STATISTICS: SavedFormat = SavedFormat {
    name: "statistics",
    layout: 1,
};

impl Statistics {
    /// Creates statistics without observations. `per_atom`: the objective is divided by the number
    /// of atoms.
    pub fn new(model: Model, per_atom: bool) -> Self {
        Self {
            target: RegressionTarget { model, per_atom },
            vocabulary: Vocabulary::default(),
            fitted: Moments::default(),
            objective: Moments::new(1),
        }
    }

    /// Adds molecules and their values of the objective, hartree.
    ///
    /// # Errors
    ///
    /// A value is not finite.
    pub fn add(&mut self, observations: &[(Molecule, f64)]) -> Result<(), FitError> {
        self.add_groups(observations.iter().map(|(molecule, _)| molecule));
        for (molecule, value) in observations {
            let factor = self.target.objective_of_fitted(molecule);
            let row = self.target.row(&self.vocabulary, molecule);
            self.fitted.add(&row, value / factor)?;
            let scaled = row.iter().map(|(column, x)| (column + 1, x * factor));
            let scaled: Vec<_> = [(0, factor)].into_iter().chain(scaled).collect();
            self.objective.add(&scaled, *value)?;
        }
        Ok(())
    }

    /// Number of observations.
    pub fn molecules(&self) -> usize {
        self.fitted.rows()
    }

    /// Returns true for statistics of this objective and model.
    pub fn matches(&self, model: Model, per_atom: bool) -> bool {
        self.target == RegressionTarget { model, per_atom }
    }

    /// Root mean square error of a fit, in the objective, hartree.
    pub fn rmse(&self, ridge: &BayesianRidge) -> f64 {
        let slopes = (0..self.vocabulary.len()).map(|column| ridge.slope(column));
        let slopes: Vec<f64> = [ridge.at_zero()].into_iter().chain(slopes).collect();
        (self.objective.squared_error(&slopes) / self.molecules() as f64).sqrt()
    }

    /// Distribution of the observed objective; not a number without observations.
    pub(super) fn objective_distribution(&self) -> ObjectiveDistribution {
        let variance = self.objective.squared_deviations() / self.molecules() as f64;
        ObjectiveDistribution {
            mean: self.objective.mean(),
            deviation: variance.sqrt(),
        }
    }

    pub(super) fn target(&self) -> RegressionTarget {
        self.target
    }

    pub(super) fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    pub(super) fn fitted(&self) -> &Moments {
        &self.fitted
    }

    /// Encodes the statistics.
    ///
    /// # Errors
    ///
    /// The bytes cannot be allocated.
    pub fn to_bytes(&self) -> Result<Vec<u8>, SavedError> {
        STATISTICS.encode(self)
    }

    /// Restores saved statistics.
    ///
    /// # Errors
    ///
    /// The bytes are damaged, or of another kind or layout.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SavedError> {
        STATISTICS.decode(bytes)
    }

    /// Adds the groups of `molecules` as columns. Columns are sorted by group, so they do not
    /// depend on the order in which groups are first seen.
    fn add_groups<'a>(&mut self, molecules: impl IntoIterator<Item = &'a Molecule>) {
        let ExtendedVocabulary { vocabulary, places } = self.vocabulary.extended(molecules);
        let shifted: Vec<usize> = (places.iter().map(|place| place + 1)).collect();
        let shifted = [vec![0], shifted].concat();
        self.fitted = self.fitted.rearranged(&places, vocabulary.len());
        self.objective = self.objective.rearranged(&shifted, vocabulary.len() + 1);
        self.vocabulary = vocabulary;
    }
}

impl RegressionTarget {
    /// Features of a molecule, as (column, value).
    pub fn row(self, vocabulary: &Vocabulary, molecule: &Molecule) -> Vec<(usize, f64)> {
        let share = match self.model {
            Model::GroupContribution => atoms(molecule),
            Model::GroupCounts => 1.0,
        };
        let counts = vocabulary.counts(molecule).into_iter();
        counts
            .map(|(column, count)| (column, count / share))
            .collect()
    }

    /// Factor that converts a fitted value of a molecule to its objective.
    pub fn objective_of_fitted(self, molecule: &Molecule) -> f64 {
        match (self.model, self.per_atom) {
            (Model::GroupContribution, true) | (Model::GroupCounts, false) => 1.0,
            (Model::GroupContribution, false) => atoms(molecule),
            (Model::GroupCounts, true) => atoms(molecule).recip(),
        }
    }
}

fn atoms(molecule: &Molecule) -> f64 {
    molecule.atom_count() as f64
}
