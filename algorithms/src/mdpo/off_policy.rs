#![doc = include_str!("../../docs/mdpo_off_policy.md")]

use assay_environments::{
    Actions, BatchedEnvironment,
    parameters::{ParameterError, require},
    random::{Seed, Stream},
};
use serde::{Deserialize, Serialize};

use super::{
    Divergence, StepSize,
    actor_objective::{ActorObjective, Drawn},
};
use crate::{
    Checkpoint, Error, Learner, Mode, Report,
    catalogue::Configuration,
    learner::Means,
    networks::{DenseStack, Ensemble},
    off_policy::{Settings, critic_loss, require_not_negative},
    optimisers::{Adam, AdamConfig},
    policies::{
        Exploration, SquashedGaussian, SquashedPolicy, StateDependentNoise, squashed_gaussian::fill_normal,
    },
    replay::{self, Collector, Minibatch},
    tensor::{Device, MatrixOperations, Operations, Record, backward, join_columns, shape},
};

/// The algorithm's name in messages and checkpoints.
const NAME: &str = "mdpo-off-policy";

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
    /// Noise of the policy that is a function of the state and stays the same for several steps
    /// (gSDE). Paper: absent, for independent noise with a deviation that the network gives.
    pub state_dependent_noise: Option<StateDependentNoise>,
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
            state_dependent_noise: None,
        }
    }
}

impl Configuration for Config {
    fn validate(&self) -> Result<(), ParameterError> {
        self.settings().validate()?;
        if let Some(noise) = self.state_dependent_noise {
            noise.validate("state_dependent_noise")?;
        }
        require_not_negative("entropy_weight", self.entropy_weight)?;
        self.divergence.validate()?;
        self.step_size.validate()?;
        require("total_steps", self.total_steps, self.total_steps > 0, "at least 1")?;
        let interval = self.old_policy_interval;
        require("old_policy_interval", interval, interval > 0, "at least 1")?;
        require("inner_steps", self.inner_steps, self.inner_steps > 0, "at least 1")?;
        require_not_negative("parameter_penalty", self.parameter_penalty)
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
    fn settings(&self) -> Settings<'_> {
        Settings {
            steps: self.steps,
            replay: replay::Settings {
                learning_starts: self.learning_starts,
                train_every: self.train_every,
                gradient_steps: self.gradient_steps,
                batch_size: self.batch_size,
                replay_capacity: self.replay_capacity,
            },
            discount: self.discount,
            target_rate: self.target_rate,
            learning_rate: self.learning_rate,
            hidden: &self.hidden,
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
    exploration: Exploration,
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
        let collector = Collector::new(NAME, environment, config.settings().replay, seed)?;
        let features = collector.environment().observation_space().features();
        let width = collector.action_box().width();
        let network = config.settings().network();
        let mut rng = seed.stream("initialisation");
        let (shape, exploration) = ((features, width), config.state_dependent_noise);
        let policy = SquashedPolicy::new(&device, "policy", shape, &network, exploration, &mut rng)?;
        let critics = Ensemble::new(&device, "critics", 2, features + width, 1, &network, &mut rng)?;
        let value = DenseStack::new(&device, "value", features, 1, &network, &mut rng)?;
        let policy_optimiser = Adam::new(AdamConfig::default(), &policy.parameters())?;
        Ok(OffPolicyMdpo {
            old_policy: policy.duplicate("old_policy")?,
            target_value: value.duplicate("target_value")?,
            policy_optimiser,
            critic_optimiser: Adam::new(AdamConfig::default(), &[critics.parameters()])?,
            value_optimiser: Adam::new(AdamConfig::default(), &[value.parameters()])?,
            iteration: 0,
            noise_stream: seed.stream("noise"),
            noise: vec![0.0; config.batch_size * width],
            exploration: Exploration::default(),
            config,
            device,
            collector,
            policy,
            critics,
            value,
        })
    }

    /// How many numbers the noise matrices of all copies have.
    fn matrices(&self) -> usize {
        self.collector.environment().copies() * self.policy.noise_entries()
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
        let loss = critic_loss(values, targets) * 0.5;
        let (loss, mut critic_gradients) = backward(loss, "critic loss")?;
        means.add("critic_loss", loss);

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
        let objective = ActorObjective {
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
        let parameters = &mut self.policy.parameters_mut();
        self.policy_optimiser.step(parameters, &mut gradients, self.config.learning_rate)?;

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

impl<D: Device> Learner for OffPolicyMdpo<D> {
    fn advance(&mut self) -> Result<Report, Error> {
        let mut report = Report::default();
        let mut means = Means::new(METRICS);
        for _ in 0..self.config.steps {
            let step = self.collector.steps_since_round();
            let deterministic = self.config.deterministic_collection;
            let episodes = self.collector.step(|observations, rng, actions| {
                let OffPolicyMdpo { policy, exploration, .. } = self;
                if deterministic {
                    policy.act(observations, Mode::Greedy, rng, exploration.scratch(), actions);
                } else {
                    policy.explore(observations, step, rng, exploration, actions);
                }
            })?;
            report.episodes.extend_from_slice(episodes);
            for _ in 0..self.collector.updates_due() {
                self.gradient_step(&mut means).map_err(|e| e.after(self.collector.steps()))?;
            }
            let iteration = self.collector.steps() / self.config.old_policy_interval;
            if iteration > self.iteration {
                self.old_policy.copy_from(&self.policy)?;
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
        self.exploration.save(checkpoint, self.matrices())?;
        self.policy.save(checkpoint);
        self.old_policy.save(checkpoint);
        for parameters in [self.critics.parameters(), self.value.parameters(), self.target_value.parameters()]
        {
            parameters.save(checkpoint);
        }
        self.policy_optimiser.save("policy_optimiser", checkpoint)?;
        self.critic_optimiser.save("critic_optimiser", checkpoint)?;
        self.value_optimiser.save("value_optimiser", checkpoint)?;
        checkpoint.put_record("mdpo", &(self.iteration, &self.noise_stream))
    }

    fn load(&mut self, checkpoint: &Checkpoint) -> Result<(), Error> {
        self.collector.load(checkpoint)?;
        self.exploration.load(checkpoint, self.matrices())?;
        self.policy.load(checkpoint)?;
        self.old_policy.load(checkpoint)?;
        for parameters in
            [self.critics.parameters_mut(), self.value.parameters_mut(), self.target_value.parameters_mut()]
        {
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
        testing::{pendulum, uniform},
    };

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
            let equal =
                learner.policy.parameters()[0].values() == learner.old_policy.parameters()[0].values();
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
        assert_ne!(one.policy.parameters()[0].values(), three.policy.parameters()[0].values());
        assert_eq!(one.critics.parameters().values(), three.critics.parameters().values());
    }
}
