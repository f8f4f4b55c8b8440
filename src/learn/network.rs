//! The Q-network: a multilayer perceptron from an observation to the value of having reached it.

use candle_core::{DType, Device, Result, Tensor, Var, bail};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::environment::StateObservation;

/// Fully connected layers with ReLU between them; one output. On the CPU, in single precision.
#[derive(Clone, Debug)]
pub struct QNetwork {
    layers: Vec<Layer>,
}

#[derive(Clone, Debug)]
struct Layer {
    /// Inputs x outputs, so that the first layer sums the rows of an observation's ones.
    weight: Var,
    bias: Var,
}

impl QNetwork {
    /// A network with the given widths of input and hidden layers. Weights and biases are uniform
    /// within plus or minus 1/sqrt(inputs), PyTorch's default for linear layers.
    pub fn new(inputs: usize, hidden: &[usize], rng: &mut ChaCha8Rng) -> Result<Self> {
        let mut uniform = |count: usize, bound: f32| -> Vec<f32> {
            (0..count)
                .map(|_| rng.random_range(-bound..bound))
                .collect()
        };
        let parameters = shapes(inputs, hidden)
            .map(|shape| {
                // A bias has the bound of its layer's weights, which its own shape does not tell.
                let bound = (shape.fan_in as f32).sqrt().recip();
                Tensor::from_vec(
                    uniform(shape.dims.iter().product(), bound),
                    shape.dims,
                    &Device::Cpu,
                )
            })
            .collect::<Result<Vec<_>>>()?;
        Self::from_parameters(&parameters)
    }

    /// A network with these parameters: weight and bias of each layer in turn.
    pub fn from_parameters(parameters: &[Tensor]) -> Result<Self> {
        let layers = parameters
            .chunks_exact(2)
            .map(|pair| {
                Ok(Layer {
                    weight: Var::from_tensor(&pair[0])?,
                    bias: Var::from_tensor(&pair[1])?,
                })
            })
            .collect::<Result<_>>()?;
        Ok(Self { layers })
    }

    /// A network of its own with the same parameters.
    pub fn duplicate(&self) -> Result<Self> {
        let parameters = self
            .parameters()
            .map(|parameter| parameter.as_detached_tensor().copy())
            .collect::<Result<Vec<_>>>()?;
        Self::from_parameters(&parameters)
    }

    /// Weight and bias of each layer in turn.
    pub fn parameters(&self) -> impl Iterator<Item = &Var> {
        self.layers
            .iter()
            .flat_map(|layer| [&layer.weight, &layer.bias])
    }

    /// The values of some observations, in order.
    pub fn values(&self, observations: &[&StateObservation]) -> Result<Vec<f32>> {
        if observations.is_empty() {
            return Ok(Vec::new());
        }
        self.forward(observations)?.to_vec1()
    }

    /// The values of at least one observation, as a tensor that gradients can be taken of.
    pub fn forward(&self, observations: &[&StateObservation]) -> Result<Tensor> {
        let Some((first, rest)) = self.layers.split_first() else {
            bail!("a network without layers has no values");
        };
        let mut hidden = sum_rows(&first.weight, observations)?.broadcast_add(&first.bias)?;
        for layer in rest {
            hidden = (hidden.relu()?.matmul(&layer.weight)?).broadcast_add(&layer.bias)?;
        }
        hidden.squeeze(1)
    }
}

/// Dimensions of a parameter, and the inputs of its layer.
pub struct ParameterShape {
    pub dims: Vec<usize>,
    fan_in: usize,
}

/// The shapes of a network's parameters: weight and bias of each layer in turn.
pub fn shapes(inputs: usize, hidden: &[usize]) -> impl Iterator<Item = ParameterShape> {
    let widths: Vec<usize> = [inputs].iter().chain(hidden).chain(&[1]).copied().collect();
    (1..widths.len()).flat_map(move |i| {
        let (fan_in, outputs) = (widths[i - 1], widths[i]);
        [vec![fan_in, outputs], vec![outputs]].map(|dims| ParameterShape { dims, fan_in })
    })
}

/// The product of zero-one vectors with `weight`: few rows of it summed instead of all multiplied,
/// forwards as well as backwards.
fn sum_rows(weight: &Tensor, observations: &[&StateObservation]) -> Result<Tensor> {
    let zeros = Tensor::zeros(
        (observations.len(), weight.dim(1)?),
        DType::F32,
        &Device::Cpu,
    )?;
    let ones: Vec<u32> = observations
        .iter()
        .flat_map(|bits| bits.iter().copied())
        .collect();
    if ones.is_empty() {
        return Ok(zeros);
    }
    let owners: Vec<u32> = (0u32..)
        .zip(observations)
        .flat_map(|(row, bits)| bits.iter().map(move |_| row))
        .collect();
    let count = ones.len();
    let ones = Tensor::from_vec(ones, count, &Device::Cpu)?;
    let owners = Tensor::from_vec(owners, count, &Device::Cpu)?;
    zeros.index_add(&owners, &weight.index_select(&ones, 0)?, 0)
}
