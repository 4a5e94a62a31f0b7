#![doc = include_str!("../docs/sac.md")]

use assay_environments::{
    Actions, BatchedEnvironment,
    parameters::{ParameterError, require},
    random::{Seed, Stream},
};
use serde::{Deserialize, Serialize};

use crate::{
    Checkpoint, Error, Learner, Mode, Report,
    catalogue::Configuration,
    learner::Means,
    networks::{DenseConfig, Ensemble},
    off_policy::{Settings, critic_loss, require_not_negative},
    optimisers::{Adam, AdamConfig},
    policies::{
        Exploration, SquashedPolicy, StateDependentNoise,
        squashed_gaussian::{Sample, fill_normal},
    },
    replay::{self, Collector, Minibatch},
    tensor::{
        Device, Matrix, MatrixOperations, Operations, Parameters, Record, Recording, Scalar, Vector,
        backward, join_columns,
    },
};

/// The algorithm's name in messages and checkpoints.
const NAME: &str = "sac";

/// The settings of soft actor-critic. The defaults are the paper's (Table 1) where it gives one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Steps of each copy of the environment in one iteration: how often progress is reported,
    /// without effect on what is learned. At least 1.
    pub steps: usize,
    /// Environment steps, over all copies, that are taken uniformly at random before anything is
    /// learned. Stable-Baselines3: 100.
    pub learning_starts: u64,
    /// Steps of each copy between two rounds of gradient steps, at least 1. Paper: 1.
    pub train_every: u64,
    /// Gradient steps in a round, at least 1. Paper: 1.
    pub gradient_steps: usize,
    /// Transitions in a gradient step, at least 1. Paper: 256.
    pub batch_size: usize,
    /// Transitions that are remembered, at least 1. Paper: one million.
    pub replay_capacity: usize,
    /// Discount γ per step, 0 to 1. Paper: 0.99.
    pub discount: f64,
    /// Rate τ at which the target critics follow the critics, per gradient step; above 0, at most
    /// 1. Paper: 0.005.
    pub target_rate: f64,
    /// Step size of Adam for the policy, the critics and the temperature; positive. Paper: 3e-4.
    pub learning_rate: f64,
    /// The weight α of the entropy. Paper: learned, with a target of −1 nat per dimension.
    pub temperature: Temperature,
    /// Units of each hidden layer of the policy and of the critics, followed by ReLU. Paper: 256,
    /// 256.
    pub hidden: Vec<usize>,
    /// Noise of the policy that is a function of the state and stays the same for several steps
    /// (gSDE). Paper: absent, for independent noise with a deviation that the network gives.
    pub state_dependent_noise: Option<StateDependentNoise>,
}

/// The weight α of the entropy against the reward.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Temperature {
    /// α follows a target for the policy's entropy.
    Learned {
        /// α at the start; positive.
        initial: f64,
        /// The target entropy in nats per dimension of the action, for actions on [−1, 1].
        target_entropy_per_dimension: f64,
    },
    /// α never changes.
    Fixed {
        /// α, in units of reward per nat; not negative.
        value: f64,
    },
}

impl Default for Config {
    fn default() -> Self {
        Config {
            steps: 100,
            learning_starts: 100,
            train_every: 1,
            gradient_steps: 1,
            batch_size: 256,
            replay_capacity: 1_000_000,
            discount: 0.99,
            target_rate: 0.005,
            learning_rate: 3e-4,
            temperature: Temperature::Learned { initial: 1.0, target_entropy_per_dimension: -1.0 },
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
        match self.temperature {
            Temperature::Learned { initial, target_entropy_per_dimension: target } => {
                let field = "temperature.initial";
                require(field, initial, initial > 0.0 && initial.is_finite(), "positive and finite")?;
                let field = "temperature.target_entropy_per_dimension";
                require(field, target, target.is_finite(), "finite")
            }
            Temperature::Fixed { value } => require_not_negative("temperature.value", value),
        }
    }

    fn learner<D: Device>(
        self,
        environment: Box<dyn BatchedEnvironment>,
        seed: Seed,
        device: D,
    ) -> Result<Box<dyn Learner>, Error> {
        Ok(Box::new(Sac::new(self, environment, seed, device)?))
    }
}

impl Config {
    /// The form of all networks.
    pub(crate) fn network(&self) -> DenseConfig {
        self.settings().network()
    }

