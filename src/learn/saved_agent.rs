//! Saving and restoring an agent, exact to the last bit, without what can be computed again: rows
//! of the first weight that have never moved, and a target network that equals the online one.

use serde::{Deserialize, Serialize};

use super::adam::Adam;
use super::dqn::{Dqn, DqnSettings, initial_network};
use super::network::QNetwork;
use super::replay::{Replay, SavedReplay};
use super::saved::{SavedError, SavedFormat};

const AGENT: SavedFormat = SavedFormat {
    name: "agent",
    layout: 2,
};

/// All data but the parameters, which follow in little-endian single precision: online network,
/// target network if it differs, first and second moments.
#[derive(Serialize, Deserialize)]
struct Header {
    /// Widths of input and hidden layers.
    layers: Vec<usize>,
    /// Seed of the initial weights.
    seed: u64,
    steps: u64,
    epsilon: f64,
    episodes: u64,
    /// Rows of the first weight that follow, ascending; the others are initial, without moments.
    rows: Vec<u32>,
    has_target: bool,
    replay: SavedReplay,
}

impl Dqn {
    /// Encodes weights, moments, epsilon, counters and replay memory.
    ///
    /// # Errors
    ///
    /// The bytes cannot be allocated.
    pub fn to_bytes(&self) -> Result<Vec<u8>, SavedError> {
        let initial = initial_network(&self.settings, self.seed);
        let zeros = QNetwork::zeros(self.settings.inputs, &self.settings.hidden);
        let has_target = self.target != self.online;
        let header = Header {
            layers: layers(&self.settings),
            seed: self.seed,
            steps: self.optimiser.steps,
            epsilon: self.epsilon,
            episodes: self.episodes,
            rows: moved_rows(&[
                (&self.online, &initial),
                (&self.target, &initial),
                (&self.optimiser.first, &zeros),
                (&self.optimiser.second, &zeros),
            ]),
            has_target,
            replay: self.replay.to_saved(),
        };
        let mut bytes = AGENT.encode(&header)?;
        let networks = [Some(&self.online), has_target.then_some(&self.target)];
        let moments = [&self.optimiser.first, &self.optimiser.second];
        for network in networks.into_iter().flatten().chain(moments) {
            for numbers in network.clone().saved(&header.rows) {
                bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
            }
        }
        Ok(bytes)
    }

    /// Restores a saved agent, which continues with `settings`.
    ///
    /// # Errors
    ///
    /// The bytes are damaged, of another kind or layout, or of other layers than `settings` has.
    pub fn from_bytes(bytes: &[u8], settings: DqnSettings) -> Result<Self, SavedError> {
        let damaged = || SavedError::Damaged(AGENT.name);
        let content = AGENT.content(bytes)?;
        let (header, mut rest): (Header, &[u8]) =
            postcard::take_from_bytes(content).map_err(|_| damaged())?;
        if header.layers != layers(&settings) {
            return Err(SavedError::Layers {
                saved: header.layers,
                asked: layers(&settings),
            });
        }
        if header
            .rows
            .iter()
            .any(|row| *row as usize >= settings.inputs)
        {
            return Err(damaged());
        }
        let mut read = |mut network: QNetwork| {
            for numbers in network.saved(&header.rows) {
                let own = rest.split_off(..size_of_val(numbers)).ok_or_else(damaged)?;
                for (number, bytes) in numbers.iter_mut().zip(own.as_chunks().0) {
                    *number = f32::from_le_bytes(*bytes);
                }
            }
            Ok::<_, SavedError>(network)
        };
        let initial = initial_network(&settings, header.seed);
        let zeros = QNetwork::zeros(settings.inputs, &settings.hidden);
        let online = read(initial.clone())?;
        let target = match header.has_target {
            true => read(initial)?,
            false => online.clone(),
        };
        let moments = (read(zeros.clone())?, read(zeros)?);
        if !rest.is_empty() {
            return Err(damaged());
        }
        Ok(Self {
            online,
            target,
            optimiser: Adam::restored(moments.0, moments.1, header.steps, settings.learning_rate),
            replay: Replay::from_saved(header.replay, settings.inputs).ok_or_else(damaged)?,
            epsilon: header.epsilon,
            episodes: header.episodes,
            seed: header.seed,
            settings,
        })
    }
}

fn layers(settings: &DqnSettings) -> Vec<usize> {
    [settings.inputs]
        .iter()
        .chain(&settings.hidden)
        .copied()
        .collect()
}

/// Rows of the first weight in which one of the networks differs from its counterpart.
fn moved_rows(pairs: &[(&QNetwork, &QNetwork)]) -> Vec<u32> {
    let width = pairs[0].0.layers[0].bias.len();
    let rows = pairs[0].0.layers[0].weight.len() / width;
    let has_moved = |&row: &u32| {
        let own = row as usize * width..(row as usize + 1) * width;
        let mut pairs = pairs.iter();
        pairs.any(|(a, b)| a.layers[0].weight[own.clone()] != b.layers[0].weight[own.clone()])
    };
    (0..rows as u32).filter(has_moved).collect()
}

impl QNetwork {
    /// The parameters that are saved, in order: rows of the first weight, the other weights, biases.
    fn saved(&mut self, rows: &[u32]) -> Vec<&mut [f32]> {
        let (mut weights, mut biases) = (Vec::new(), Vec::new());
        for layer in &mut self.layers {
            weights.push(layer.weight.as_mut_slice());
            biases.push(layer.bias.as_mut_slice());
        }
        let first = weights.remove(0).chunks_exact_mut(biases[0].len());
        let first = (0..)
            .zip(first)
            .filter(|(row, _)| rows.binary_search(row).is_ok());
        let mut parameters: Vec<&mut [f32]> = first.map(|(_, numbers)| numbers).collect();
        parameters.extend(weights);
        parameters.extend(biases);
        parameters
    }
}
