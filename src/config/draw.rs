//! Molecules that a new run draws from its source.

use std::collections::{BTreeMap, BTreeSet};

use super::source::Source;

/// Most molecules that are drawn beyond those that stages ask for: replacements of those that fail,
/// and start molecules of generators.
pub const RESERVE: usize = 256;

/// Molecules of the stages of a new run, canonical SMILES.
#[derive(Clone, Debug, PartialEq)]
pub struct StageDraw {
    /// Those of each stage that takes molecules from the source.
    pub stages: BTreeMap<String, Vec<String>>,
    /// Further molecules, at most [`RESERVE`].
    pub reserve: Vec<String>,
    /// Number of molecules that were to be drawn at random.
    pub asked: usize,
    /// Number of molecules that were drawn, the reserve included.
    pub found: usize,
}

impl Source {
    /// Draws the molecules of stages, each with the number that it takes at random, or with none for
    /// all of the source, and a reserve. Where the source has too few, the last stages have fewer.
    /// None of `known` is drawn at random, and none of `failed` is in a whole source.
    pub fn draw_for<'p>(
        &self,
        seed: u64,
        stages: impl Iterator<Item = (&'p str, Option<usize>)>,
        known: &BTreeSet<&str>,
        failed: &BTreeSet<&str>,
    ) -> StageDraw {
        let stages: Vec<(&str, Option<usize>)> = stages.collect();
        let asked = stages.iter().filter_map(|(_, count)| *count).sum();
        let mut drawn = self.draw(seed, asked + RESERVE, &|smiles| !known.contains(smiles));
        let found = drawn.len();
        let molecules = stages.into_iter().map(|(stage, count)| {
            let molecules = match count {
                Some(count) => drawn.drain(..count.min(drawn.len())).collect(),
                None => {
                    let mut all = self.all();
                    all.retain(|smiles| !failed.contains(smiles.as_str()));
                    all
                }
            };
            (stage.to_owned(), molecules)
        });
        let stages = molecules.collect();
        StageDraw {
            stages,
            reserve: drawn,
            asked,
            found,
        }
    }
}
