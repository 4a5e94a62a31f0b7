//! State-value functions V(s), and how they are fitted to returns.

use assay_environments::{
    Space,
    parameters::{ParameterError, require},
    random::Seed,
};

use crate::{
    Checkpoint, Error,
    networks::DenseStack,
    optimisers::Adam,
    policies::NetworkConfig,
    rollout::{Minibatch, MinibatchOrder, Rollout},
    tensor::{Device, Matrix, MatrixOperations, Operations, Parameters, Recording, Scalar, Vector, backward},
};

/// How a prediction V is kept near the one before the update, V_k. The range c is in units of the
/// returns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ValueClip {
    /// (clip(V, V_k − c, V_k + c) − R)², as in Stable-Baselines3.
    Clipped(f64),
    /// max{ (V − R)², (clip(V, V_k − c, V_k + c) − R)² }, as in OpenAI Baselines.
    Larger(f64),
}

/// How a value function is fitted to the returns of a rollout.
#[derive(Clone, Copy, Debug)]
pub struct Regression {
    /// Passes over the rollout.
    pub epochs: usize,
    /// Rows per gradient step.
    pub minibatch_size: usize,
    /// Step size of Adam.
    pub learning_rate: f64,
    /// Whether predictions are kept near the old ones.
    pub clip: Option<ValueClip>,
}

impl Regression {
    /// Errors when a setting is out of its range. The fields are called in a configuration as they
    /// are here, with `value_` before them.
    pub fn validate(&self) -> Result<(), ParameterError> {
        let (rate, size) = (self.learning_rate, self.minibatch_size);
        require("value_epochs", self.epochs, self.epochs > 0, "at least 1")?;
        require("value_minibatch_size", size, size > 0, "at least 1")?;
        require("value_learning_rate", rate, rate >= 0.0 && rate.is_finite(), "at least 0")?;
        let range = match self.clip {
            Some(ValueClip::Clipped(range) | ValueClip::Larger(range)) => range,
            None => 1.0,
        };
        require("value_clip_range", range, range > 0.0 && range.is_finite(), "above 0")
    }
}

/// A network from observations to one value each.
pub struct ValueFunction<D: Device> {
    network: DenseStack<D>,
    /// Memory of [`fit`](Self::fit).
    minibatch: Minibatch,
}

impl<D: Device> ValueFunction<D> {
    /// A value function with freshly drawn weights (from the stream `"value initialisation"` of
    /// `seed`), the last layer with gain 1. Its parameters are called `value/…`.
    ///
    /// # Errors
    /// [`Error::Device`] when the device's memory is exhausted.
    pub fn new(device: &D, observations: &Space, config: &NetworkConfig, seed: Seed) -> Result<Self, Error> {
        Self::named("value", device, observations, config, seed)
    }

    /// The same under another name, which is that of its parameters and, with `initialisation` after
    /// it, of its stream: for a learner with several.
    ///
    /// # Errors
    /// [`Error::Device`] when the device's memory is exhausted.
    pub fn named(
        name: &str,
        device: &D,
        observations: &Space,
        config: &NetworkConfig,
        seed: Seed,
    ) -> Result<Self, Error> {
        let mut stream = seed.stream(&format!("{name} initialisation"));
        let config = config.stack(1.0);
        let network = DenseStack::new(device, name, observations.features(), 1, &config, &mut stream)?;
        Ok(ValueFunction { network, minibatch: Minibatch::default() })
    }

    /// The value of every row of `observations` (rows × features), from host to host.
    pub fn infer(&self, observations: &[f32], values: &mut [f32]) {
        self.network.infer(observations, values);
    }

    /// The values of `observations` (rows × features), recorded on a new tape: the start of a loss.
    ///
    /// # Errors
    /// [`Error::Device`] when the device fails.
    pub fn record(&self, observations: Matrix<D>) -> Result<Vector<D, Recording<D>>, Error> {
        Ok(self.network.record(observations)?.only_column())
    }

    /// The mean squared error of the values of `observations` (rows × features), recorded: the
    /// start of a loss. `old_values` are used only for clipping.
    ///
    /// # Errors
    /// [`Error::Device`] when the device fails.
    pub fn loss(
        &self,
        observations: Matrix<D>,
        returns: &Vector<D>,
        old_values: &Vector<D>,
        clip: Option<ValueClip>,
    ) -> Result<Scalar<D, Recording<D>>, Error> {
        let values = self.record(observations)?;
        let clipped = |values: Vector<D, Recording<D>>, range: f64| {
            (values - old_values.clone()).clamp(-range, range) + old_values.clone()
        };
        Ok(match clip {
            None => (values - returns.clone()).square(),
            Some(ValueClip::Clipped(range)) => (clipped(values, range) - returns.clone()).square(),
            Some(ValueClip::Larger(range)) => {
                let unclipped = (values.branch() - returns.clone()).square();
                (clipped(values, range) - returns.clone()).square().maximum(unclipped)
            }
        }
        .mean_all())
    }

    /// Fits the values to the rollout's returns by minibatch gradient steps and returns the mean of
    /// the losses before each step.
    ///
    /// # Errors
    /// [`Error::NonFinite`] when a loss or gradient is not finite; [`Error::Device`] when the device
    /// fails.
    pub fn fit(
        &mut self,
        optimiser: &mut Adam<D>,
        rollout: &Rollout,
        order: &mut MinibatchOrder,
        regression: Regression,
    ) -> Result<f64, Error> {
        let device = self.network.parameters().device().clone();
        let mut minibatch = std::mem::take(&mut self.minibatch);
        let (mut total, mut updates) = (0.0, 0);
        for _ in 0..regression.epochs {
            for rows in order.shuffled(0..rollout.len(), regression.minibatch_size) {
                minibatch.gather(rollout, rows);
                let observations =
                    device.matrix(&minibatch.observations, minibatch.rows, rollout.observation_features())?;
                let returns = device.vector(&minibatch.returns)?;
                let old_values = device.vector(&minibatch.values)?;
                let loss = self.loss(observations, &returns, &old_values, regression.clip)?;
                let (loss, mut gradients) = backward(loss, "value loss")?;
                let parameters = &mut [self.network.parameters_mut()];
                optimiser.step(parameters, &mut gradients, regression.learning_rate)?;
                total += f64::from(loss);
                updates += 1;
            }
        }
        self.minibatch = minibatch;
        Ok(total / f64::from(updates))
    }

    /// The parameters.
    pub fn parameters(&self) -> &Parameters<D> {
        self.network.parameters()
    }

    /// The parameters, for an optimiser.
    pub fn parameters_mut(&mut self) -> &mut Parameters<D> {
        self.network.parameters_mut()
    }

    /// Writes the parameters.
    pub fn save(&self, checkpoint: &mut Checkpoint) {
        self.network.parameters().save(checkpoint);
    }

    /// Puts saved parameters back.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] when a part is absent or has another shape.
    pub fn load(&mut self, checkpoint: &Checkpoint) -> Result<(), Error> {
        self.network.parameters_mut().load(checkpoint)
    }
}
