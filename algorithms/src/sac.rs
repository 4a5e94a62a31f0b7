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
    networks::{Activation, DenseConfig, Ensemble, Initialisation},
    optimisers::{Adam, AdamConfig},
    policies::{self, SquashedPolicy, squashed_gaussian::fill_normal},
    replay::{Collector, Minibatch, TransitionBatch},
    tensor::{
        Device, Matrix, MatrixOperations, Operations, Parameters, Record, Scalar, Tape, Vector,
        VectorOperations, backward, join_columns, shape,
    },
};

/// The algorithm's name in messages and checkpoints.
const NAME: &str = "sac";

/// The settings of soft actor-critic. The sources are the page's table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Steps of each copy of the environment in one iteration: how often progress is reported.
    /// What is learned does not depend on it.
    pub steps: usize,
    /// Environment steps, over all copies, that are taken uniformly at random before anything is
    /// learned.
    pub learning_starts: u64,
    /// Steps of each copy between two rounds of gradient steps.
    pub train_every: u64,
    /// Gradient steps in a round.
    pub gradient_steps: usize,
    /// Transitions in a gradient step.
    pub batch_size: usize,
    /// Transitions that are remembered.
    pub replay_capacity: usize,
    /// Discount factor γ per step.
    pub discount: f64,
    /// Rate τ at which the target critics follow the critics, per gradient step.
    pub target_rate: f64,
    /// Learning rate of Adam for the policy, the critics and the temperature.
    pub learning_rate: f64,
    /// The weight α of the entropy.
    pub temperature: Temperature,
    /// Widths of the hidden layers of the policy and of the critics.
    pub hidden: Vec<usize>,
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
        }
    }
}

