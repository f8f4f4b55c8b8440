//! The Q-network: a multilayer perceptron from an observation to the value of the reached state.

use candle_core::{DType, Device, Result, Tensor, Var, bail};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::environment::StateObservation;

/// Fully connected layers with ReLU between them and one output, on the CPU, in single precision.
#[derive(Clone, Debug)]
pub struct QNetwork {
    layers: Vec<Layer>,
}

#[derive(Clone, Debug)]
struct Layer {
    /// Inputs x outputs: the first layer sums the rows at an observation's ones.
    weight: Var,
    bias: Var,
}

impl QNetwork {
    /// Creates a network with these widths of input and hidden layers. Weights and biases are drawn
    /// uniformly from plus or minus 1/sqrt(inputs), PyTorch's default for linear layers.
    ///
    /// # Errors
    ///
    /// A tensor cannot be allocated.
    pub fn new(inputs: usize, hidden: &[usize], rng: &mut ChaCha8Rng) -> Result<Self> {
        let mut uniform = |count: usize, bound: f32| -> Vec<f32> {
            (0..count)
                .map(|_| rng.random_range(-bound..bound))
                .collect()
        };
        let parameters = shapes(inputs, hidden)
            .map(|shape| {
                // A bias has the bound of the weights of its layer.
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

    /// Creates a network with these parameters: weight and bias of each layer in turn.
    ///
    /// # Errors
    ///
    /// A tensor cannot be allocated.
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

    /// Independent copy with the same parameters.
    ///
    /// # Errors
    ///
    /// A tensor cannot be allocated.
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

    /// Value of each observation, in order.
    ///
    /// # Errors
    ///
    /// The network has no layers, or an index is not below its number of inputs.
    pub fn values(&self, observations: &[&StateObservation]) -> Result<Vec<f32>> {
        if observations.is_empty() {
            return Ok(Vec::new());
        }
        self.forward(observations)?.to_vec1()
    }

    /// Values of one or more observations, as a vector that gradients can be computed of.
    ///
    /// # Errors
    ///
    /// The network has no layers, or an index is not below its number of inputs.
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

/// Shape of a parameter.
pub(super) struct ParameterShape {
    pub dims: Vec<usize>,
    /// Number of inputs of its layer.
    fan_in: usize,
}

/// Shapes of a network's parameters: weight and bias of each layer in turn.
pub(super) fn shapes(inputs: usize, hidden: &[usize]) -> impl Iterator<Item = ParameterShape> {
    let widths: Vec<usize> = [inputs].iter().chain(hidden).chain(&[1]).copied().collect();
    (1..widths.len()).flat_map(move |i| {
        let (fan_in, outputs) = (widths[i - 1], widths[i]);
        [vec![fan_in, outputs], vec![outputs]].map(|dims| ParameterShape { dims, fan_in })
    })
}

/// Product of the observations, as rows of zeros and ones, with `weight`. Only the rows of `weight`
/// at the ones are summed, in the forward and the backward pass.
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
