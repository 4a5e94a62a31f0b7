//! A network and the distribution that it parametrises.

use arrayvec::ArrayVec;
use assay_environments::{
    Actions, Space,
    parameters::{ParameterError, require},
    random::{Seed, Stream},
};
use serde::{Deserialize, Serialize};

use super::{
    Categorical, DiagonalGaussian, Distribution, Exploration, StateDependentNoise, categorical,
    diagonal_gaussian,
    state_dependent_noise::{self, Row},
};
use crate::{
    Checkpoint, Error, Mode,
    error::require_finite,
    networks::{Activation, DenseConfig, DenseStack, Initialisation},
    tensor::{
        self, Device, Gradients, Matrix, MatrixOperations, Operations, Parameters, Recording, Tape, Vector,
        VectorOperations,
    },
};

/// A state-dependent log standard deviation is kept within these bounds, as is customary since
/// Haarnoja et al. 2018 (arXiv 1812.05905).
pub(super) const LOG_STD_BOUNDS: (f32, f32) = (-20.0, 2.0);

/// The networks of a learner with a policy and a value function: two stacks of the same form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkConfig {
    /// Units of each hidden layer of either network. 64, 64 in Schulman et al. 2017.
    pub hidden: Vec<usize>,
    /// After every hidden layer. Tanh in Schulman et al. 2017.
    pub activation: Activation,
    /// The logarithm of a Gaussian policy's standard deviation at the start. 0 in common
    /// implementations.
    pub initial_log_std: f64,
    /// Whether a Gaussian policy's standard deviation is an output of the network rather than one
    /// free number per dimension. Off in Schulman et al. 2015 and 2017.
    pub state_dependent_std: bool,
    /// Noise of a Gaussian policy that is a function of the state and stays the same for several
    /// steps (gSDE); absent for independent noise, as in Schulman et al. 2015 and 2017. It brings
    /// its own log standard deviations.
    pub state_dependent_noise: Option<StateDependentNoise>,
    /// How the weights of all layers start; absent for orthogonal ones with gain √2, and 0.01 for a
    /// policy's last layer, 1 for a value function's, as in OpenAI Baselines.
    pub initialisation: Option<Initialisation>,
}

impl Default for NetworkConfig {
    fn default() -> Self {
        NetworkConfig {
            hidden: vec![64, 64],
            activation: Activation::Tanh,
            initial_log_std: 0.0,
            state_dependent_std: false,
            state_dependent_noise: None,
            initialisation: None,
        }
    }
}

impl NetworkConfig {
    /// Errors when a layer has no units, or the initial standard deviation is out of range.
    pub fn validate(&self) -> Result<(), ParameterError> {
        self.stack(1.0).validate("network")?;
        let log_std = self.initial_log_std;
        require("network.initial_log_std", log_std, (-20.0..=2.0).contains(&log_std), "from -20 to 2")?;
        let Some(noise) = self.state_dependent_noise else { return Ok(()) };
        let clash = self.state_dependent_std;
        require("network.state_dependent_std", clash, !clash, "false with `state_dependent_noise`")?;
        noise.validate("network.state_dependent_noise")
    }

    /// A network of this form. Unless an initialisation is given, the weights start orthogonal with
    /// gain √2, the last layer's with `output_gain`, and the biases zero.
    pub fn stack(&self, output_gain: f64) -> DenseConfig {
        let customary = Initialisation::Orthogonal { hidden_gain: std::f64::consts::SQRT_2, output_gain };
        DenseConfig {
            hidden: self.hidden.clone(),
            activation: self.activation,
            initialisation: self.initialisation.unwrap_or(customary),
            ..DenseConfig::default()
        }
    }
}

/// A policy's modules, with room for those that are optimised together with them.
pub type Modules<T> = ArrayVec<T, 4>;

/// What the network's outputs mean.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Head {
    /// Logits of independent categorical parts of these sizes.
    Categorical { sizes: Vec<usize> },
    /// Means; the log standard deviations are free parameters.
    Gaussian { width: usize },
    /// Means, and beside them log standard deviations.
    GaussianWithStd { width: usize },
    /// Means, and beside them the features that the noise is a function of.
    GaussianWithNoise { width: usize, noise: StateDependentNoise },
}

