#![doc = include_str!("../../docs/mdpo_off_policy.md")]

use assay_environments::{
    Actions, BatchedEnvironment,
    parameters::{ParameterError, require},
    random::{Seed, Stream},
};
use serde::{Deserialize, Serialize};

use super::{Divergence, StepSize};
use crate::{
    Checkpoint, Error, Learner, Mode, Report,
    catalogue::Configuration,
    learner::Means,
    networks::{Activation, DenseConfig, DenseStack, Ensemble, Initialisation},
    optimisers::{Adam, AdamConfig},
    policies::{
        SquashedGaussian, SquashedPolicy,
        squashed_gaussian::{Sample, fill_normal},
    },
    replay::{self, Collector, Minibatch},
    tensor::{
        Device, Matrix, MatrixOperations, Operations, Record, Recording, Scalar, Tape, Vector,
        VectorOperations, backward, join_columns, shape,
    },
};

/// The algorithm's name in messages and checkpoints.
const NAME: &str = "mdpo-off-policy";

/// The smallest density that the Tsallis surrogate takes a q-logarithm of. Authors' code: 1e-6.
const DENSITY_FLOOR: f32 = 1e-6;

/// The settings of off-policy MDPO. The defaults are those of the authors' code, except where
/// noted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Steps of each copy of the environment in one call of `advance`: how often progress is
    /// reported, without effect on what is learned. At least 1.
    pub steps: usize,
    /// Environment steps, over all copies, that are taken uniformly at random before anything is
    /// learned. Authors' code: 10,000.
    pub learning_starts: u64,
    /// Steps of each copy between two rounds of gradient steps, at least 1. Authors' code: 1.
    pub train_every: u64,
    /// Gradient steps in a round, at least 1. Authors' code: 1.
    pub gradient_steps: usize,
    /// Transitions in a gradient step, at least 1. Authors' code: 256.
    pub batch_size: usize,
    /// Transitions that are remembered, at least 1. Authors' code: one million.
    pub replay_capacity: usize,
    /// Discount γ per step, 0 to 1. Authors' code: 0.99.
    pub discount: f64,
    /// Rate τ at which the target value network follows, per gradient step; above 0, at most 1.
    /// Authors' code: 0.005.
    pub target_rate: f64,
    /// Step size of Adam for the policy, the critics and the value network; positive. Authors'
    /// code: 3e-4.
    pub learning_rate: f64,
    /// Weight λ of the entropy, in units of reward per nat; not negative. Authors' code: 0.2.
    pub entropy_weight: f64,
    /// What holds the policy near πₖ. Paper: KL(π, πₖ).
    pub divergence: Divergence,
    /// The step size tₖ of mirror descent, whose inverse weighs the divergence, in nats per unit of
    /// reward. Authors' code: 1.25, from a coefficient λ + 1/t of 1.
    pub step_size: StepSize,
    /// Environment steps of the whole run: they give the number of iterations over which a step
    /// size falls. Authors' code: one million.
    pub total_steps: u64,
    /// Environment steps after which πₖ is replaced by π, at least 1. Authors' code: 1000.
    pub old_policy_interval: u64,
    /// Gradient steps m of the policy per gradient step of the critics, at least 1. Authors' code:
    /// 1.
    pub inner_steps: usize,
    /// Weight ν of the penalty on μ² and (log σ)²; not negative. Authors' code: 1e-3.
    pub parameter_penalty: f64,
    /// Whether experience is gathered with tanh μ in place of samples. Paper: no; authors' code:
    /// yes.
    pub deterministic_collection: bool,
    /// Units of each hidden layer of all networks, followed by ReLU. Authors' code: 256, 256.
    pub hidden: Vec<usize>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            steps: 100,
            learning_starts: 10_000,
            train_every: 1,
            gradient_steps: 1,
            batch_size: 256,
            replay_capacity: 1_000_000,
            discount: 0.99,
            target_rate: 0.005,
            learning_rate: 3e-4,
            entropy_weight: 0.2,
            divergence: Divergence::ReverseKl,
            step_size: StepSize::Constant { value: 1.25 },
            total_steps: 1_000_000,
            old_policy_interval: 1000,
            inner_steps: 1,
            parameter_penalty: 1e-3,
            deterministic_collection: false,
            hidden: vec![256, 256],
        }
    }
}

