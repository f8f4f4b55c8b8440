//! Kernels between molecules: Tanimoto on counts of atom environments, linear and squared exponential
//! on descriptors.

use faer::Mat;
use serde::{Deserialize, Serialize};

use super::descriptors::{DESCRIPTORS, descriptors};
use crate::chem::Molecule;
use crate::learn::counts::{CountIndex, Counts};
use crate::learn::gaussian_process::CrossKernels;

/// Features of a molecule that the kernels are functions of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MoleculeFeatures {
    environments: Counts<u64>,
    /// Divided by the number of heavy atoms where values do not grow with the size of a molecule, else
    /// by [`SIZE`].
    descriptors: [f64; DESCRIPTORS],
}

/// Scale of the descriptors of extensive values: such that those of molecules of this size are the
/// same for both kinds of values.
const SIZE: f64 = 9.0;
/// Number of kernels.
pub const KERNELS: usize = 3;

impl MoleculeFeatures {
    /// Features of a molecule. `radius`: of the environments, in bonds; `extensive`: values grow with
    /// the number of atoms.
    pub fn new(molecule: &Molecule, radius: u32, extensive: bool) -> Self {
        let size = match extensive {
            true => SIZE,
            false => molecule.heavy_atoms().len().max(1) as f64,
        };
        Self {
            environments: molecule.morgan_counts(radius),
            descriptors: descriptors(molecule).map(|descriptor| descriptor / size),
        }
    }
}

/// Molecules to which kernels are computed.
pub struct KernelIndex {
    environments: CountIndex<u64>,
    /// From the centre.
    descriptors: Vec<[f64; DESCRIPTORS]>,
    /// Descriptors that are subtracted.
    centre: [f64; DESCRIPTORS],
}

impl KernelIndex {
    /// Index of molecules, with the mean of their descriptors as the centre.
    pub fn new(molecules: &[&MoleculeFeatures]) -> Self {
        let count = molecules.len().max(1) as f64;
        let mut centre = [0.0; DESCRIPTORS];
        for molecule in molecules {
            let pairs = centre.iter_mut().zip(&molecule.descriptors);
            pairs.for_each(|(centre, descriptor)| *centre += descriptor / count);
        }
        Self::around(molecules, centre)
    }

    fn around(molecules: &[&MoleculeFeatures], centre: [f64; DESCRIPTORS]) -> Self {
        let molecules = || molecules.iter();
        Self {
            environments: CountIndex::new(molecules().map(|molecule| &molecule.environments)),
            descriptors: (molecules().map(|molecule| subtract(&molecule.descriptors, &centre)))
                .collect(),
            centre,
        }
    }

    /// Kernels of the molecules with each other.
    pub fn square(&self, molecules: &[&MoleculeFeatures]) -> Vec<Mat<f64>> {
        self.cross(molecules).cross
    }

    /// Kernels of the indexed molecules with others, and of these with themselves.
    pub fn cross(&self, molecules: &[&MoleculeFeatures]) -> CrossKernels {
        let mut cross = vec![Mat::zeros(self.descriptors.len(), molecules.len()); KERNELS];
        let mut own = vec![Vec::new(); KERNELS];
        for (column, molecule) in molecules.iter().enumerate() {
            for (kernel, values) in self.kernels(molecule).into_iter().enumerate() {
                let entries = cross[kernel].col_mut(column).iter_mut();
                entries
                    .zip(values)
                    .for_each(|(entry, value)| *entry = value);
            }
            let centred = subtract(&molecule.descriptors, &self.centre);
            own[0].push(1.0);
            own[1].push(dot(&centred, &centred));
            own[2].push(1.0);
        }
        CrossKernels { cross, own }
    }

    /// Kernels of `molecules` with each other, with the centre of the indexed ones.
    pub fn between(&self, molecules: &[&MoleculeFeatures]) -> Vec<Mat<f64>> {
        Self::around(molecules, self.centre).square(molecules)
    }

    /// Each kernel of a molecule with all indexed molecules.
    fn kernels(&self, molecule: &MoleculeFeatures) -> [Vec<f64>; KERNELS] {
        let centred = subtract(&molecule.descriptors, &self.centre);
        let others = || self.descriptors.iter();
        [
            self.environments.min_max(&molecule.environments),
            others().map(|other| dot(&centred, other)).collect(),
            others()
                .map(|other| squared_exponential(&centred, other))
                .collect(),
        ]
    }
}

/// exp(-d^2/2), with d the distance of two points (Rasmussen and Williams, Gaussian Processes for
/// Machine Learning, 2006, eq. 4.9, length scale 1).
fn squared_exponential(a: &[f64; DESCRIPTORS], b: &[f64; DESCRIPTORS]) -> f64 {
    let between = subtract(a, b);
    (-0.5 * dot(&between, &between)).exp()
}

fn subtract(a: &[f64; DESCRIPTORS], b: &[f64; DESCRIPTORS]) -> [f64; DESCRIPTORS] {
    std::array::from_fn(|i| a[i] - b[i])
}

fn dot(a: &[f64; DESCRIPTORS], b: &[f64; DESCRIPTORS]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