    pub(crate) fn settings(&self) -> Settings<'_> {
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
}

/// Names of what every iteration reports, in order; their meanings stand on the page.
const METRICS: [&str; 5] = ["policy_loss", "critic_loss", "q_value", "entropy", "temperature"];

/// Soft actor-critic at work.
pub struct Sac<D: Device> {
    steps: usize,
    collector: Collector,
    agent: Agent<D>,
    exploration: Exploration,
}

/// What learns: policy, critics and temperature, without environments and memory.
pub struct Agent<D: Device> {
    config: Config,
    device: D,
    /// What its parts are called in checkpoints: this and their name.
    prefix: String,
    /// Numbers of an action.
    width: usize,
    policy: SquashedPolicy<D>,
    critics: Ensemble<D>,
    target_critics: Ensemble<D>,
    policy_optimiser: Adam<D>,
    critic_optimiser: Adam<D>,
    temperature: EntropyWeight<D>,
    /// The noise of reparametrised actions.
    noise_stream: Stream,
    noise: Vec<f32>,
}

impl<D: Device> Sac<D> {
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
        let agent = Agent::new(&config, "", features, collector.action_box().width(), seed, &device)?;
        Ok(Sac { steps: config.steps, collector, agent, exploration: Exploration::default() })
    }

    /// How many numbers the noise matrices of all copies have.
    fn matrices(&self) -> usize {
        self.collector.environment().copies() * self.agent.policy.noise_entries()
    }
}

impl<D: Device> Agent<D> {
    /// An agent for observations of `features` numbers and actions of `width` numbers on [−1, 1]. In
    /// checkpoints the names of its parts begin with `prefix`.
    ///
    /// # Errors
    /// [`Error::Device`] when the device fails.
    pub fn new(
        config: &Config,
        prefix: &str,
        features: usize,
        width: usize,
        seed: Seed,
        device: &D,
    ) -> Result<Self, Error> {
        let network = config.settings().network();
        let mut rng = seed.stream("initialisation");
        let name = |part: &str| format!("{prefix}{part}");
        let (shape, exploration) = ((features, width), config.state_dependent_noise);
        let policy = SquashedPolicy::new(device, &name("policy"), shape, &network, exploration, &mut rng)?;
        let inputs = features + width;
        let critics = Ensemble::new(device, &name("critics"), 2, inputs, 1, &network, &mut rng)?;
        let policy_optimiser = Adam::new(AdamConfig::default(), &policy.parameters())?;
        Ok(Agent {
            policy_optimiser,
            critic_optimiser: Adam::new(AdamConfig::default(), &[critics.parameters()])?,
            temperature: EntropyWeight::new(device, prefix, config.temperature, width)?,
            noise_stream: seed.stream("noise"),
            noise: vec![0.0; config.batch_size * width],
            target_critics: critics.duplicate(&name("target_critics"))?,
            config: config.clone(),
            device: device.clone(),
            prefix: prefix.to_owned(),
            width,
            policy,
            critics,
        })
    }

    /// The policy.
    pub fn policy(&self) -> &SquashedPolicy<D> {
        &self.policy
    }

    /// Standard normal numbers for the actions of a batch: (transitions × width).
    pub(crate) fn draw_noise(&mut self) -> Result<Matrix<D>, Error> {
        fill_normal(&mut self.noise_stream, &mut self.noise);
        self.device.matrix(&self.noise, self.config.batch_size, self.width)
    }

    /// One gradient step of temperature, critics and policy, and a soft update of the target
    /// critics.
    pub(crate) fn gradient_step<const N: usize>(
        &mut self,
        batch: &Minibatch<D>,
        means: &mut Means<N>,
    ) -> Result<(), Error> {
        let Config { target_rate, learning_rate, .. } = self.config;
        let temperature = self.temperature.value();
        means.add("temperature", temperature);

        // The temperature, with ã ~ π(·|s).
        let noise = self.draw_noise()?;
        let sample = self.policy.record(batch.observations.clone())?.rsample(noise);
        let mean_log_prob = sample.log_probs.detach().sum_columns().mean_all().to_host()[0];
        self.temperature.step(mean_log_prob, learning_rate)?;
        means.add("entropy", -mean_log_prob);

        // The critics, with a′ ~ π(·|s′).
        let noise = self.draw_noise()?;
        let targets = self.targets(batch, noise, temperature)?;
        let values = self.critics.record_values(batch.state_actions.clone())?;
        means.add_mean("q_value", &values.to_host());
        let (loss, mut gradients) = backward(critic_loss(values, targets) * 0.5, "critic loss")?;
        self.critic_optimiser.step(&mut [self.critics.parameters_mut()], &mut gradients, learning_rate)?;
        means.add("critic_loss", loss);

        // The policy, through ã.
        let loss = self.policy_loss(batch, sample, temperature)?;
        let (loss, mut gradients) = backward(loss, "policy loss")?;
        self.policy_optimiser.step(&mut self.policy.parameters_mut(), &mut gradients, learning_rate)?;
        means.add("policy_loss", loss);

        self.target_critics.parameters_mut().blend(self.critics.parameters(), target_rate as f32)
    }

