//! The QM9 data set: 130,831 molecules of up to nine heavy atoms C N O F, with energies, gaps and
//! polarizabilities. `data/README.md` describes its provenance.
//!
//! R. Ramakrishnan et al., Sci. Data 1, 140022 (2014).

use std::io::Read;

use flate2::read::GzDecoder;

/// CSV, compressed by gzip: index, SMILES, U0 and gap in hartree, polarizability in bohr^3.
static PACKED: &[u8] = include_bytes!("../../data/qm9.csv.gz");
/// Size of the CSV in bytes, for the buffer that it is unpacked into.
const CSV_BYTES: usize = 6_125_013;

/// Level of theory of the data set.
pub const LEVEL_OF_THEORY: &str = "B3LYP/6-31G(2df,p)";

/// U0 of the free atoms at the level of the data set, hartree (its supplement).
pub const FREE_ATOMS: [(&str, f64); 5] = [
    ("H", -0.500_273),
    ("C", -37.846_772),
    ("N", -54.583_861),
    ("O", -75.064_579),
    ("F", -99.718_730),
];

/// The unpacked data set, about 6 MiB.
pub struct Qm9 {
    csv: String,
    /// Offset of each molecule's line, and the end of the last one.
    starts: Vec<u32>,
}

/// A molecule of the data set, at the level [`LEVEL_OF_THEORY`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Qm9Entry<'a> {
    /// Its number in the data set, counted from 1.
    pub index: u32,
    /// Canonical SMILES, which is also the identity of the molecule: there is no stereo in it.
    /// 87 of them come twice.
    pub smiles: &'a str,
    /// Internal energy at 0 K, zero-point energy included, hartree.
    pub u0_hartree: f64,
    /// Difference of the energies of the lowest unoccupied and highest occupied orbital, hartree.
    pub gap_hartree: f64,
    /// Isotropic polarizability, bohr^3.
    pub polarizability_bohr3: f64,
}

impl Qm9 {
    /// Unpacks the embedded data set, in some twenty milliseconds.
    pub fn open() -> Self {
        let mut csv = String::with_capacity(CSV_BYTES);
        let unpacked = GzDecoder::new(PACKED).read_to_string(&mut csv);
        unpacked.expect("the embedded data set is intact");
        let line_ends = csv.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let starts = line_ends.map(|(end, _)| end as u32 + 1).collect();
        Self { csv, starts }
    }

    /// Number of molecules.
    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// Always false.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Molecule at `position`, counted from 0; its index is larger, since 3,054 were left out.
    ///
    /// Panics if `position` is not below [`Qm9::len`].
    pub fn get(&self, position: usize) -> Qm9Entry<'_> {
        let line =
            &self.csv[self.starts[position] as usize..self.starts[position + 1] as usize - 1];
        parse(line).expect("the embedded data set is well-formed")
    }

    /// All molecules, by ascending index.
    pub fn molecules(&self) -> impl ExactSizeIterator<Item = Qm9Entry<'_>> {
        (0..self.len()).map(|position| self.get(position))
    }
}

fn parse(line: &str) -> Option<Qm9Entry<'_>> {
    let mut fields = line.split(',');
    Some(Qm9Entry {
        index: fields.next()?.parse().ok()?,
        smiles: fields.next()?,
        u0_hartree: fields.next()?.parse().ok()?,
        gap_hartree: fields.next()?.parse().ok()?,
        polarizability_bohr3: fields.next()?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_set_has_the_molecules_its_authors_kept() {
        let qm9 = Qm9::open();
        assert_eq!(qm9.len(), 130_831);
        let first = qm9.get(0);
        let methane = Qm9Entry {
            index: 1,
            smiles: "C",
            u0_hartree: -40.478_93,
            gap_hartree: 0.5048,
            polarizability_bohr3: 13.21,
        };
        assert_eq!(first, methane);
        let last = qm9.molecules().last().unwrap();
        assert_eq!(
            (last.index, last.smiles, last.u0_hartree),
            (133_885, "C1N2C3C4C5OC13C2C54", -400.633_052)
        );
        assert!(qm9.molecules().is_sorted_by_key(|entry| entry.index));
    }

    #[test]
    fn nonane_has_the_lowest_atomization_energy() {
        // The value is that of the data set's paper.
        let qm9 = Qm9::open();
        let nonane = qm9
            .molecules()
            .find(|entry| entry.smiles == "CCCCCCCCC")
            .unwrap();
        let counts = crate::chem::Molecule::parse(nonane.smiles)
            .unwrap()
            .element_counts();
        let atoms: f64 = FREE_ATOMS
            .iter()
            .map(|(symbol, energy)| energy * *counts.get(*symbol).unwrap_or(&0) as f64)
            .sum();
        assert!((nonane.u0_hartree - atoms + 4.156_831).abs() < 1e-5);
    }
}
