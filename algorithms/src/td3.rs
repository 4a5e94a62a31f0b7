#![doc = include_str!("../docs/td3.md")]

use assay_environments::{
    Actions, BatchedEnvironment,
    parameters::{ParameterError, require},
    random::{Seed, Stream},
};
use rand::Rng;
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};

use crate::{
    Checkpoint, Error, Learner, Mode, Report,
    catalogue::Configuration,
    learner::Means,
    networks::{Activation, DenseConfig, DenseStack, Ensemble},
    off_policy::{Settings, critic_loss, require_not_negative},
    optimisers::{Adam, AdamConfig},
    policies::{OrnsteinUhlenbeck, squashed_gaussian::fill_normal},
    replay::{self, Collector, Minibatch},
    tensor::{
        Device, Matrix, MatrixOperations, Operations, Record, Recording, Scalar, Vector, backward,
        join_columns,
    },
};

/// The algorithm's name in messages and checkpoints.
const NAME: &str = "td3";

/// The settings of TD3. The defaults are those of the authors' published code, which later work
/// compares with; the page has the paper's beside them. Noise is in units of half the action box.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Steps of each copy of the environment in one iteration: how often progress is reported,
    /// without effect on what is learned. At least 1.
    pub steps: usize,
    /// Environment steps, over all copies, that are taken uniformly at random before anything is
    /// learned. Authors' code: 25,000.
    pub learning_starts: u64,
    /// Steps of each copy between two rounds of gradient steps, at least 1. Paper: 1.
    pub train_every: u64,
    /// Gradient steps of the critics in a round, at least 1. Paper: 1.
    pub gradient_steps: usize,
    /// Transitions in a gradient step, at least 1. Authors' code: 256.
    pub batch_size: usize,
    /// Transitions that are remembered, at least 1. Authors' code: one million.
    pub replay_capacity: usize,
    /// Discount γ per step, 0 to 1. Paper: 0.99.
    pub discount: f64,
    /// Rate τ at which the target networks follow, per gradient step of the policy; above 0, at
    /// most 1. Paper: 0.005.
    pub target_rate: f64,
    /// Step size of Adam for the policy and the critics; positive. Authors' code: 3e-4.
    pub learning_rate: f64,
    /// Gradient steps of the critics per gradient step of the policy and update of the target
    /// networks, at least 1. Paper: 2.
    pub policy_delay: u64,
    /// Standard deviation σ of the noise on actions while collecting. Paper: 0.1.
    pub exploration_noise: f64,
    /// The process behind that noise, whose σ is `exploration_noise` per √(unit of time); it
    /// starts anew with every episode. Paper: absent, for noise that is independent at every step.
    pub ornstein_uhlenbeck: Option<OrnsteinUhlenbeck>,
    /// Standard deviation σ̃ of the noise on target actions. Paper: 0.2.
    pub target_noise: f64,
    /// Bound c of the noise on target actions. Paper: 0.5.
    pub target_noise_clip: f64,
    /// Units of each hidden layer of the policy and of the critics, followed by ReLU. Authors'
    /// code: 256, 256.
    pub hidden: Vec<usize>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            steps: 100,
            learning_starts: 25_000,
            train_every: 1,
            gradient_steps: 1,
            batch_size: 256,
            replay_capacity: 1_000_000,
            discount: 0.99,
            target_rate: 0.005,
            learning_rate: 3e-4,
            policy_delay: 2,
            exploration_noise: 0.1,
            ornstein_uhlenbeck: None,
            target_noise: 0.2,
            target_noise_clip: 0.5,
            hidden: vec![256, 256],
        }
    }
}

impl Configuration for Config {
    fn validate(&self) -> Result<(), ParameterError> {
        self.settings().validate()?;
        require("policy_delay", self.policy_delay, self.policy_delay > 0, "at least 1")?;
        require_not_negative("exploration_noise", self.exploration_noise)?;
        if let Some(process) = self.ornstein_uhlenbeck {
            process.validate("ornstein_uhlenbeck")?;
        }
        require_not_negative("target_noise", self.target_noise)?;
        require_not_negative("target_noise_clip", self.target_noise_clip)
    }

    fn learner<D: Device>(
        self,
        environment: Box<dyn BatchedEnvironment>,
        seed: Seed,
        device: D,
    ) -> Result<Box<dyn Learner>, Error> {
        Ok(Box::new(Td3::new(self, environment, seed, device)?))
    }
}