    /// y = r + γ (1 − d) (minᵢ Q̄ᵢ(s′, a′) − α log π(a′|s′)), with a′ drawn by `noise`.
    fn targets(&self, batch: &Minibatch<D>, noise: Matrix<D>, temperature: f32) -> Result<Vector<D>, Error> {
        let next = self.policy.distribution(batch.next_observations.clone())?.rsample(noise);
        let inputs = join_columns(batch.next_observations.clone(), next.actions)?;
        let next_values = self.target_critics.values(inputs)?.min_rows();
        let soft_values = next_values - next.log_probs.sum_columns() * temperature;
        Ok(batch.targets(self.config.discount, soft_values))
    }

    /// J(π) = mean (α log π(ã|s) − minᵢ Qᵢ(s, ã)).
    fn policy_loss(
        &self,
        batch: &Minibatch<D>,
        sample: Sample<D, Recording<D>>,
        temperature: f32,
    ) -> Result<Scalar<D, Recording<D>>, Error> {
        let inputs = join_columns(batch.observations.clone().recorded(), sample.actions)?;
        let values = self.critics.values_frozen(inputs)?.min_rows();
        Ok((sample.log_probs.sum_columns() * temperature - values).mean_all())
    }
}

impl<D: Device> Agent<D> {
    /// Writes the complete state.
    pub fn save(&self, checkpoint: &mut Checkpoint) -> Result<(), Error> {
        let name = |part: &str| format!("{}{part}", self.prefix);
        self.policy.save(checkpoint);
        self.critics.parameters().save(checkpoint);
        self.target_critics.parameters().save(checkpoint);
        self.policy_optimiser.save(&name("policy_optimiser"), checkpoint)?;
        self.critic_optimiser.save(&name("critic_optimiser"), checkpoint)?;
        self.temperature.save(&name("temperature_optimiser"), checkpoint)?;
        checkpoint.put_record(&name("noise_stream"), &self.noise_stream)
    }

    /// Puts a saved state back.
    pub fn load(&mut self, checkpoint: &Checkpoint) -> Result<(), Error> {
        let name = |part: &str| format!("{}{part}", self.prefix);
        self.policy.load(checkpoint)?;
        self.critics.parameters_mut().load(checkpoint)?;
        self.target_critics.parameters_mut().load(checkpoint)?;
        self.policy_optimiser.load(&name("policy_optimiser"), checkpoint)?;
        self.critic_optimiser.load(&name("critic_optimiser"), checkpoint)?;
        self.temperature.load(&name("temperature_optimiser"), checkpoint)?;
        self.noise_stream = checkpoint.record(&name("noise_stream"))?;
        Ok(())
    }
}

impl<D: Device> Learner for Sac<D> {
    fn advance(&mut self) -> Result<Report, Error> {
        let mut report = Report::default();
        let mut means = Means::new(METRICS);
        for _ in 0..self.steps {
            let step = self.collector.steps_since_round();
            let episodes = self.collector.step(|observations, rng, actions| {
                self.agent.policy.explore(observations, step, rng, &mut self.exploration, actions);
            })?;
            report.episodes.extend_from_slice(episodes);
            for _ in 0..self.collector.updates_due() {
                let batch = self.collector.draw(&self.agent.device)?;
                let steps = self.collector.steps();
                self.agent.gradient_step(&batch, &mut means).map_err(|e| e.after(steps))?;
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
            self.agent.policy.act(observations, mode, rng, &mut Vec::new(), actions);
        })
    }

    fn save(&self, checkpoint: &mut Checkpoint) -> Result<(), Error> {
        self.collector.save(checkpoint)?;
        self.exploration.save(checkpoint, self.matrices())?;
        self.agent.save(checkpoint)
    }