impl Configuration for Config {
    fn validate(&self) -> Result<(), ParameterError> {
        require("steps", self.steps, self.steps > 0, "at least 1")?;
        self.settings().validate()?;
        require("discount", self.discount, (0.0..=1.0).contains(&self.discount), "0 to 1")?;
        let rate = self.target_rate;
        require("target_rate", rate, rate > 0.0 && rate <= 1.0, "above 0, at most 1")?;
        let rate = self.learning_rate;
        require("learning_rate", rate, rate > 0.0 && rate.is_finite(), "positive and finite")?;
        let not_negative =
            |field, x: f64| require(field, x, x >= 0.0 && x.is_finite(), "finite, not negative");
        not_negative("entropy_weight", self.entropy_weight)?;
        self.divergence.validate()?;
        self.step_size.validate()?;
        require("total_steps", self.total_steps, self.total_steps > 0, "at least 1")?;
        let interval = self.old_policy_interval;
        require("old_policy_interval", interval, interval > 0, "at least 1")?;
        require("inner_steps", self.inner_steps, self.inner_steps > 0, "at least 1")?;
        not_negative("parameter_penalty", self.parameter_penalty)?;
        require("hidden", format!("{:?}", self.hidden), !self.hidden.contains(&0), "positive widths")
    }

    fn learner<D: Device>(
        self,
        environment: Box<dyn BatchedEnvironment>,
        seed: Seed,
        device: D,
    ) -> Result<Box<dyn Learner>, Error> {
        Ok(Box::new(OffPolicyMdpo::new(self, environment, seed, device)?))
    }
}

impl Config {
    fn settings(&self) -> replay::Settings {
        replay::Settings {
            learning_starts: self.learning_starts,
            train_every: self.train_every,
            gradient_steps: self.gradient_steps,
            batch_size: self.batch_size,
            replay_capacity: self.replay_capacity,
        }
    }

    /// tₖ.
    fn step_size_at(&self, iteration: u64) -> f64 {
        self.step_size.at(iteration, self.total_steps / self.old_policy_interval)
    }
}

/// Names of what every iteration reports, in order; their meanings stand on the page.
const METRICS: [&str; 7] =
    ["policy_loss", "critic_loss", "value_loss", "q_value", "entropy", "divergence", "step_size"];

/// Off-policy MDPO at work.
pub struct OffPolicyMdpo<D: Device> {
    config: Config,
    device: D,
    collector: Collector,
    policy: SquashedPolicy<D>,
    /// πₖ.
    old_policy: SquashedPolicy<D>,
    critics: Ensemble<D>,
    value: DenseStack<D>,
    target_value: DenseStack<D>,
    policy_optimiser: Adam<D>,
    critic_optimiser: Adam<D>,
    value_optimiser: Adam<D>,
    /// k.
    iteration: u64,
    /// The noise of reparametrised actions.
    noise_stream: Stream,
    noise: Vec<f32>,
    outputs: Vec<f32>,
}