impl Config {
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
const METRICS: [&str; 3] = ["policy_loss", "critic_loss", "q_value"];

/// TD3 at work.
pub struct Td3<D: Device> {
    config: Config,
    device: D,
    collector: Collector,
    policy: DenseStack<D>,
    target_policy: DenseStack<D>,
    critics: Ensemble<D>,
    target_critics: Ensemble<D>,
    policy_optimiser: Adam<D>,
    critic_optimiser: Adam<D>,
    /// Gradient steps of the critics so far.
    updates: u64,
    /// The state of an Ornstein–Uhlenbeck process: copies × width.
    exploration_state: Vec<f32>,
    /// The noise of target actions.
    noise_stream: Stream,
    noise: Vec<f32>,
}

impl<D: Device> Td3<D> {
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
        let policy_network = DenseConfig { output_activation: Activation::Tanh, ..network.clone() };
        let mut rng = seed.stream("initialisation");
        let policy = DenseStack::new(&device, "policy", features, width, &policy_network, &mut rng)?;
        let critics = Ensemble::new(&device, "critics", 2, features + width, 1, &network, &mut rng)?;
        Ok(Td3 {
            target_policy: policy.duplicate("target_policy")?,
            target_critics: critics.duplicate("target_critics")?,
            policy_optimiser: Adam::new(AdamConfig::default(), &[policy.parameters()])?,
            critic_optimiser: Adam::new(AdamConfig::default(), &[critics.parameters()])?,
            updates: 0,
            exploration_state: vec![0.0; collector.environment().copies() * width],
            noise_stream: seed.stream("noise"),
            noise: vec![0.0; config.batch_size * width],
            config,
            device,
            collector,
            policy,
            critics,
        })
    }

    /// One gradient step of the critics; every `policy_delay`-th time also one of the policy, and
    /// a soft update of the target networks.
    fn gradient_step(&mut self, means: &mut Means<3>) -> Result<(), Error> {
        let Config { batch_size, learning_rate, .. } = self.config;
        let batch = self.collector.draw(&self.device)?;

        // The critics, towards the value of a smoothed target action.
        fill_normal(&mut self.noise_stream, &mut self.noise);
        let noise = self.device.matrix(&self.noise, batch_size, self.policy.outputs())?;
        let targets = self.targets(&batch, noise)?;
        let values = self.critics.record_values(batch.state_actions.clone())?;
        means.add_mean("q_value", &values.to_host());
        let (loss, mut gradients) = backward(critic_loss(values, targets), "critic loss")?;
        self.critic_optimiser.step(&mut [self.critics.parameters_mut()], &mut gradients, learning_rate)?;
        means.add("critic_loss", loss);

        self.updates += 1;
        if !self.updates.is_multiple_of(self.config.policy_delay) {
            return Ok(());
        }

        // The policy, up the first critic.
        let (loss, mut gradients) = backward(self.policy_loss(&batch)?, "policy loss")?;
        self.policy_optimiser.step(&mut [self.policy.parameters_mut()], &mut gradients, learning_rate)?;
        means.add("policy_loss", loss);

        let rate = self.config.target_rate as f32;
        self.target_critics.parameters_mut().blend(self.critics.parameters(), rate)?;
        self.target_policy.parameters_mut().blend(self.policy.parameters(), rate)
    }

    /// y = r + γ (1 − d) minᵢ Q̄ᵢ(s′, a′), a′ = clip(π̄(s′) + clip(σ̃ ε, −c, c), −1, 1), for standard
    /// normal `noise` ε.
    fn targets(&self, batch: &Minibatch<D>, noise: Matrix<D>) -> Result<Vector<D>, Error> {
        let bound = self.config.target_noise_clip as f32;
        let noise = (noise * self.config.target_noise as f32).clamp(-bound, bound);
        let actions = self.target_policy.forward(batch.next_observations.clone())?;
        let actions = (actions + noise).clamp(-1.0, 1.0);
        let inputs = join_columns(batch.next_observations.clone(), actions)?;
        let next_values = self.target_critics.values(inputs)?.min_rows();
        Ok(batch.targets(self.config.discount, next_values))
    }

    /// J(π) = −mean Q₁(s, π(s)).
    fn policy_loss(&self, batch: &Minibatch<D>) -> Result<Scalar<D, Recording<D>>, Error> {
        let actions = self.policy.record(batch.observations.clone())?;
        let inputs = join_columns(batch.observations.clone().recorded(), actions)?;
        Ok(self.critics.member_values_frozen(0, inputs)?.mean_all().negate())
    }
}