impl Configuration for Config {
    fn validate(&self) -> Result<(), ParameterError> {
        require("steps", self.steps, self.steps > 0, "at least 1")?;
        require("train_every", self.train_every, self.train_every > 0, "at least 1")?;
        require("gradient_steps", self.gradient_steps, self.gradient_steps > 0, "at least 1")?;
        require("batch_size", self.batch_size, self.batch_size > 0, "at least 1")?;
        require("replay_capacity", self.replay_capacity, self.replay_capacity > 0, "at least 1")?;
        require("discount", self.discount, (0.0..=1.0).contains(&self.discount), "0 to 1")?;
        let rate = self.target_rate;
        require("target_rate", rate, rate > 0.0 && rate <= 1.0, "above 0, at most 1")?;
        let rate = self.learning_rate;
        require("learning_rate", rate, rate > 0.0 && rate.is_finite(), "positive and finite")?;
        require("hidden", format!("{:?}", self.hidden), !self.hidden.contains(&0), "positive widths")?;
        match self.temperature {
            Temperature::Learned { initial, target_entropy_per_dimension: target } => {
                let field = "temperature.initial";
                require(field, initial, initial > 0.0 && initial.is_finite(), "positive and finite")?;
                let field = "temperature.target_entropy_per_dimension";
                require(field, target, target.is_finite(), "finite")
            }
            Temperature::Fixed { value } => {
                let holds = value >= 0.0 && value.is_finite();
                require("temperature.value", value, holds, "finite, not negative")
            }
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

/// Names of what every iteration reports, in order; their meanings stand on the page.
const METRICS: [&str; 5] = ["policy_loss", "critic_loss", "q_value", "entropy", "temperature"];

/// Soft actor-critic at work.
pub struct Sac<D: Device> {
    config: Config,
    device: D,
    collector: Collector,
    policy: SquashedPolicy<D>,
    critics: Ensemble<D>,
    target_critics: Ensemble<D>,
    policy_optimiser: Adam<D>,
    critic_optimiser: Adam<D>,
    temperature: EntropyWeight<D>,
    streams: Streams,
    batch: TransitionBatch,
    noise: Vec<f32>,
    outputs: Vec<f32>,
}

/// Where the learner's own random numbers come from.
#[derive(Clone, Serialize, Deserialize)]
struct Streams {
    /// Actions while collecting.
    actions: Stream,
    /// Which transitions are learned from.
    replay: Stream,
    /// The noise of reparametrised actions.
    noise: Stream,
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
        let collector = Collector::new(NAME, environment, config.replay_capacity)?;
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
        Ok(Sac {
            policy_optimiser: Adam::new(AdamConfig::default(), &[policy.parameters()])?,
            critic_optimiser: Adam::new(AdamConfig::default(), &[critics.parameters()])?,
            temperature: EntropyWeight::new(&device, config.temperature, width)?,
            streams: Streams {
                actions: seed.stream("actions"),
                replay: seed.stream("replay"),
                noise: seed.stream("noise"),
            },
            batch: TransitionBatch::default(),
            noise: vec![0.0; config.batch_size * width],
            outputs: Vec::new(),
            target_critics: critics.duplicate("target_critics")?,
            config,
            device,
            collector,
            policy,
            critics,
        })
    }

    /// Standard normal numbers for the actions of a batch: (transitions × width).
    fn draw_noise(&mut self) -> Result<Matrix<D>, Error> {
        fill_normal(&mut self.streams.noise, &mut self.noise);
        self.device.matrix(&self.noise, self.config.batch_size, self.collector.action_box().width())
    }

    /// One gradient step of temperature, critics and policy, and a soft update of the target
    /// critics. Adds its measurements to `sums`.
    fn gradient_step(&mut self, sums: &mut [f64; METRICS.len()]) -> Result<(), Error> {
        let Config { batch_size, discount, target_rate, learning_rate, .. } = self.config;
        self.batch.clear();
        self.collector.replay().sample(batch_size, &mut self.streams.replay, &mut self.batch);
        let batch = Minibatch::upload(&self.device, &self.batch)?;
        let temperature = self.temperature.value();

        // The temperature, with ã ~ π(·|s).
        let noise = self.draw_noise()?;
        let sample = self.policy.record(batch.observations.clone())?.rsample(noise);
        let log_probs = sample.log_probs.sum_columns();
        let mean_log_prob = log_probs.detach().mean_all().to_host()[0];
        self.temperature.step(mean_log_prob, learning_rate)?;

        // The critics, with a′ ~ π(·|s′).
        let noise = self.draw_noise()?;
        let next = self.policy.distribution(batch.next_observations.clone())?.rsample(noise);
        let inputs = join_columns(batch.next_observations.clone(), next.actions)?;
        let next_values = self.target_critics.values(inputs)?.min_rows();
        let targets = batch.targets(discount, next_values - next.log_probs.sum_columns() * temperature);
        let values = self.critics.record_values(batch.state_actions.clone())?;
        let q_value = values.detach().mean_all().to_host()[0];
        let (critic_loss, mut gradients) = backward(critic_loss(values, targets), "critic loss")?;
        self.critic_optimiser.step(&mut [self.critics.parameters_mut()], &mut gradients, learning_rate)?;

        // The policy, through ã.
        let inputs = join_columns(batch.observations.recorded(), sample.actions)?;
        let values = self.critics.values_frozen(inputs)?.min_rows();
        let loss = policy_loss(log_probs, values, temperature);
        let (policy_loss, mut gradients) = backward(loss, "policy loss")?;
        self.policy_optimiser.step(&mut [self.policy.parameters_mut()], &mut gradients, learning_rate)?;

        self.target_critics.parameters_mut().blend(self.critics.parameters(), target_rate as f32)?;

        let measured = [policy_loss, critic_loss, q_value, -mean_log_prob, temperature];
        sums.iter_mut().zip(measured).for_each(|(sum, x)| *sum += f64::from(x));
        Ok(())
    }
}

impl<D: Device> Learner for Sac<D> {
    fn advance(&mut self) -> Result<Report, Error> {
        let mut report = Report::default();
        let (mut sums, mut updates) = ([0.0; METRICS.len()], 0);
        for _ in 0..self.config.steps {
            let (policy, rng, outputs) = (&self.policy, &mut self.streams.actions, &mut self.outputs);
            let warming_up = self.collector.steps() < self.config.learning_starts;
            let episodes = self.collector.step(|observations, actions| {
                if warming_up {
                    policies::uniform(rng, actions);
                } else {
                    policy.act(observations, Mode::Sample, rng, outputs, actions);
                }
            })?;
            report.episodes.extend_from_slice(episodes);
            if self.collector.learning_is_due(self.config.learning_starts, self.config.train_every) {
                for _ in 0..self.config.gradient_steps {
                    self.gradient_step(&mut sums).map_err(|e| e.after(self.collector.steps()))?;
                    updates += 1;
                }
            }
        }
        let means = sums.map(|sum| sum / f64::from(updates));
        report.metrics.extend(METRICS.into_iter().zip(means));
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
        self.collector.action_box().act(actions, |normalised| {
            self.policy.act(observations, mode, rng, &mut Vec::new(), normalised);
        });
        Ok(())
    }

    fn save(&self, checkpoint: &mut Checkpoint) -> Result<(), Error> {
        self.collector.save(checkpoint)?;
        self.policy.parameters().save(checkpoint);
        self.critics.parameters().save(checkpoint);
        self.target_critics.parameters().save(checkpoint);
        self.policy_optimiser.save("policy_optimiser", checkpoint)?;
        self.critic_optimiser.save("critic_optimiser", checkpoint)?;
        self.temperature.save(checkpoint)?;
        checkpoint.put_record("streams", &self.streams)
    }

    fn load(&mut self, checkpoint: &Checkpoint) -> Result<(), Error> {
        self.collector.load(checkpoint)?;
        self.policy.parameters_mut().load(checkpoint)?;
        self.critics.parameters_mut().load(checkpoint)?;
        self.target_critics.parameters_mut().load(checkpoint)?;
        self.policy_optimiser.load("policy_optimiser", checkpoint)?;
        self.critic_optimiser.load("critic_optimiser", checkpoint)?;
        self.temperature.load(checkpoint)?;
        self.streams = checkpoint.record("streams")?;
        Ok(())
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
    fn new(device: &D, temperature: Temperature, width: usize) -> Result<Self, Error> {
        Ok(match temperature {
            Temperature::Fixed { value } => EntropyWeight::Fixed(value as f32),
            Temperature::Learned { initial, target_entropy_per_dimension } => {
                let log = Parameters::free(device, "log_temperature", &[initial.ln() as f32])?;
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
            let loss = (log.tensor().recorded() * -(mean_log_prob + *target_entropy)).sum_all();
            let (_, mut gradients) = backward(loss, "temperature loss")?;
            optimiser.step(&mut [log], &mut gradients, learning_rate)?;
        }
        Ok(())
    }

    fn save(&self, checkpoint: &mut Checkpoint) -> Result<(), Error> {
        if let EntropyWeight::Learned { log, optimiser, .. } = self {
            log.save(checkpoint);
            optimiser.save("temperature_optimiser", checkpoint)?;
        }
        Ok(())
    }

    fn load(&mut self, checkpoint: &Checkpoint) -> Result<(), Error> {
        if let EntropyWeight::Learned { log, optimiser, .. } = self {
            log.load(checkpoint)?;
            optimiser.load("temperature_optimiser", checkpoint)?;
        }
        Ok(())
    }
}

/// ½ Σᵢ mean (Qᵢ(s, a) − y)², for values (critics × transitions) and targets (transitions).
fn critic_loss<D: Device, T: Tape<D>>(values: Matrix<D, T>, targets: Vector<D>) -> Scalar<D, T> {
    let (critics, _) = shape(&values);
    (values - targets.repeat_rows(critics)).square().mean_columns().sum_all() * 0.5
}

/// mean (α log π(ã|s) − Q(s, ã)).
fn policy_loss<D: Device, T: Tape<D>>(
    log_probs: Vector<D, T>,
    values: Vector<D, T>,
    temperature: f32,
) -> Scalar<D, T> {
    (log_probs * temperature - values).mean_all()
}