impl<D: Device> OffPolicyMdpo<D> {
    /// The learner at its first step.
    ///
    /// # Errors
    /// [`Error::Parameter`] when a setting is out of range, [`Error::Unsupported`] when the action
    /// space is not a bounded box, [`Error::Device`] when the device fails.
    pub fn new(
        config: Config,
        environment: Box<dyn BatchedEnvironment>,
        seed: Seed,
        device: D,
    ) -> Result<Self, Error> {
        config.validate()?;
        let collector = Collector::new(NAME, environment, config.settings(), seed)?;
        let features = collector.environment().observation_space().features();
        let width = collector.action_box().width();
        let network = DenseConfig {
            hidden: config.hidden.clone(),
            activation: Activation::Relu,
            initialisation: Initialisation::FanIn,
            ..DenseConfig::default()
        };
        let mut rng = seed.stream("initialisation");
        let policy = SquashedPolicy::new(&device, "policy", features, width, &network, &mut rng)?;
        let critics = Ensemble::new(&device, "critics", 2, features + width, 1, &network, &mut rng)?;
        let value = DenseStack::new(&device, "value", features, 1, &network, &mut rng)?;
        Ok(OffPolicyMdpo {
            old_policy: policy.duplicate("old_policy")?,
            target_value: value.duplicate("target_value")?,
            policy_optimiser: Adam::new(AdamConfig::default(), &[policy.parameters()])?,
            critic_optimiser: Adam::new(AdamConfig::default(), &[critics.parameters()])?,
            value_optimiser: Adam::new(AdamConfig::default(), &[value.parameters()])?,
            iteration: 0,
            noise_stream: seed.stream("noise"),
            noise: vec![0.0; config.batch_size * width],
            outputs: Vec::new(),
            config,
            device,
            collector,
            policy,
            critics,
            value,
        })
    }

    /// m gradient steps of the policy, one each of the critics and the value network, and a soft
    /// update of the target value network.
    fn gradient_step(&mut self, means: &mut Means<7>) -> Result<(), Error> {
        let Config { discount, target_rate, learning_rate, .. } = self.config;
        let lambda = self.config.entropy_weight as f32;
        let batch = self.collector.draw(&self.device)?;

        // The policy, held near πₖ.
        let old = self.old_policy.distribution(batch.observations.clone())?;
        let mut drawn = self.policy_step(&batch, &old, means)?;
        for _ in 1..self.config.inner_steps {
            drawn = self.policy_step(&batch, &old, means)?;
        }

        // V, towards min(Q₁, Q₂)(s, ã) − λ log π(ã|s).
        let inputs = join_columns(batch.observations.clone(), drawn.actions)?;
        let second = self.critics.member_values_frozen(1, inputs)?;
        let targets = drawn.q_values.minimum(second) - drawn.log_probs * lambda;
        let values = self.value.record(batch.observations.clone())?.only_column();
        let loss = (values - targets).square().mean_all() * 0.5;
        let (value_loss, mut value_gradients) = backward(loss, "value loss")?;
        means.add("value_loss", value_loss);

        // Q, towards r + γ (1 − d) V̄(s′).
        let next_values = self.target_value.forward(batch.next_observations.clone())?.only_column();
        let targets = batch.targets(discount, next_values);
        let values = self.critics.record_values(batch.state_actions.clone())?;
        let (critics, _) = shape(&values);
        let errors = values - targets.repeat_rows(critics);
        let loss = errors.square().mean_columns().sum_all() * 0.5;
        let (critic_loss, mut critic_gradients) = backward(loss, "critic loss")?;
        means.add("critic_loss", critic_loss);

        let (value, critics) = (self.value.parameters_mut(), self.critics.parameters_mut());
        self.value_optimiser.step(&mut [value], &mut value_gradients, learning_rate)?;
        self.critic_optimiser.step(&mut [critics], &mut critic_gradients, learning_rate)?;
        self.target_value.parameters_mut().blend(self.value.parameters(), target_rate as f32)
    }