    fn load(&mut self, checkpoint: &Checkpoint) -> Result<(), Error> {
        self.collector.load(checkpoint)?;
        self.exploration.load(checkpoint, self.matrices())?;
        self.agent.load(checkpoint)
    }
}

/// The weight α of the entropy, at work.
enum EntropyWeight<D: Device> {
    Fixed(f32),
    Learned {
        /// log α: one number.
        log: Parameters<D>,
        optimiser: Adam<D>,
        /// H̄, in nats.
        target_entropy: f32,
    },
}

impl<D: Device> EntropyWeight<D> {
    fn new(device: &D, prefix: &str, temperature: Temperature, width: usize) -> Result<Self, Error> {
        Ok(match temperature {
            Temperature::Fixed { value } => EntropyWeight::Fixed(value as f32),
            Temperature::Learned { initial, target_entropy_per_dimension } => {
                let log =
                    Parameters::free(device, &format!("{prefix}log_temperature"), &[initial.ln() as f32])?;
                EntropyWeight::Learned {
                    optimiser: Adam::new(AdamConfig::default(), &[&log])?,
                    target_entropy: (target_entropy_per_dimension * width as f64) as f32,
                    log,
                }
            }
        })
    }

    fn value(&self) -> f32 {
        match self {
            EntropyWeight::Fixed(value) => *value,
            EntropyWeight::Learned { log, .. } => log.values()[0].exp(),
        }
    }

    /// One step down J(α) = −log α · (mean log π(ã|s) + H̄).
    fn step(&mut self, mean_log_prob: f32, learning_rate: f64) -> Result<(), Error> {
        if let EntropyWeight::Learned { log, optimiser, target_entropy } = self {
            let loss = (log.record() * -(mean_log_prob + *target_entropy)).sum_all();
            let (_, mut gradients) = backward(loss, "temperature loss")?;
            optimiser.step(&mut [log], &mut gradients, learning_rate)?;
        }
        Ok(())
    }

    fn save(&self, name: &str, checkpoint: &mut Checkpoint) -> Result<(), Error> {
        if let EntropyWeight::Learned { log, optimiser, .. } = self {
            log.save(checkpoint);
            optimiser.save(name, checkpoint)?;
        }
        Ok(())
    }

