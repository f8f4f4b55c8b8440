//! Kernels between molecules: Tanimoto on counts of atom environments, linear on counts of groups,
//! linear on descriptors.

use faer::Mat;
use serde::{Deserialize, Serialize};

use super::descriptors::{DESCRIPTORS, descriptors};
use super::groups::groups;
use crate::chem::Molecule;
use crate::learn::counts::{CountIndex, Counts, counts};
use crate::learn::gaussian_process::CrossKernels;

/// Features of a molecule that the kernels are functions of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MoleculeFeatures {
    environments: Counts<u64>,
    groups: Counts<String>,
    /// Number that counts of groups are divided by: of heavy atoms where values do not grow with the
    /// size of a molecule, else [`SIZE`].
    size: f64,
    /// Divided by `size`.
    descriptors: [f64; DESCRIPTORS],
}

/// Scale of the counts of extensive values: such that the features of molecules of this size are
/// about the same for both kinds of values.
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
            groups: counts(groups(molecule)),
            size,
            descriptors: descriptors(molecule).map(|descriptor| descriptor / size),
        }
    }
}

/// Molecules to which kernels are computed.
pub struct KernelIndex {
    environments: CountIndex<u64>,
    groups: CountIndex<String>,
    sizes: Vec<f64>,
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
            groups: CountIndex::new(molecules().map(|molecule| &molecule.groups)),
            sizes: molecules().map(|molecule| molecule.size).collect(),
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
        let mut cross = vec![Mat::zeros(self.sizes.len(), molecules.len()); KERNELS];
        let mut own = vec![Vec::new(); KERNELS];
        for (column, molecule) in molecules.iter().enumerate() {
            for (kernel, values) in self.kernels(molecule).into_iter().enumerate() {
                let entries = cross[kernel].col_mut(column).iter_mut();
                entries
                    .zip(values)
                    .for_each(|(entry, value)| *entry = value);
            }
            let groups = molecule.groups.iter().map(|(_, count)| f64::from(*count));
            let centred = subtract(&molecule.descriptors, &self.centre);
            own[0].push(1.0);
            own[1].push(groups.map(|count| count * count).sum::<f64>() / molecule.size.powi(2));
            own[2].push(dot(&centred, &centred));
        }
        CrossKernels { cross, own }
    }

    /// Kernels of `molecules` with each other, with the centre of the indexed ones.
    pub fn between(&self, molecules: &[&MoleculeFeatures]) -> Vec<Mat<f64>> {
        Self::around(molecules, self.centre).square(molecules)
    }

    /// Each kernel of a molecule with all indexed molecules.
    fn kernels(&self, molecule: &MoleculeFeatures) -> [Vec<f64>; KERNELS] {
        let scaled = |(dot, size): (f64, &f64)| dot / (size * molecule.size);
        let groups = self.groups.dot(&molecule.groups).into_iter();
        let centred = subtract(&molecule.descriptors, &self.centre);
        [
            self.environments.min_max(&molecule.environments),
            groups.zip(&self.sizes).map(scaled).collect(),
            (self.descriptors.iter().map(|other| dot(&centred, other))).collect(),
        ]
    }
}

fn subtract(a: &[f64; DESCRIPTORS], b: &[f64; DESCRIPTORS]) -> [f64; DESCRIPTORS] {
    std::array::from_fn(|i| a[i] - b[i])
}

fn dot(a: &[f64; DESCRIPTORS], b: &[f64; DESCRIPTORS]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