    /// One gradient step of the policy, held near `old` = πₖ(·|s).
    fn policy_step(
        &mut self,
        batch: &Minibatch<D>,
        old: &SquashedGaussian<D>,
        means: &mut Means<7>,
    ) -> Result<Drawn<D>, Error> {
        let step_size = self.config.step_size_at(self.iteration);
        let objective = Objective {
            entropy_weight: self.config.entropy_weight as f32,
            inverse_step_size: (1.0 / step_size) as f32,
            divergence: self.config.divergence,
            parameter_penalty: self.config.parameter_penalty as f32,
        };
        fill_normal(&mut self.noise_stream, &mut self.noise);
        let (rows, width) = shape(&old.mean);
        let noise = self.device.matrix(&self.noise, rows, width)?;
        let policy = self.policy.record(batch.observations.clone())?;
        let (loss, drawn) = objective.loss(policy, old, noise, |actions| {
            let inputs = join_columns(batch.observations.clone().recorded(), actions)?;
            self.critics.member_values_frozen(0, inputs)
        })?;
        let (loss, mut gradients) = backward(loss, "policy loss")?;
        let parameters = self.policy.parameters_mut();
        self.policy_optimiser.step(&mut [parameters], &mut gradients, self.config.learning_rate)?;

        let log_probs = drawn.log_probs.to_host();
        let log_ratios = (drawn.log_probs.clone() - drawn.old_log_probs.clone()).to_host();
        means.add("policy_loss", loss);
        means.add_mean("q_value", &drawn.q_values.to_host());
        means.add("entropy", -log_probs.iter().sum::<f32>() / rows as f32);
        means.add_mean("divergence", &log_ratios);
        means.add("step_size", step_size as f32);
        Ok(drawn)
    }
}

/// A loss, recorded.
type Loss<D> = Scalar<D, Recording<D>>;

/// What the policy descends: J(π).
#[derive(Clone, Copy, Debug)]
struct Objective {
    /// λ.
    entropy_weight: f32,
    /// 1/tₖ.
    inverse_step_size: f32,
    divergence: Divergence,
    /// ν.
    parameter_penalty: f32,
}

/// The actions that a loss was taken at, and what was found there: constants.
struct Drawn<D: Device> {
    /// ã. Shape: transitions × width.
    actions: Matrix<D>,
    /// log π(ã|s), one per transition.
    log_probs: Vector<D>,
    /// log πₖ(ã|s), one per transition.
    old_log_probs: Vector<D>,
    /// Q₁(s, ã), one per transition.
    q_values: Vector<D>,
}

impl Objective {
    /// J(π) for `policy` = π(·|s), `old` = πₖ(·|s), standard normal `noise` (transitions × width)
    /// and the critic `q`.
    fn loss<D: Device>(
        &self,
        policy: SquashedGaussian<D, Recording<D>>,
        old: &SquashedGaussian<D>,
        noise: Matrix<D>,
        q: impl FnOnce(Matrix<D, Recording<D>>) -> Result<Vector<D, Recording<D>>, Error>,
    ) -> Result<(Loss<D>, Drawn<D>), Error> {
        let SquashedGaussian { mean, log_std } = policy.branch();
        let penalty = (mean.square().mean_all() + log_std.square().mean_all()) * self.parameter_penalty;
        let analytic = policy.branch();

        let Sample { actions, pre_squash, log_probs } = policy.rsample(noise);
        let old_log_probs = old.log_probs(pre_squash);
        let drawn_actions = actions.detach();
        let q_values = q(actions)?;
        let drawn = Drawn {
            actions: drawn_actions,
            log_probs: log_probs.detach().sum_columns(),
            old_log_probs: old_log_probs.detach().sum_columns(),
            q_values: q_values.detach(),
        };

        let (lambda, inverse_t) = (self.entropy_weight, self.inverse_step_size);
        let c = lambda + inverse_t;
        let regularisation = match self.divergence {
            Divergence::ReverseKl | Divergence::Tsallis { q: 1.0 } => {
                log_probs.sum_columns() * c + old_log_probs.sum_columns() * (lambda - c)
            }
            Divergence::ForwardKl => log_probs.sum_columns() * lambda + analytic.kl_from(old) * inverse_t,
            Divergence::Tsallis { q } => {
                let q = q as f32;
                let new = log_q(log_probs, q).sum_columns();
                new * c + log_q(old_log_probs, q).sum_columns() * (q * (lambda - c))
            }
        };
        Ok(((regularisation - q_values).mean_all() + penalty, drawn))
    }
}

/// log_q x = (x^(q−1) − 1)/(q − 1) of densities x given by their logarithms, not below the floor.
fn log_q<D: Device, T: Tape<D>>(log_densities: Matrix<D, T>, q: f32) -> Matrix<D, T> {
    let floored = log_densities.clamp(DENSITY_FLOOR.ln(), f32::MAX);
    ((floored * (q - 1.0)).exp() - 1.0) / (q - 1.0)
}

