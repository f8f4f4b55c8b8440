//! Sums over all observations, from which the group model is fitted.

use serde::{Deserialize, Serialize};

use super::groups::{ExtendedVocabulary, GroupCounts, Vocabulary};
use super::{GroupFeatures, LabelledMolecule};
use crate::chem::Molecule;
use crate::learn::moments::Moments;
use crate::learn::regression::FitError;
use crate::learn::ridge::BayesianRidge;
use crate::learn::saved::{SavedError, SavedFormat};

/// Sums over molecules and their costs. They depend, to the last bit,
/// only on the observations and their order, not on the portions in which they are added.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Statistics {
    target: RegressionTarget,
    vocabulary: Vocabulary,
    /// Sums over the fitted quantity.
    fitted: Moments,
    /// Sums over the cost. Column 0 is the factor that converts a fitted value to the cost; the
    /// others are the columns of the fit times this factor.
    cost: Moments,
}

/// The quantity that the model is fitted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RegressionTarget {
    /// Features of a molecule.
    pub features: GroupFeatures,
    /// True if the cost grows with the number of atoms.
    pub extensive: bool,
}

const STATISTICS: SavedFormat = SavedFormat {
    name: "statistics",
    layout: 2,
};

impl Statistics {
    /// Creates statistics without observations. `extensive`: costs grow with the number of atoms.
    pub fn new(features: GroupFeatures, extensive: bool) -> Self {
        Self {
            target: RegressionTarget {
                features,
                extensive,
            },
            vocabulary: Vocabulary::default(),
            fitted: Moments::default(),
            cost: Moments::new(1),
        }
    }

    /// Adds molecules and their costs.
    ///
    /// # Errors
    ///
    /// A cost is not finite.
    pub fn add(&mut self, observations: &[LabelledMolecule]) -> Result<(), FitError> {
        self.add_groups(observations.iter().map(|observation| &observation.molecule));
        for LabelledMolecule { molecule, cost } in observations {
            let factor = self.target.cost_of_fitted(molecule);
            let row = self.target.row(&self.vocabulary, molecule).known;
            self.fitted.add(&row, cost / factor)?;
            let scaled = row.iter().map(|(column, x)| (column + 1, x * factor));
            let scaled: Vec<_> = [(0, factor)].into_iter().chain(scaled).collect();
            self.cost.add(&scaled, *cost)?;
        }
        Ok(())
    }

    /// Number of observations.
    pub fn molecules(&self) -> usize {
        self.fitted.rows()
    }

    /// Returns true for statistics of these features and this kind of cost.
    pub fn matches(&self, features: GroupFeatures, extensive: bool) -> bool {
        let target = RegressionTarget {
            features,
            extensive,
        };
        self.target == target
    }

    /// Root mean square error of a fit, in the unit of the cost.
    pub fn rmse(&self, ridge: &BayesianRidge) -> f64 {
        let slopes = (0..self.vocabulary.len()).map(|column| ridge.slope(column));
        let slopes: Vec<f64> = [ridge.at_zero()].into_iter().chain(slopes).collect();
        (self.cost.squared_error(&slopes) / self.molecules() as f64).sqrt()
    }

    /// Mean and standard deviation of the observed costs; not a number without observations.
    pub(super) fn mean_and_deviation(&self) -> (f64, f64) {
        let variance = self.cost.squared_deviations() / self.molecules() as f64;
        (self.cost.mean(), variance.sqrt())
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
        self.cost = self.cost.rearranged(&shifted, vocabulary.len() + 1);
        self.vocabulary = vocabulary;
    }
}

/// Features of a molecule.
pub(super) struct FeatureRow {
    /// Of groups of the vocabulary, as (column, value).
    pub known: Vec<(usize, f64)>,
    /// Sum of the squares of the features of all other groups.
    pub unknown_squares: f64,
}

impl RegressionTarget {
    /// Features of a molecule.
    pub fn row(self, vocabulary: &Vocabulary, molecule: &Molecule) -> FeatureRow {
        let share = self.share(molecule);
        let GroupCounts { known, unknown } = vocabulary.counts(molecule);
        let known = known.into_iter();
        let squares = unknown.into_iter();
        let squares = squares.map(|count| (f64::from(count) / share).powi(2));
        FeatureRow {
            known: known
                .map(|(column, count)| (column, count / share))
                .collect(),
            unknown_squares: squares.sum(),
        }
    }

    /// Number that the counts of a molecule are divided by.
    fn share(self, molecule: &Molecule) -> f64 {
        match self.features {
            GroupFeatures::Shares => atoms(molecule),
            GroupFeatures::Counts => 1.0,
        }
    }

    /// Factor that converts a fitted value of a molecule to its cost.
    pub fn cost_of_fitted(self, molecule: &Molecule) -> f64 {
        match (self.features, self.extensive) {
            (GroupFeatures::Shares, false) | (GroupFeatures::Counts, true) => 1.0,
            (GroupFeatures::Shares, true) => atoms(molecule),
            (GroupFeatures::Counts, false) => atoms(molecule).recip(),
        }
    }
}

fn atoms(molecule: &Molecule) -> f64 {
    molecule.atom_count() as f64
}