    fn load(&mut self, name: &str, checkpoint: &Checkpoint) -> Result<(), Error> {
        if let EntropyWeight::Learned { log, optimiser, .. } = self {
            log.load(checkpoint)?;
            optimiser.load(name, checkpoint)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        replay::TransitionBatch,
        tensor::Cpu,
        testing::{assert_gradient, minibatch, pendulum, transitions},
    };

    const ROWS: usize = 16;

    /// A small learner with smooth networks, which finite differences need, and critics whose
    /// targets differ from them.
    fn smooth() -> (Agent<Cpu>, Minibatch<Cpu>, TransitionBatch, Stream) {
        let seed = Seed::new(1);
        let config = Config { hidden: vec![8], batch_size: ROWS, ..Config::default() };
        let mut sac = Agent::new(&config, "", 3, 1, seed, &Cpu::open().unwrap()).unwrap();
        let mut rng = seed.stream("test");
        let network = DenseConfig { hidden: vec![8], ..DenseConfig::default() };
        let device = sac.device.clone();
        sac.policy = SquashedPolicy::new(&device, "policy", (3, 1), &network, None, &mut rng).unwrap();
        sac.critics = Ensemble::new(&device, "critics", 2, 4, 1, &network, &mut rng).unwrap();
        sac.target_critics = Ensemble::new(&device, "critics", 2, 4, 1, &network, &mut rng).unwrap();
        let transitions = transitions(3, 1, ROWS, &mut rng);
        let batch = minibatch(&device, &transitions);
        (sac, batch, transitions, rng)
    }

    #[test]
    fn the_critics_gradient_agrees_with_finite_differences() {
        let (mut sac, batch, ..) = smooth();
        let noise = sac.draw_noise().unwrap();
        let targets = sac.targets(&batch, noise, 0.3).unwrap();
        let values = sac.critics.parameters().values().to_vec();
        let mut loss = |values: &[f32]| {
            sac.critics.parameters_mut().set_values(values);
            let outputs = sac.critics.record_values(batch.state_actions.clone()).unwrap();
            let (loss, mut gradients) =
                backward(critic_loss(outputs, targets.clone()) * 0.5, "loss").unwrap();
            (loss, sac.critics.parameters().gradient(&mut gradients).unwrap())
        };
        let (_, gradient) = loss(&values);
        assert_gradient("critics", &values, &gradient, |values| loss(values).0);
    }

    #[test]
    fn the_policys_gradient_agrees_with_finite_differences() {
        let (mut sac, batch, ..) = smooth();
        let noise = sac.draw_noise().unwrap();
        let values = sac.policy.parameters()[0].values().to_vec();
        let mut loss = |values: &[f32]| {
            sac.policy.parameters_mut()[0].set_values(values);
            let policy = sac.policy.record(batch.observations.clone()).unwrap();
            let loss = sac.policy_loss(&batch, policy.rsample(noise.clone()), 0.3).unwrap();
            let (loss, mut gradients) = backward(loss, "loss").unwrap();
            (loss, sac.policy.parameters()[0].gradient(&mut gradients).unwrap())
        };
        let (_, gradient) = loss(&values);
        assert_gradient("policy", &values, &gradient, |values| loss(values).0);
    }

    #[test]
    fn targets_are_the_papers_equation_in_double_precision() {
        let (mut sac, batch, transitions, _) = smooth();
        let (noise, temperature) = (sac.draw_noise().unwrap(), 0.3);
        let targets = sac.targets(&batch, noise.clone(), temperature).unwrap().to_host();
        let policy = sac.policy.distribution(batch.next_observations.clone()).unwrap();
        let (mean, log_std, noise) = (policy.mean.to_host(), policy.log_std.to_host(), noise.to_host());
        for row in 0..ROWS {
            let (noise, log_std) = (f64::from(noise[row]), f64::from(log_std[row]));
            let u = f64::from(mean[row]) + log_std.exp() * noise;
            let normal = -0.5 * noise * noise - log_std - 0.5 * (2.0 * std::f64::consts::PI).ln();
            let log_prob = normal - (1.0 - u.tanh().powi(2)).ln();
            let mut input = transitions.next_observations[3 * row..][..3].to_vec();
            input.push(u.tanh() as f32);
            let mut values = [0.0; 2];
            sac.target_critics.infer(&input, &mut values);
            let soft_value = f64::from(values[0].min(values[1])) - f64::from(temperature) * log_prob;
            let continues = if row % 3 == 0 { 0.0 } else { 1.0 };
            let expected = f64::from(transitions.rewards[row]) + 0.99 * continues * soft_value;
            assert!((f64::from(targets[row]) - expected).abs() < 1e-5, "{}, {expected}", targets[row]);
        }
    }

    #[test]
    fn the_temperature_falls_above_the_target_entropy_and_rises_below_it() {
        let learned = Temperature::Learned { initial: 0.5, target_entropy_per_dimension: -1.0 };
        for (entropy, sign) in [(-1.0, -1.0), (-3.0, 1.0)] {
            let mut weight = EntropyWeight::new(&Cpu::open().unwrap(), "", learned, 2).unwrap();
            weight.step(-entropy, 0.01).unwrap();
            // The first step of Adam has the length of the learning rate.
            let change = (weight.value() / 0.5).ln();
            assert!((change - sign * 0.01).abs() < 1e-5, "entropy {entropy}: {change}");
        }
        let fixed = Temperature::Fixed { value: 0.5 };
        let mut weight = EntropyWeight::new(&Cpu::open().unwrap(), "", fixed, 2).unwrap();
        weight.step(1.0, 0.01).unwrap();
        assert_eq!(weight.value(), 0.5);
    }

    #[test]
    fn a_gradient_step_moves_the_target_critics_by_the_target_rate() {
        let config = Config {
            hidden: vec![8],
            batch_size: ROWS,
            steps: 101,
            learning_starts: 100,
            ..Config::default()
        };
        let mut sac = Sac::new(config, pendulum(1, 1), Seed::new(1), Cpu::open().unwrap()).unwrap();
        let before = sac.agent.target_critics.parameters().values().to_vec();
        sac.advance().unwrap();
        let critics = sac.agent.critics.parameters().values();
        let after = sac.agent.target_critics.parameters().values();
        for ((after, before), critic) in after.iter().zip(&before).zip(critics.iter()) {
            assert_eq!(*after, (1.0 - 0.005) * before + 0.005 * critic);
        }
    }
}
