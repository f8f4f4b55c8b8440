//! Sums over all observations that the group model is fitted to; further observations add to them.

use serde::{Deserialize, Serialize};

use super::groups::Vocabulary;
use super::settings::Model;
use crate::chem::Molecule;
use crate::learn::moments::Moments;
use crate::learn::ridge::BayesianRidge;
use crate::learn::saved::{SavedError, SavedFormat};
use crate::learn::surrogate::FitError;

/// Sums over molecules and their values of the objective, hartree. The same molecules in the same
/// order give the same bits, in however many portions they came.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Statistics {
    target: RegressionTarget,
    vocabulary: Vocabulary,
    /// Sums for the fit.
    fitted: Moments,
    /// Sums for the objective, by the columns of the fit times the factor that makes a fitted value
    /// one of the objective; column 0 is that factor itself.
    objective: Moments,
}

/// Objective and fitted quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RegressionTarget {
    pub model: Model,
    /// True if the objective is divided by the number of atoms.
    pub per_atom: bool,
}

const STATISTICS: SavedFormat = SavedFormat {
    name: "statistics",
    layout: 1,
};

impl Statistics {
    /// Empty statistics for the objective (`per_atom`: divided by the number of atoms) and this
    /// model.
    pub fn new(model: Model, per_atom: bool) -> Self {
        Self {
            target: RegressionTarget { model, per_atom },
            vocabulary: Vocabulary::default(),
            fitted: Moments::default(),
            objective: Moments::new(1),
        }
    }

    /// Adds molecules and their values of the objective, hartree.
    pub fn add(&mut self, observations: &[(Molecule, f64)]) -> Result<(), FitError> {
        self.learn_groups(observations.iter().map(|(molecule, _)| molecule));
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

    /// Number of molecules that were added.
    pub fn molecules(&self) -> usize {
        self.fitted.rows()
    }

    /// Returns true if they are of this objective and this model.
    pub fn are_of(&self, model: Model, per_atom: bool) -> bool {
        self.target == RegressionTarget { model, per_atom }
    }

    /// Root mean square error of a fit to them, hartree, of the values as they were given.
    pub fn rmse(&self, ridge: &BayesianRidge) -> f64 {
        let slopes = (0..self.vocabulary.len()).map(|column| ridge.slope(column));
        let slopes: Vec<f64> = [ridge.at_zero()].into_iter().chain(slopes).collect();
        (self.objective.squared_error(&slopes) / self.molecules() as f64).sqrt()
    }

    /// Mean and standard deviation of the objective, hartree.
    pub fn centre_and_deviation(&self) -> (f64, f64) {
        let squares = self.objective.deviations() / self.molecules() as f64;
        (self.objective.mean(), squares.sqrt())
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

    pub fn to_bytes(&self) -> Result<Vec<u8>, SavedError> {
        postcard::to_extend(self, STATISTICS.line().into_bytes())
            .map_err(|_| SavedError::Damaged(STATISTICS.name))
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SavedError> {
        match postcard::take_from_bytes(STATISTICS.content(bytes)?) {
            Ok((statistics, [])) => Ok(statistics),
            _ => Err(SavedError::Damaged(STATISTICS.name)),
        }
    }

    /// Columns stay sorted by group, so that those of the fit do not hang on the order in which
    /// groups were met.
    fn learn_groups<'a>(&mut self, molecules: impl IntoIterator<Item = &'a Molecule>) {
        let (vocabulary, places) = self.vocabulary.with(molecules);
        let shifted: Vec<usize> = (places.iter().map(|place| place + 1)).collect();
        let shifted = [vec![0], shifted].concat();
        self.fitted = self.fitted.rearranged(&places, vocabulary.len());
        self.objective = self.objective.rearranged(&shifted, vocabulary.len() + 1);
        self.vocabulary = vocabulary;
    }
}

impl RegressionTarget {
    /// The features of a molecule.
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

    /// Factor that converts a fitted value of a molecule to one of the objective.
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