impl<D: Device> Learner for Td3<D> {
    fn advance(&mut self) -> Result<Report, Error> {
        let mut report = Report::default();
        let mut means = Means::new(METRICS);
        let Config { exploration_noise: deviation, ornstein_uhlenbeck, .. } = self.config;
        for _ in 0..self.config.steps {
            let episodes = self.collector.step(|observations, rng, actions| {
                self.policy.infer(observations, actions);
                match ornstein_uhlenbeck {
                    None => add_noise(deviation, rng, actions),
                    Some(process) => {
                        process.step(deviation, rng, &mut self.exploration_state);
                        add(&self.exploration_state, actions);
                    }
                }
            })?;
            report.episodes.extend_from_slice(episodes);
            let width = self.policy.outputs();
            for (copy, state) in self.exploration_state.chunks_exact_mut(width).enumerate() {
                if self.collector.has_ended(copy) {
                    state.fill(0.0);
                }
            }
            for _ in 0..self.collector.updates_due() {
                self.gradient_step(&mut means).map_err(|e| e.after(self.collector.steps()))?;
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
            self.policy.infer(observations, actions);
            if mode == Mode::Sample {
                let deviation = self.config.exploration_noise;
                let process = self.config.ornstein_uhlenbeck;
                add_noise(process.map_or(deviation, |p| p.stationary_deviation(deviation)), rng, actions);
            }
        })
    }

    fn save(&self, checkpoint: &mut Checkpoint) -> Result<(), Error> {
        self.collector.save(checkpoint)?;
        self.policy.parameters().save(checkpoint);
        self.target_policy.parameters().save(checkpoint);
        self.critics.parameters().save(checkpoint);
        self.target_critics.parameters().save(checkpoint);
        self.policy_optimiser.save("policy_optimiser", checkpoint)?;
        self.critic_optimiser.save("critic_optimiser", checkpoint)?;
        if self.config.ornstein_uhlenbeck.is_some() {
            checkpoint.put_record("exploration", &self.exploration_state)?;
        }
        checkpoint.put_record("td3", &(self.updates, &self.noise_stream))
    }

    fn load(&mut self, checkpoint: &Checkpoint) -> Result<(), Error> {
        self.collector.load(checkpoint)?;
        self.policy.parameters_mut().load(checkpoint)?;
        self.target_policy.parameters_mut().load(checkpoint)?;
        self.critics.parameters_mut().load(checkpoint)?;
        self.target_critics.parameters_mut().load(checkpoint)?;
        self.policy_optimiser.load("policy_optimiser", checkpoint)?;
        self.critic_optimiser.load("critic_optimiser", checkpoint)?;
        if self.config.ornstein_uhlenbeck.is_some() {
            let state: Vec<f32> = checkpoint.record("exploration")?;
            let (given, needed) = (state.len(), self.exploration_state.len());
            if given != needed {
                let reason = format!("its exploration noise is {given} numbers; {needed} are needed");
                return Err(Error::Checkpoint { reason });
            }
            self.exploration_state = state;
        }
        (self.updates, self.noise_stream) = checkpoint.record("td3")?;
        Ok(())
    }
}

/// Adds normal noise to normalised actions and clips them to [−1, 1].
pub(crate) fn add_noise(deviation: f64, rng: &mut Stream, actions: &mut [f32]) {
    for a in actions {
        let noise: f32 = rng.sample(StandardNormal);
        *a = (*a + deviation as f32 * noise).clamp(-1.0, 1.0);
    }
}