impl<D: Device> Learner for OffPolicyMdpo<D> {
    fn advance(&mut self) -> Result<Report, Error> {
        let mut report = Report::default();
        let mut means = Means::new(METRICS);
        let mode = if self.config.deterministic_collection { Mode::Greedy } else { Mode::Sample };
        for _ in 0..self.config.steps {
            let episodes = self.collector.step(|observations, rng, actions| {
                self.policy.act(observations, mode, rng, &mut self.outputs, actions);
            })?;
            report.episodes.extend_from_slice(episodes);
            for _ in 0..self.collector.updates_due() {
                self.gradient_step(&mut means).map_err(|e| e.after(self.collector.steps()))?;
            }
            let iteration = self.collector.steps() / self.config.old_policy_interval;
            if iteration > self.iteration {
                self.old_policy.parameters_mut().blend(self.policy.parameters(), 1.0)?;
                self.iteration = iteration;
            }
        }
        report.metrics = means.metrics();
        Ok(report)
    }

    fn steps(&self) -> u64 {
        self.collector.steps()
    }

    fn act(
        &self,
        observations: &[f32],
        mode: Mode,
        rng: &mut Stream,
        actions: &mut Actions,
    ) -> Result<(), Error> {
        self.collector.act(observations, actions, |observations, actions| {
            self.policy.act(observations, mode, rng, &mut Vec::new(), actions);
        })
    }

    fn save(&self, checkpoint: &mut Checkpoint) -> Result<(), Error> {
        self.collector.save(checkpoint)?;
        for parameters in [
            self.policy.parameters(),
            self.old_policy.parameters(),
            self.critics.parameters(),
            self.value.parameters(),
            self.target_value.parameters(),
        ] {
            parameters.save(checkpoint);
        }
        self.policy_optimiser.save("policy_optimiser", checkpoint)?;
        self.critic_optimiser.save("critic_optimiser", checkpoint)?;
        self.value_optimiser.save("value_optimiser", checkpoint)?;
        checkpoint.put_record("mdpo", &(self.iteration, &self.noise_stream))
    }

    fn load(&mut self, checkpoint: &Checkpoint) -> Result<(), Error> {
        self.collector.load(checkpoint)?;
        for parameters in [
            self.policy.parameters_mut(),
            self.old_policy.parameters_mut(),
            self.critics.parameters_mut(),
            self.value.parameters_mut(),
            self.target_value.parameters_mut(),
        ] {
            parameters.load(checkpoint)?;
        }
        self.policy_optimiser.load("policy_optimiser", checkpoint)?;
        self.critic_optimiser.load("critic_optimiser", checkpoint)?;
        self.value_optimiser.load("value_optimiser", checkpoint)?;
        (self.iteration, self.noise_stream) = checkpoint.record("mdpo")?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        tensor::Cpu,
        testing::{assert_gradient, minibatch, pendulum, transitions, uniform},
    };

    const ROWS: usize = 16;
    const WIDTH: usize = 2;

    /// Smooth networks, which finite differences need, for one batch of states.
    struct Problem {
        policy: SquashedPolicy<Cpu>,
        old: SquashedGaussian<Cpu>,
        critics: Ensemble<Cpu>,
        batch: Minibatch<Cpu>,
        noise: Matrix<Cpu>,
    }

    impl Problem {
        fn new() -> Self {
            let device = Cpu::open().unwrap();
            let mut rng = Seed::new(1).stream("test");
            let network = DenseConfig { hidden: vec![8], ..DenseConfig::default() };
            let policy = SquashedPolicy::new(&device, "policy", 3, WIDTH, &network, &mut rng).unwrap();
            let mut old = policy.duplicate("old_policy").unwrap();
            let values = old.parameters().values().to_vec();
            let changes = uniform(values.len(), &mut rng);
            let moved: Vec<f32> = values.iter().zip(&changes).map(|(x, y)| x + 0.1 * y).collect();
            old.parameters_mut().set_values(&moved);
            let critics = Ensemble::new(&device, "critics", 2, 3 + WIDTH, 1, &network, &mut rng).unwrap();
            let batch = minibatch(&device, &transitions(3, WIDTH, ROWS, &mut rng));
            let mut noise = vec![0.0; ROWS * WIDTH];
            fill_normal(&mut rng, &mut noise);
            Problem {
                old: old.distribution(batch.observations.clone()).unwrap(),
                noise: device.matrix(&noise, ROWS, WIDTH).unwrap(),
                policy,
                critics,
                batch,
            }
        }