/// A stochastic policy π(a|s) for the spaces of an environment.
pub struct Policy<D: Device> {
    pub(super) network: DenseStack<D>,
    pub(super) head: Head,
    /// Log standard deviations that do not depend on the state: one per dimension, or features ×
    /// dimensions for state-dependent noise.
    pub(super) log_std: Option<Parameters<D>>,
}

impl<D: Device> Policy<D> {
    /// A policy with freshly drawn weights (from the stream `"policy initialisation"` of `seed`),
    /// nearly the same in every state: the last layer starts with gain 0.01. Its parameters are
    /// called `policy/…`.
    ///
    /// # Errors
    /// [`Error::Unsupported`] when actions are discrete and the noise is to depend on the state;
    /// [`Error::Device`] when the device's memory is exhausted.
    pub fn new(
        device: &D,
        observations: &Space,
        actions: &Space,
        config: &NetworkConfig,
        seed: Seed,
    ) -> Result<Self, Error> {
        let head = match (actions, config.state_dependent_noise) {
            (Space::Box { low, .. }, Some(noise)) => Head::GaussianWithNoise { width: low.len(), noise },
            (Space::Box { low, .. }, None) if config.state_dependent_std => {
                Head::GaussianWithStd { width: low.len() }
            }
            (Space::Box { low, .. }, None) => Head::Gaussian { width: low.len() },
            (Space::Discrete { n }, None) => Head::Categorical { sizes: vec![*n] },
            (Space::MultiDiscrete { sizes }, None) => Head::Categorical { sizes: sizes.clone() },
            (Space::Discrete { .. } | Space::MultiDiscrete { .. }, Some(_)) => {
                return Err(Error::Unsupported {
                    algorithm: "state-dependent noise",
                    needed: "continuous actions".into(),
                    found: format!("the action space {actions}"),
                });
            }
        };
        let outputs = match &head {
            Head::Categorical { sizes } => sizes.iter().sum(),
            Head::Gaussian { width } | Head::GaussianWithNoise { width, .. } => *width,
            Head::GaussianWithStd { width } => 2 * width,
        };
        let mut stream = seed.stream("policy initialisation");
        let new = match head {
            Head::GaussianWithNoise { .. } => DenseStack::with_features,
            _ => DenseStack::new,
        };
        let inputs = observations.features();
        let network = new(device, "policy", inputs, outputs, &config.stack(0.01), &mut stream)?;
        let free = |value: f64, length: usize| {
            Parameters::free(device, "policy/log_std", &vec![value as f32; length]).map(Some)
        };
        let log_std = match head {
            Head::Gaussian { width } => free(config.initial_log_std, width)?,
            Head::GaussianWithNoise { width, noise } => {
                free(noise.initial_log_std, (network.outputs() - width) * width)?
            }
            Head::GaussianWithStd { .. } | Head::Categorical { .. } => None,
        };
        Ok(Policy { network, head, log_std })
    }

    /// A copy under another name, with gradients of its own: a behaviour policy, an old policy.
    ///
    /// # Errors
    /// [`Error::Device`] when the device's memory is exhausted.
    pub fn duplicate(&self, name: &str) -> Result<Self, Error> {
        let log_std = self.log_std.as_ref().map(|x| x.duplicate(&format!("{name}/log_std")));
        Ok(Policy {
            network: self.network.duplicate(name)?,
            head: self.head.clone(),
            log_std: log_std.transpose()?,
        })
    }

    /// The distributions in the states of `observations` (rows × features), recorded on a new tape:
    /// the start of a loss. Derivatives reach the policy's parameters.
    ///
    /// # Errors
    /// [`Error::Device`] when the device fails.
    pub fn record(&self, observations: Matrix<D>) -> Result<Distribution<D, Recording<D>>, Error> {
        let log_std = self.log_std.as_ref().map(|x| x.record());
        Ok(self.distribution_of(self.network.record(observations)?, log_std))
    }

    /// The distributions in the states of `observations` (rows × features), without a tape.
    ///
    /// # Errors
    /// [`Error::Device`] when the device fails.
    pub fn distribution(&self, observations: Matrix<D>) -> Result<Distribution<D>, Error> {
        let log_std = self.log_std.as_ref().map(|x| x.constant());
        Ok(self.distribution_of(self.network.forward(observations)?, log_std))
    }

