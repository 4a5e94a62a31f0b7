//! A network that parametrises a tanh-squashed Gaussian.

use assay_environments::random::Stream;

use super::{SquashedGaussian, squashed_gaussian};
use crate::{
    Error, Mode,
    networks::{DenseConfig, DenseStack},
    tensor::{Device, Matrix, Parameters, Recording},
};

/// The stochastic policy of an off-policy learner with continuous actions, on [−1, 1].
#[derive(Debug)]
pub struct SquashedPolicy<D: Device> {
    network: DenseStack<D>,
    width: usize,
}

impl<D: Device> SquashedPolicy<D> {
    /// A policy from `features` numbers to actions of `width` numbers with freshly drawn weights.
    /// `name` is what its parameters are called in checkpoints.
    ///
    /// # Errors
    /// [`Error::Device`] when the device's memory is exhausted.
    pub fn new(
        device: &D,
        name: &str,
        features: usize,
        width: usize,
        config: &DenseConfig,
        rng: &mut Stream,
    ) -> Result<Self, Error> {
        let network = DenseStack::new(device, name, features, 2 * width, config, rng)?;
        Ok(SquashedPolicy { network, width })
    }

    /// A copy under another name, with gradients of its own: an old policy.
    ///
    /// # Errors
    /// [`Error::Device`] when the device's memory is exhausted.
    pub fn duplicate(&self, name: &str) -> Result<Self, Error> {
        Ok(SquashedPolicy { network: self.network.duplicate(name)?, width: self.width })
    }

    /// The network's parameters.
    pub fn parameters(&self) -> &Parameters<D> {
        self.network.parameters()
    }

    /// The network's parameters, for optimisers and copies.
    pub fn parameters_mut(&mut self) -> &mut Parameters<D> {
        self.network.parameters_mut()
    }

    /// π(·|s) for observations (rows × features), recorded: derivatives reach the parameters.
    ///
    /// # Errors
    /// [`Error::Device`] when the device fails.
    pub fn record(&self, observations: Matrix<D>) -> Result<SquashedGaussian<D, Recording<D>>, Error> {
        Ok(SquashedGaussian::from_outputs(self.network.record(observations)?))
    }

    /// π(·|s) for observations (rows × features), as constants.
    ///
    /// # Errors
    /// [`Error::Device`] when the device fails.
    pub fn distribution(&self, observations: Matrix<D>) -> Result<SquashedGaussian<D>, Error> {
        Ok(SquashedGaussian::from_outputs(self.network.forward(observations)?))
    }

    /// Chooses actions on [−1, 1] (rows × width) for observations (rows × features), on the host.
    /// [`Mode::Greedy`] is tanh μ. `outputs` is scratch memory: with the same buffer and number of
    /// rows nothing is allocated.
    pub fn act(
        &self,
        observations: &[f32],
        mode: Mode,
        rng: &mut Stream,
        outputs: &mut Vec<f32>,
        actions: &mut [f32],
    ) {
        outputs.resize(2 * actions.len(), 0.0);
        self.network.infer(observations, outputs);
        match mode {
            Mode::Sample => squashed_gaussian::sample(outputs, self.width, rng, actions),
            Mode::Greedy => squashed_gaussian::squashed_mean(outputs, self.width, actions),
        }
    }
}