/// Adds noise to normalised actions and clips them to [−1, 1].
fn add(noise: &[f32], actions: &mut [f32]) {
    actions.iter_mut().zip(noise).for_each(|(a, noise)| *a = (*a + noise).clamp(-1.0, 1.0));
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

    /// A small learner with smooth networks, which finite differences need, and targets that
    /// differ from what they follow.
    fn smooth() -> (Td3<Cpu>, Minibatch<Cpu>, TransitionBatch, Stream) {
        let seed = Seed::new(1);
        let config = Config { hidden: vec![8], batch_size: ROWS, ..Config::default() };
        let mut td3 = Td3::new(config, pendulum(1, 1), seed, Cpu::open().unwrap()).unwrap();
        let mut rng = seed.stream("test");
        let network = DenseConfig { hidden: vec![8], ..DenseConfig::default() };
        let bounded = DenseConfig { output_activation: Activation::Tanh, ..network.clone() };
        let device = td3.device.clone();
        td3.policy = DenseStack::new(&device, "policy", 3, 1, &bounded, &mut rng).unwrap();
        td3.target_policy = DenseStack::new(&device, "policy", 3, 1, &bounded, &mut rng).unwrap();
        td3.critics = Ensemble::new(&device, "critics", 2, 4, 1, &network, &mut rng).unwrap();
        td3.target_critics = Ensemble::new(&device, "critics", 2, 4, 1, &network, &mut rng).unwrap();
        let transitions = transitions(3, 1, ROWS, &mut rng);
        let batch = minibatch(&device, &transitions);
        (td3, batch, transitions, rng)
    }

    #[test]
    fn the_critics_gradient_agrees_with_finite_differences() {
        let (mut td3, batch, _, mut rng) = smooth();
        let targets = td3.device.vector(&crate::testing::uniform(ROWS, &mut rng)).unwrap();
        let values = td3.critics.parameters().values().to_vec();
        let mut loss = |values: &[f32]| {
            td3.critics.parameters_mut().set_values(values);
            let outputs = td3.critics.record_values(batch.state_actions.clone()).unwrap();
            let (loss, mut gradients) = backward(critic_loss(outputs, targets.clone()), "loss").unwrap();
            (loss, td3.critics.parameters().gradient(&mut gradients).unwrap())
        };
        let (_, gradient) = loss(&values);
        assert_gradient("critics", &values, &gradient, |values| loss(values).0);
    }

    #[test]
    fn the_policys_gradient_agrees_with_finite_differences() {
        let (mut td3, batch, ..) = smooth();
        let values = td3.policy.parameters().values().to_vec();
        let mut loss = |values: &[f32]| {
            td3.policy.parameters_mut().set_values(values);
            let (loss, mut gradients) = backward(td3.policy_loss(&batch).unwrap(), "loss").unwrap();
            (loss, td3.policy.parameters().gradient(&mut gradients).unwrap())
        };
        let (_, gradient) = loss(&values);
        assert_gradient("policy", &values, &gradient, |values| loss(values).0);
    }

    #[test]
    fn targets_are_the_papers_equation_with_smoothed_and_clipped_actions() {
        let (mut td3, batch, transitions, _) = smooth();
        td3.config.target_noise = 0.8;
        let mut noise = vec![0.0; ROWS];
        fill_normal(&mut td3.noise_stream, &mut noise);
        let targets = td3.targets(&batch, td3.device.matrix(&noise, ROWS, 1).unwrap()).unwrap().to_host();
        let mut clipped = 0;
        for row in 0..ROWS {
            let observation = &transitions.next_observations[3 * row..][..3];
            let mut action = [0.0];
            td3.target_policy.infer(observation, &mut action);
            clipped += usize::from((0.8 * noise[row]).abs() > 0.5);
            let action = (action[0] + (0.8 * noise[row]).clamp(-0.5, 0.5)).clamp(-1.0, 1.0);
            let mut values = [0.0; 2];
            td3.target_critics.infer(&[observation, &[action]].concat(), &mut values);
            let continues = if row % 3 == 0 { 0.0 } else { 1.0 };
            let expected = transitions.rewards[row] + 0.99 * continues * values[0].min(values[1]);
            assert!((targets[row] - expected).abs() < 1e-5, "{}, {expected}", targets[row]);
        }
        assert!((1..ROWS).contains(&clipped), "both sides of the clip must be seen: {clipped}");
    }

    #[test]
    fn policy_and_targets_move_only_at_every_delayed_step() {
        let (mut td3, ..) = smooth();
        td3.config.policy_delay = 3;
        for _ in 0..3 {
            td3.collector.step(|_, _, _| ()).unwrap();
        }
        let state = |td3: &Td3<Cpu>| {
            [td3.policy.parameters(), td3.target_policy.parameters(), td3.target_critics.parameters()]
                .map(|parameters| parameters.values().to_vec())
        };
        let start = state(&td3);
        let mut means = Means::new(METRICS);
        td3.gradient_step(&mut means).unwrap();
        td3.gradient_step(&mut means).unwrap();
        assert_eq!(state(&td3), start);
        td3.gradient_step(&mut means).unwrap();
        let [policy, target_policy, target_critics] = state(&td3);
        assert_ne!(policy, start[0]);
        let follows = |after: &[f32], before: &[f32], source: &[f32]| {
            for ((after, before), source) in after.iter().zip(before).zip(source) {
                assert_eq!(*after, (1.0 - 0.005) * before + 0.005 * source);
            }
        };
        follows(&target_policy, &start[1], &policy);
        follows(&target_critics, &start[2], &td3.critics.parameters().values());
    }
}
