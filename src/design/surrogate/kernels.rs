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
    points: DescriptorPoints,
    /// Descriptors that are subtracted.
    centre: [f64; DESCRIPTORS],
}

/// Descriptors of molecules less a centre.
struct DescriptorPoints {
    /// A column for each molecule.
    columns: Mat<f64>,
    /// Squared length of each column.
    squares: Vec<f64>,
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
        let environments = molecules.iter().map(|molecule| &molecule.environments);
        Self {
            environments: CountIndex::new(environments),
            points: DescriptorPoints::new(molecules, &centre),
            centre,
        }
    }

    /// Kernels of the molecules with each other.
    pub fn square(&self, molecules: &[&MoleculeFeatures]) -> Vec<Mat<f64>> {
        self.cross(molecules).cross
    }

    /// Kernels of the indexed molecules with others, and of these with themselves.
    pub fn cross(&self, molecules: &[&MoleculeFeatures]) -> CrossKernels {
        let points = DescriptorPoints::new(molecules, &self.centre);
        let linear = self.points.columns.transpose() * &points.columns;
        let mut tanimoto = Mat::zeros(linear.nrows(), linear.ncols());
        for (column, molecule) in tanimoto.col_iter_mut().zip(molecules) {
            let similarities = self.environments.min_max(&molecule.environments);
            let entries = column.iter_mut().zip(similarities);
            entries.for_each(|(entry, similarity)| *entry = similarity);
        }
        // exp(-d^2/2), with d the distance of two points (Rasmussen and Williams, Gaussian Processes
        // for Machine Learning, 2006, eq. 4.9, length scale 1).
        let mut exponential = linear.clone();
        for (column, square) in exponential.col_iter_mut().zip(&points.squares) {
            let entries = column.iter_mut().zip(&self.points.squares);
            entries.for_each(|(entry, other)| *entry = (*entry - 0.5 * (square + other)).exp());
        }
        let ones = vec![1.0; molecules.len()];
        CrossKernels {
            cross: vec![tanimoto, linear, exponential],
            own: vec![ones.clone(), points.squares, ones],
        }
    }

    /// Kernels of `molecules` with each other, with the centre of the indexed ones.
    pub fn between(&self, molecules: &[&MoleculeFeatures]) -> Vec<Mat<f64>> {
        Self::around(molecules, self.centre).square(molecules)
    }
}

impl DescriptorPoints {
    fn new(molecules: &[&MoleculeFeatures], centre: &[f64; DESCRIPTORS]) -> Self {
        let columns = Mat::from_fn(DESCRIPTORS, molecules.len(), |row, column| {
            molecules[column].descriptors[row] - centre[row]
        });
        let squares = columns
            .col_iter()
            .map(|column| column.iter().map(|x| x * x).sum());
        Self {
            squares: squares.collect(),
            columns,
        }
    }
}