    fn distribution_of<T: Tape<D>>(
        &self,
        outputs: Matrix<D, T>,
        log_std: Option<Vector<D, T>>,
    ) -> Distribution<D, T> {
        match (&self.head, log_std) {
            (Head::Categorical { sizes }, _) => {
                Distribution::Categorical(Categorical { logits: outputs, sizes: sizes.clone() })
            }
            (Head::Gaussian { .. }, Some(log_std)) => {
                let (rows, _) = tensor::shape(&outputs);
                let log_std = log_std.repeat_rows(rows);
                Distribution::DiagonalGaussian(DiagonalGaussian { mean: outputs, log_std })
            }
            (Head::GaussianWithNoise { width, noise }, Some(log_std)) => {
                Distribution::DiagonalGaussian(noise.gaussian(outputs, *width, log_std))
            }
            (Head::GaussianWithStd { width }, _) => {
                // The network's tape goes with the standard deviations, which every quantity uses;
                // the entropy has no use for the mean.
                let (low, high) = LOG_STD_BOUNDS;
                let mean = outputs.branch().columns(0..*width);
                let log_std = outputs.columns(*width..2 * width).clamp(low, high);
                Distribution::DiagonalGaussian(DiagonalGaussian { mean, log_std })
            }
            (head, None) => unreachable!("{head:?} has free log standard deviations"),
        }
    }

    /// Chooses an action for every row of `observations` (rows × features), on the host. Where
    /// `log_probs` is given, it receives the actions' log-probabilities. `scratch` may hold
    /// anything; it is there to be reused. Noise that depends on the state is drawn for every row
    /// alone.
    ///
    /// # Errors
    /// [`Error::NonFinite`] when an action or its log-probability is not finite, as those of a
    /// diverged network are (its number of steps is zero: a policy does not know it).
    pub fn act(
        &self,
        observations: &[f32],
        mode: Mode,
        rng: &mut Stream,
        actions: &mut Actions,
        log_probs: Option<&mut [f32]>,
        scratch: &mut Vec<f32>,
    ) -> Result<(), Error> {
        self.choose(observations, (mode, &[]), rng, actions, log_probs, scratch)
    }

    /// Samples an action for every copy of an environment (a row of `observations`), as
    /// [`act`](Self::act) does, with noise that goes on from the step before where it is that of
    /// the state. `step` is how many steps of each copy the rollout has already.
    ///
    /// # Errors
    /// Those of [`act`](Self::act).
    pub fn explore(
        &self,
        observations: &[f32],
        step: u64,
        rng: &mut Stream,
        actions: &mut Actions,
        log_probs: Option<&mut [f32]>,
        exploration: &mut Exploration,
    ) -> Result<(), Error> {
        if let (Head::GaussianWithNoise { noise, .. }, Some(log_std)) = (&self.head, &self.log_std) {
            let copies = observations.len() / self.network.inputs();
            exploration.draw(noise, step, copies, &log_std.values(), rng);
        }
        let (matrices, scratch) = exploration.parts();
        self.choose(observations, (Mode::Sample, matrices), rng, actions, log_probs, scratch)
    }

