//! Joint prediction of several values, and its change by observations that are still to come.

use faer::Mat;

/// Covariance of the predicted values of several molecules.
#[derive(Clone, Debug)]
pub struct JointPrediction {
    /// Covariance without noise, square.
    pub covariance: Mat<f64>,
    /// Variance of the noise of each value.
    pub noise: f64,
}

impl JointPrediction {
    /// Number of molecules.
    pub fn len(&self) -> usize {
        self.covariance.nrows()
    }

    /// Returns true for no molecules.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Same prediction with all standard deviations multiplied by `factor`.
    pub fn scaled(self, factor: f64) -> Self {
        let square = factor * factor;
        Self {
            covariance: self.covariance * faer::Scale(square),
            noise: self.noise * square,
        }
    }

    /// Standard deviation of a new value of molecule `place`, noise included.
    pub fn std(&self, place: usize) -> f64 {
        (self.covariance[(place, place)].max(0.0) + self.noise).sqrt()
    }

    /// Conditions on an observation of molecule `place`, whatever its value: the variances of those
    /// that are correlated with it decrease, and all means stay as they are if the value is the
    /// predicted one (Ginsbourger et al., in Computational Intelligence in Expensive Optimization
    /// Problems, 2010, section 4: kriging believer; Desautels et al., J. Mach. Learn. Res. 15, 3873,
    /// 2014, eq. 7).
    pub fn condition(&mut self, place: usize) {
        let size = self.len();
        let variance = self.covariance[(place, place)].max(0.0) + self.noise;
        if variance <= 0.0 {
            return;
        }
        let column: Vec<f64> = (0..size).map(|i| self.covariance[(i, place)]).collect();
        for j in 0..size {
            let factor = column[j] / variance;
            for (i, entry) in self.covariance.col_mut(j).iter_mut().enumerate() {
                *entry -= factor * column[i];
            }
        }
    }
}

impl std::ops::AddAssign for JointPrediction {
    /// Adds independent predictions of the same molecules.
    fn add_assign(&mut self, other: Self) {
        self.covariance += other.covariance;
        self.noise += other.noise;
    }
}
