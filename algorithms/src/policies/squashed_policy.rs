//! A network that parametrises a tanh-squashed Gaussian.

use assay_environments::random::Stream;

use super::{
    DiagonalGaussian, Exploration, Modules, SquashedGaussian, StateDependentNoise, squashed_gaussian,
    state_dependent_noise::{self, Row},
};
use crate::{
    Checkpoint, Error, Mode,
    networks::{DenseConfig, DenseStack},
    tensor::{Device, Matrix, Parameters, Recording, Tape, Vector},
};

/// The stochastic policy of an off-policy learner with continuous actions, on [−1, 1].
#[derive(Debug)]
pub struct SquashedPolicy<D: Device> {
    network: DenseStack<D>,
    width: usize,
    noise: Option<Noise<D>>,
}

/// State-dependent noise and its log standard deviations: features × dimensions.
#[derive(Debug)]
struct Noise<D: Device> {
    settings: StateDependentNoise,
    log_std: Parameters<D>,
}

impl<D: Device> SquashedPolicy<D> {
    /// A policy from `features` numbers to actions of `width` numbers with freshly drawn weights.
    /// Its standard deviation is an output of the network, or comes from state-dependent `noise`.
    /// `name` is what its parameters are called in checkpoints.
    ///
    /// # Errors
    /// [`Error::Device`] when the device's memory is exhausted.
    pub fn new(
        device: &D,
        name: &str,
        (features, width): (usize, usize),
        config: &DenseConfig,
        noise: Option<StateDependentNoise>,
        rng: &mut Stream,
    ) -> Result<Self, Error> {
        let Some(settings) = noise else {
            let network = DenseStack::new(device, name, features, 2 * width, config, rng)?;
            return Ok(SquashedPolicy { network, width, noise: None });
        };
        let network = DenseStack::with_features(device, name, features, width, config, rng)?;
        let entries = vec![settings.initial_log_std as f32; (network.outputs() - width) * width];
        let log_std = Parameters::free(device, &log_std_of(name), &entries)?;
        Ok(SquashedPolicy { network, width, noise: Some(Noise { settings, log_std }) })
    }

    /// A copy under another name, with gradients of its own: an old policy.
    ///
    /// # Errors
    /// [`Error::Device`] when the device's memory is exhausted.
    pub fn duplicate(&self, name: &str) -> Result<Self, Error> {
        let noise = match &self.noise {
            Some(Noise { settings, log_std }) => {
                Some(Noise { settings: *settings, log_std: log_std.duplicate(&log_std_of(name))? })
            }
            None => None,
        };
        Ok(SquashedPolicy { network: self.network.duplicate(name)?, width: self.width, noise })
    }

    /// The policy's modules: the network and, with state-dependent noise, its log standard
    /// deviations.
    pub fn parameters(&self) -> Modules<&Parameters<D>> {
        let log_std = self.noise.as_ref().map(|noise| &noise.log_std);
        std::iter::once(self.network.parameters()).chain(log_std).collect()
    }

    /// The policy's modules, for an optimiser: in the order of [`parameters`](Self::parameters).
    pub fn parameters_mut(&mut self) -> Modules<&mut Parameters<D>> {
        let log_std = self.noise.as_mut().map(|noise| &mut noise.log_std);
        std::iter::once(self.network.parameters_mut()).chain(log_std).collect()
    }

    /// How many numbers the noise matrix of one copy of an environment has; 0 where the noise does
    /// not depend on the state.
    pub fn noise_entries(&self) -> usize {
        self.noise.as_ref().map_or(0, |noise| noise.log_std.len())
    }

    /// π(·|s) for observations (rows × features), recorded: derivatives reach the parameters.
    ///
    /// # Errors
    /// [`Error::Device`] when the device fails.
    pub fn record(&self, observations: Matrix<D>) -> Result<SquashedGaussian<D, Recording<D>>, Error> {
        let log_std = self.noise.as_ref().map(|noise| noise.log_std.record());
        Ok(self.distribution_of(self.network.record(observations)?, log_std))
    }

    /// π(·|s) for observations (rows × features), as constants.
    ///
    /// # Errors
    /// [`Error::Device`] when the device fails.
    pub fn distribution(&self, observations: Matrix<D>) -> Result<SquashedGaussian<D>, Error> {
        let log_std = self.noise.as_ref().map(|noise| noise.log_std.constant());
        Ok(self.distribution_of(self.network.forward(observations)?, log_std))
    }