    /// Chooses actions, where `matrices` are given with the noise of one of them per row.
    fn choose(
        &self,
        observations: &[f32],
        (mode, matrices): (Mode, &[f32]),
        rng: &mut Stream,
        actions: &mut Actions,
        mut log_probs: Option<&mut [f32]>,
        scratch: &mut Vec<f32>,
    ) -> Result<(), Error> {
        let columns = self.network.outputs();
        let numbers = observations.len() / self.network.inputs() * columns;
        let free_log_std = self.log_std.as_ref().map(Parameters::values);
        let free_log_std = free_log_std.as_deref().map_or(&[][..], Vec::as_slice);
        scratch.resize(numbers + free_log_std.len(), 0.0);
        let (outputs, variances) = scratch.split_at_mut(numbers);
        self.network.infer(observations, outputs);
        if let Head::GaussianWithNoise { .. } = self.head {
            state_dependent_noise::variances(free_log_std, variances);
        }
        for (row, outputs) in outputs.chunks_exact_mut(columns).enumerate() {
            let log_prob = match (&self.head, &mut *actions) {
                (Head::Categorical { sizes }, Actions::Discrete(actions)) => {
                    act_categorical(sizes, outputs, mode, rng, &mut actions[row..=row])
                }
                (Head::Categorical { sizes }, Actions::MultiDiscrete { values, width }) => {
                    let action = &mut values[row * *width..][..*width];
                    act_categorical(sizes, outputs, mode, rng, action)
                }
                (Head::GaussianWithNoise { width, noise }, Actions::Continuous { values, .. }) => {
                    let (mean, features) = outputs.split_at(*width);
                    let matrix = matrices.chunks_exact(variances.len()).nth(row);
                    Row { noise, mean, features, variances, matrix }.act(
                        mode,
                        rng,
                        &mut values[row * *width..][..*width],
                    )
                }
                (_, Actions::Continuous { values, width }) => {
                    let (mean, log_std) = outputs.split_at_mut(*width);
                    log_std.iter_mut().for_each(|x| *x = x.clamp(LOG_STD_BOUNDS.0, LOG_STD_BOUNDS.1));
                    let log_std = if self.log_std.is_some() { free_log_std } else { log_std };
                    let action = &mut values[row * *width..][..*width];
                    match mode {
                        Mode::Sample => diagonal_gaussian::sample(mean, log_std, rng, action),
                        Mode::Greedy => diagonal_gaussian::mode(mean, log_std, action),
                    }
                }
                (head, actions) => unreachable!("{actions:?} were not made for {head:?}"),
            };
            require_finite("log-probability of an action", &[log_prob])?;
            if let Some(log_probs) = &mut log_probs {
                log_probs[row] = log_prob;
            }
        }
        match actions {
            Actions::Continuous { values, .. } => require_finite("action", values),
            Actions::Discrete(_) | Actions::MultiDiscrete { .. } => Ok(()),
        }
    }

    /// The policy's modules: the network and, if there are any, free log standard deviations.
    pub fn parameters(&self) -> Modules<&Parameters<D>> {
        std::iter::once(self.network.parameters()).chain(&self.log_std).collect()
    }

    /// The policy's modules, for an optimiser: in the order of [`parameters`](Self::parameters).
    pub fn parameters_mut(&mut self) -> Modules<&mut Parameters<D>> {
        std::iter::once(self.network.parameters_mut()).chain(&mut self.log_std).collect()
    }

    /// Writes all parameters to `flat`: the modules of [`parameters`](Self::parameters) one after the
    /// other.
    pub fn flat_parameters(&self, flat: &mut Vec<f32>) {
        flat.clear();
        self.parameters().iter().for_each(|module| flat.extend_from_slice(&module.values()));
    }

    /// Replaces all parameters by those of such a vector.
    ///
    /// # Panics
    /// When the vector has another length.
    pub fn set_flat_parameters(&mut self, values: &[f32]) {
        let mut rest = values;
        for module in self.parameters_mut() {
            let (values, after) = rest.split_at(module.len());
            module.set_values(values);
            rest = after;
        }
        assert!(rest.is_empty(), "{} parameters too many", rest.len());
    }

    /// Writes the gradient with respect to all parameters to `flat`, in the order of
    /// [`flat_parameters`](Self::flat_parameters); zero where the loss does not depend on one.
    ///
    /// # Errors
    /// [`Error::Device`] when the device's memory is exhausted.
    pub fn flat_gradient(&self, gradients: &mut Gradients<D>, flat: &mut Vec<f32>) -> Result<(), Error> {
        flat.clear();
        self.parameters().iter().try_for_each(|module| module.append_gradient(gradients, flat))
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

/// Chooses a value for every part and returns their joint log-probability.
fn act_categorical(
    sizes: &[usize],
    logits: &[f32],
    mode: Mode,
    rng: &mut Stream,
    action: &mut [usize],
) -> f32 {
    let mut log_prob = 0.0;
    for (value, part) in action.iter_mut().zip(categorical::parts(sizes)) {
        let logits = &logits[part];
        let (chosen, its_log_prob) = match mode {
            Mode::Sample => categorical::sample(logits, rng),
            Mode::Greedy => categorical::mode(logits),
        };
        *value = chosen;
        log_prob += its_log_prob;
    }
    log_prob
}