        /// Value and gradient of J(π).
        fn loss(&self, objective: Objective) -> (f32, Vec<f32>) {
            let policy = self.policy.record(self.batch.observations.clone()).unwrap();
            let (loss, _) = objective
                .loss(policy, &self.old, self.noise.clone(), |actions| {
                    let inputs = join_columns(self.batch.observations.clone().recorded(), actions)?;
                    self.critics.member_values_frozen(0, inputs)
                })
                .unwrap();
            let (loss, mut gradients) = backward(loss, "loss").unwrap();
            (loss, self.policy.parameters().gradient(&mut gradients).unwrap())
        }
    }

    fn objective(divergence: Divergence) -> Objective {
        Objective { entropy_weight: 0.3, inverse_step_size: 0.7, divergence, parameter_penalty: 0.1 }
    }

    #[test]
    fn the_policys_gradient_agrees_with_finite_differences_under_every_divergence() {
        for divergence in [
            Divergence::ReverseKl,
            Divergence::ForwardKl,
            Divergence::Tsallis { q: 1.5 },
            Divergence::Tsallis { q: 2.0 },
        ] {
            let mut problem = Problem::new();
            let (_, gradient) = problem.loss(objective(divergence));
            let values = problem.policy.parameters().values().to_vec();
            assert_gradient(&format!("{divergence:?}"), &values, &gradient, |values| {
                problem.policy.parameters_mut().set_values(values);
                problem.loss(objective(divergence)).0
            });
        }
    }

    /// c = λ: nothing holds the policy back, and what is left is soft actor-critic's loss with the
    /// temperature λ.
    #[test]
    fn with_infinite_step_size_the_gradient_is_that_of_soft_actor_critic_bit_for_bit() {
        let problem = Problem::new();
        let (lambda, noise) = (0.3, problem.noise.clone());
        let policy = problem.policy.record(problem.batch.observations.clone()).unwrap();
        let sample = policy.rsample(noise);
        let inputs = join_columns(problem.batch.observations.clone().recorded(), sample.actions).unwrap();
        let values = problem.critics.member_values_frozen(0, inputs).unwrap();
        let loss = (sample.log_probs.sum_columns() * lambda - values).mean_all();
        let (loss, mut gradients) = backward(loss, "loss").unwrap();
        let expected = problem.policy.parameters().gradient(&mut gradients).unwrap();

        let unheld = Objective {
            entropy_weight: lambda,
            inverse_step_size: 0.0,
            divergence: Divergence::ReverseKl,
            parameter_penalty: 0.0,
        };
        let (found_loss, found) = problem.loss(unheld);
        assert_eq!(found_loss, loss);
        assert_eq!(found, expected);
        assert!(found.iter().any(|g| *g != 0.0));
    }

    #[test]
    fn at_the_old_policy_the_forward_kl_holds_nothing_back() {
        let mut problem = Problem::new();
        problem.old = problem.policy.distribution(problem.batch.observations.clone()).unwrap();
        let hard = Objective {
            entropy_weight: 0.0,
            inverse_step_size: 0.0,
            divergence: Divergence::ForwardKl,
            parameter_penalty: 0.0,
        };
        // KL(πₖ, π) has its minimum there, exactly in every state. (The gradient of KL(π, πₖ) is
        // estimated from samples, and only its mean is zero.)
        let (_, free) = problem.loss(hard);
        let (_, held) = problem.loss(Objective { inverse_step_size: 10.0, ..hard });
        let scale = free.iter().map(|g| g.abs()).fold(0.0, f32::max);
        for (free, held) in free.iter().zip(&held) {
            assert!((free - held).abs() < 1e-4 * scale, "{free}, {held}");
        }
    }

