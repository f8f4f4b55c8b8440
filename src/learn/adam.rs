//! Adam (Kingma and Ba, arXiv:1412.6980, algorithm 1), with moments that can be saved and restored.

use candle_core::backprop::GradStore;
use candle_core::{CpuStorage, InplaceOp2, InplaceOp3, Layout, Result, Tensor, Var, bail};

use super::network::QNetwork;

/// Optimiser state of one network.
#[derive(Debug)]
pub struct Adam {
    /// First moment of each parameter, with its shape.
    pub first: Vec<Tensor>,
    /// Second moment of each parameter, with its shape.
    pub second: Vec<Tensor>,
    /// Number of steps taken.
    pub steps: u64,
}

const BETA_1: f64 = 0.9;
const BETA_2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

impl Adam {
    /// Creates the state before the first step: all moments are zero.
    ///
    /// # Errors
    ///
    /// A tensor cannot be allocated.
    pub fn new(network: &QNetwork) -> Result<Self> {
        let zeros = || {
            let moments = network.parameters().map(|parameter| parameter.zeros_like());
            moments.collect::<Result<Vec<_>>>()
        };
        Ok(Self {
            first: zeros()?,
            second: zeros()?,
            steps: 0,
        })
    }

    /// Updates every parameter of `network`; `rate` is the learning rate.
    ///
    /// # Errors
    ///
    /// The moments or gradients do not have the shapes of the parameters.
    pub fn step(&mut self, network: &QNetwork, gradients: &GradStore, rate: f64) -> Result<()> {
        self.steps += 1;
        let steps = self.steps as f64;
        let update = Update {
            rate: (rate / (1.0 - BETA_1.powf(steps))) as f32,
            root_correction: (1.0 - BETA_2.powf(steps)).sqrt().recip() as f32,
        };
        let moments = self.first.iter().zip(&self.second);
        for (parameter, (first, second)) in network.parameters().zip(moments) {
            let gradient = gradient_of(parameter, gradients)?;
            first.inplace_op2(&gradient, &FirstMoment)?;
            second.inplace_op2(&gradient, &SecondMoment)?;
            parameter.inplace_op3(first, second, &update)?;
        }
        Ok(())
    }
}

/// Gradient of a parameter, zero if the loss does not depend on it.
fn gradient_of(parameter: &Var, gradients: &GradStore) -> Result<Tensor> {
    match gradients.get(parameter) {
        Some(gradient) => gradient.contiguous(),
        None => parameter.zeros_like(),
    }
}

/// The operation m = beta_1 m + (1 - beta_1) g.
struct FirstMoment;

/// The operation v = beta_2 v + (1 - beta_2) g^2.
struct SecondMoment;

/// The operation w = w - rate m / (sqrt(v) root_correction + epsilon).
struct Update {
    /// Learning rate divided by 1 - beta_1^t.
    rate: f32,
    /// 1 / sqrt(1 - beta_2^t).
    root_correction: f32,
}

impl InplaceOp2 for FirstMoment {
    fn name(&self) -> &'static str {
        "adam-first-moment"
    }

    fn cpu_fwd(&self, m: &mut CpuStorage, _: &Layout, g: &CpuStorage, _: &Layout) -> Result<()> {
        let (keep, take) = (BETA_1 as f32, (1.0 - BETA_1) as f32);
        for (m, g) in writable(m)?.iter_mut().zip(g.as_slice::<f32>()?) {
            *m = keep * *m + take * g;
        }
        Ok(())
    }
}

impl InplaceOp2 for SecondMoment {
    fn name(&self) -> &'static str {
        "adam-second-moment"
    }

    fn cpu_fwd(&self, v: &mut CpuStorage, _: &Layout, g: &CpuStorage, _: &Layout) -> Result<()> {
        let (keep, take) = (BETA_2 as f32, (1.0 - BETA_2) as f32);
        for (v, g) in writable(v)?.iter_mut().zip(g.as_slice::<f32>()?) {
            *v = keep * *v + take * g * g;
        }
        Ok(())
    }
}

impl InplaceOp3 for Update {
    fn name(&self) -> &'static str {
        "adam-update"
    }

    fn cpu_fwd(
        &self,
        w: &mut CpuStorage,
        _: &Layout,
        m: &CpuStorage,
        _: &Layout,
        v: &CpuStorage,
        _: &Layout,
    ) -> Result<()> {
        let moments = m.as_slice::<f32>()?.iter().zip(v.as_slice::<f32>()?);
        for (w, (m, v)) in writable(w)?.iter_mut().zip(moments) {
            *w -= self.rate * m / (v.sqrt() * self.root_correction + EPSILON as f32);
        }
        Ok(())
    }
}

/// The numbers of a tensor. All tensors here own their whole storage, so their layout is ignored.
fn writable(storage: &mut CpuStorage) -> Result<&mut [f32]> {
    match storage {
        CpuStorage::F32(values) => Ok(values),
        _ => bail!("the parameters of the network are not in single precision"),
    }
}
