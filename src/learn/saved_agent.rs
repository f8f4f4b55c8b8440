//! Saving and restoring an agent, exact to the last bit.

use candle_core::{DType, Device, Tensor};
use serde::{Deserialize, Serialize};

use super::adam::Adam;
use super::dqn::{Dqn, DqnSettings};
use super::network::{QNetwork, shapes};
use super::replay::Replay;
use super::saved::{SavedError, SavedFormat};

const AGENT: SavedFormat = SavedFormat {
    name: "agent",
    layout: 1,
};

/// All data but the tensors, which follow in little-endian single precision: online network, target
/// network, first and second moments.
#[derive(Serialize, Deserialize)]
struct Header {
    /// Widths of input and hidden layers.
    layers: Vec<usize>,
    steps: u64,
    epsilon: f64,
    episodes: u64,
    replay: Replay,
}

impl Dqn {
    /// Encodes weights, moments, epsilon, counters and replay memory.
    ///
    /// # Errors
    ///
    /// The bytes cannot be allocated.
    pub fn to_bytes(&self) -> Result<Vec<u8>, SavedError> {
        let header = Header {
            layers: layers(&self.settings),
            steps: self.optimiser.steps,
            epsilon: self.epsilon,
            episodes: self.episodes,
            replay: self.replay.clone(),
        };
        let mut bytes = AGENT.encode(&header)?;
        let networks = self.online.parameters().chain(self.target.parameters());
        let tensors = networks.map(|parameter| parameter.as_tensor());
        for tensor in tensors
            .chain(&self.optimiser.first)
            .chain(&self.optimiser.second)
        {
            tensor.write_bytes(&mut bytes)?;
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
        let mut tensors = || {
            let read = shapes(settings.inputs, &settings.hidden).map(|shape| {
                let bytes = shape.dims.iter().product::<usize>() * size_of::<f32>();
                let (own, others) = rest.split_at_checked(bytes).ok_or_else(damaged)?;
                rest = others;
                Ok(Tensor::from_raw_buffer(
                    own,
                    DType::F32,
                    &shape.dims,
                    &Device::Cpu,
                )?)
            });
            read.collect::<Result<Vec<_>, SavedError>>()
        };
        let online = QNetwork::from_parameters(&tensors()?)?;
        let target = QNetwork::from_parameters(&tensors()?)?;
        let optimiser = Adam {
            first: tensors()?,
            second: tensors()?,
            steps: header.steps,
        };
        if !rest.is_empty() {
            return Err(damaged());
        }
        Ok(Self {
            online,
            target,
            optimiser,
            replay: header.replay,
            epsilon: header.epsilon,
            episodes: header.episodes,
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
