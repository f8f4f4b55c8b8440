//! Products of sparse rows of counts with all rows of a set: the kernels of count fingerprints.

use std::collections::BTreeMap;

/// Counts of a row by key, ascending, each key once.
pub type Counts<K> = Vec<(K, u32)>;

/// Rows of counts, by key: a product visits only rows that share a key.
#[derive(Clone, Debug)]
pub struct CountIndex<K> {
    /// Rows with each key, and their counts.
    entries: BTreeMap<K, Vec<(usize, u32)>>,
    /// Sum of the counts of each row.
    totals: Vec<f64>,
}

impl<K: Ord + Clone> CountIndex<K> {
    /// Index of `rows`.
    pub fn new<'a>(rows: impl IntoIterator<Item = &'a Counts<K>>) -> Self
    where
        K: 'a,
    {
        let (mut entries, mut totals) = (BTreeMap::<K, Vec<_>>::new(), Vec::new());
        for (place, row) in rows.into_iter().enumerate() {
            totals.push(total(row));
            for (key, count) in row {
                entries
                    .entry(key.clone())
                    .or_default()
                    .push((place, *count));
            }
        }
        Self { entries, totals }
    }

    /// Sum of the smaller divided by the sum of the larger counts, with each row in order: the
    /// Tanimoto kernel of counts, or min-max kernel, which is positive definite (Ralaivola et al.,
    /// Neural Netw. 18, 1093, 2005, section 4.3). It is 1 for two rows without counts.
    pub fn min_max(&self, row: &Counts<K>) -> Vec<f64> {
        let shared = self.sum(row, |a, b| f64::from(a.min(b)));
        let own = total(row);
        let pairs = shared.into_iter().zip(&self.totals);
        pairs
            .map(|(shared, other)| match own + other - shared {
                0.0 => 1.0,
                all => shared / all,
            })
            .collect()
    }

    /// Scalar product with each row, in order.
    pub fn dot(&self, row: &Counts<K>) -> Vec<f64> {
        self.sum(row, |a, b| f64::from(a) * f64::from(b))
    }

    fn sum(&self, row: &Counts<K>, product: impl Fn(u32, u32) -> f64) -> Vec<f64> {
        let mut sums = vec![0.0; self.totals.len()];
        for (key, count) in row {
            for (place, other) in self.entries.get(key).into_iter().flatten() {
                sums[*place] += product(*count, *other);
            }
        }
        sums
    }
}

/// Counts of `keys`.
pub fn counts<K: Ord>(keys: impl IntoIterator<Item = K>) -> Counts<K> {
    let mut counts = BTreeMap::new();
    for key in keys {
        *counts.entry(key).or_insert(0) += 1;
    }
    counts.into_iter().collect()
}

fn total<K>(row: &Counts<K>) -> f64 {
    row.iter().map(|(_, count)| f64::from(*count)).sum()
}