    #[test]
    fn the_tsallis_loss_tends_to_the_kl_loss_as_q_tends_to_one() {
        let problem = Problem::new();
        let (kl, _) = problem.loss(objective(Divergence::ReverseKl));
        let (same, _) = problem.loss(objective(Divergence::Tsallis { q: 1.0 }));
        assert_eq!(kl, same);
        let (near, _) = problem.loss(objective(Divergence::Tsallis { q: 1.001 }));
        assert!((near - kl).abs() < 0.02 * (1.0 + kl.abs()), "{near}, {kl}");
        // Of order two, log_q x = x − 1, so the loss is the expected difference of densities.
        let (two, _) = problem.loss(Objective {
            entropy_weight: 0.0,
            parameter_penalty: 0.0,
            ..objective(Divergence::Tsallis { q: 2.0 })
        });
        let policy = problem.policy.distribution(problem.batch.observations.clone()).unwrap();
        let sample = policy.rsample(problem.noise.clone());
        let old = problem.old.log_probs(sample.pre_squash.clone()).to_host();
        let new = sample.log_probs.to_host();
        let terms = new
            .iter()
            .zip(&old)
            .map(|(new, old)| 0.7 * ((f64::from(*new).exp() - 1.0) - 2.0 * (f64::from(*old).exp() - 1.0)));
        let inputs = join_columns(problem.batch.observations.clone(), sample.actions).unwrap();
        let q: f32 = problem.critics.member_values_frozen(0, inputs).unwrap().to_host().iter().sum();
        let expected = (terms.sum::<f64>() - f64::from(q)) / ROWS as f64;
        assert!((f64::from(two) - expected).abs() < 1e-4 * (1.0 + expected.abs()), "{two}, {expected}");
    }

    #[test]
    fn the_old_policy_is_replaced_at_its_interval_and_only_then() {
        let config = Config {
            steps: 1,
            learning_starts: 2,
            batch_size: 4,
            old_policy_interval: 5,
            hidden: vec![4],
            ..Config::default()
        };
        let device = Cpu::open().unwrap();
        let mut learner = OffPolicyMdpo::new(config, pendulum(1, 1), Seed::new(1), device).unwrap();
        for step in 1..=12 {
            learner.advance().unwrap();
            let equal = learner.policy.parameters().values() == learner.old_policy.parameters().values();
            assert_eq!(equal, step <= 2 || step % 5 == 0, "step {step}");
        }
        assert_eq!(learner.iteration, 2);
    }

    #[test]
    fn the_target_value_network_moves_by_the_target_rate_and_inner_steps_move_only_the_policy() {
        let start = |inner_steps| {
            let config = Config { inner_steps, batch_size: 8, hidden: vec![8], ..Config::default() };
            let device = Cpu::open().unwrap();
            let mut learner = OffPolicyMdpo::new(config, pendulum(1, 1), Seed::new(1), device).unwrap();
            let mut rng = Seed::new(2).stream("test");
            for _ in 0..10 {
                learner.collector.step(|_, _, _| ()).unwrap();
            }
            let moved = uniform(learner.target_value.parameters().len(), &mut rng);
            learner.target_value.parameters_mut().set_values(&moved);
            learner.gradient_step(&mut Means::new(METRICS)).unwrap();
            (learner, moved)
        };
        let (one, before) = start(1);
        let (three, _) = start(3);
        let value = one.value.parameters().values();
        let after = one.target_value.parameters().values();
        for ((after, before), value) in after.iter().zip(&before).zip(value.iter()) {
            assert_eq!(*after, (1.0 - 0.005) * before + 0.005 * value);
        }
        assert_ne!(one.policy.parameters().values(), three.policy.parameters().values());
        assert_eq!(one.critics.parameters().values(), three.critics.parameters().values());
    }
}