    fn distribution_of<T: Tape<D>>(
        &self,
        outputs: Matrix<D, T>,
        log_std: Option<Vector<D, T>>,
    ) -> SquashedGaussian<D, T> {
        match (&self.noise, log_std) {
            (Some(noise), Some(entries)) => {
                let DiagonalGaussian { mean, log_std } =
                    noise.settings.gaussian(outputs, self.width, entries);
                SquashedGaussian { mean, log_std }
            }
            _ => SquashedGaussian::from_outputs(outputs),
        }
    }

    /// Chooses actions on [−1, 1] (rows × width) for observations (rows × features), on the host.
    /// [`Mode::Greedy`] is tanh μ. Noise that depends on the state is drawn for every row alone.
    /// `scratch` is memory to be reused: with the same buffer and number of rows nothing is
    /// allocated.
    pub fn act(
        &self,
        observations: &[f32],
        mode: Mode,
        rng: &mut Stream,
        scratch: &mut Vec<f32>,
        actions: &mut [f32],
    ) {
        self.choose(observations, (mode, &[]), rng, scratch, actions);
    }

    /// Samples an action for every copy of an environment (a row of `observations`), as
    /// [`act`](Self::act) does, with noise that goes on from the step before where it is that of
    /// the state. `step` is how many steps of each copy there are since the last round of gradient
    /// steps.
    pub fn explore(
        &self,
        observations: &[f32],
        step: u64,
        rng: &mut Stream,
        exploration: &mut Exploration,
        actions: &mut [f32],
    ) {
        if let Some(Noise { settings, log_std }) = &self.noise {
            let copies = observations.len() / self.network.inputs();
            exploration.draw(settings, step, copies, &log_std.values(), rng);
        }
        let (matrices, scratch) = exploration.parts();
        self.choose(observations, (Mode::Sample, matrices), rng, scratch, actions);
    }

    /// Chooses actions, where `matrices` are given with the noise of one of them per row.
    fn choose(
        &self,
        observations: &[f32],
        (mode, matrices): (Mode, &[f32]),
        rng: &mut Stream,
        scratch: &mut Vec<f32>,
        actions: &mut [f32],
    ) {
        let columns = self.network.outputs();
        let numbers = observations.len() / self.network.inputs() * columns;
        scratch.resize(numbers + self.noise_entries(), 0.0);
        let (outputs, variances) = scratch.split_at_mut(numbers);
        self.network.infer(observations, outputs);
        let Some(Noise { settings: noise, log_std }) = &self.noise else {
            match mode {
                Mode::Sample => squashed_gaussian::sample(outputs, self.width, rng, actions),
                Mode::Greedy => squashed_gaussian::squashed_mean(outputs, self.width, actions),
            }
            return;
        };
        state_dependent_noise::variances(&log_std.values(), variances);
        let rows = outputs.chunks_exact(columns).zip(actions.chunks_exact_mut(self.width));
        for (row, (outputs, action)) in rows.enumerate() {
            let (mean, features) = outputs.split_at(self.width);
            let matrix = matrices.chunks_exact(variances.len()).nth(row);
            Row { noise, mean, features, variances, matrix }.act(mode, rng, action);
            action.iter_mut().for_each(|a| *a = a.tanh());
        }
    }

    /// Becomes a copy of `other`, a policy of the same form.
    ///
    /// # Errors
    /// [`Error::Device`] when the device fails.
    pub fn copy_from(&mut self, other: &Self) -> Result<(), Error> {
        let pairs = self.parameters_mut().into_iter().zip(other.parameters());
        pairs.into_iter().try_for_each(|(own, other)| own.blend(other, 1.0))
    }

    /// Writes the parameters.
    pub fn save(&self, checkpoint: &mut Checkpoint) {
        self.parameters().iter().for_each(|parameters| parameters.save(checkpoint));
    }

    /// Puts saved parameters back.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] when a part is absent or has another shape.
    pub fn load(&mut self, checkpoint: &Checkpoint) -> Result<(), Error> {
        self.parameters_mut().into_iter().try_for_each(|parameters| parameters.load(checkpoint))
    }
}

/// What the log standard deviations of the policy called `name` are called.
fn log_std_of(name: &str) -> String {
    format!("{name}/log_std")
}
