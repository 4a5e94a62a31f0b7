#![doc = include_str!("../docs/ppo.md")]

use assay_environments::{
    Actions, BatchedEnvironment,
    parameters::{ParameterError, require},
    random::{Seed, Stream},
};
use serde::{Deserialize, Serialize};

use crate::{
    Checkpoint, Error, Learner, Mode, Report,
    catalogue::Configuration,
    on_policy::{ActorCritic, Settings, clipped_surrogate},
    optimisers::{Adam, AdamConfig, Schedule},
    policies::NetworkConfig,
    rollout::{Minibatch, MinibatchOrder, explained_variance, standardise},
    tensor::{Device, Operations, Recording, Scalar, backward},
    value_function::ValueClip,
};

/// Settings of PPO. The defaults are those of Stable-Baselines3.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Steps of each copy of the environment per iteration. Paper, table 3: 2048.
    pub steps: usize,
    /// Passes over the batch per iteration. Paper, table 3: 10.
    pub epochs: usize,
    /// Samples per gradient step. Paper, table 3: 64.
    pub minibatch_size: usize,
    /// Discount γ, 0 to 1. Paper, table 3: 0.99.
    pub discount: f64,
    /// Weight λ of generalised advantage estimation, 0 to 1. Paper, table 3: 0.95.
    pub lambda: f64,
    /// Range ε outside of which the ratio is clipped, above 0; a schedule may end at 0. Paper, section 6.1: 0.2.
    pub clip_range: Schedule,
    /// Range within which a value's prediction may move from the old one, in units of the returns,
    /// above 0; absent for no clipping, as in Stable-Baselines3.
    pub value_clip_range: Option<f64>,
    /// Weight c_v of the value loss, at least 0. Stable-Baselines3: 0.5.
    pub value_weight: f64,
    /// Weight c_e of the entropy bonus, at least 0. Paper, section 6.1: 0.
    pub entropy_weight: f64,
    /// Step size of Adam, at least 0. Paper, table 3: 3e-4.
    pub learning_rate: Schedule,
    /// Environment steps over which schedules run. Paper, section 6.1: a million.
    pub total_steps: u64,
    /// Adam's ε, above 0. OpenAI Baselines and Stable-Baselines3: 1e-5.
    pub adam_epsilon: f64,
    /// The joint gradient is scaled down to this norm, above 0; absent for no limit. OpenAI
    /// Baselines and Stable-Baselines3: 0.5.
    pub max_gradient_norm: Option<f64>,
    /// What advantages are standardised over. Stable-Baselines3: each minibatch.
    pub advantage_normalisation: AdvantageNormalisation,
    /// The update stops where the estimated KL divergence exceeds 1.5 times this, in nats, above 0;
    /// absent for no such stop, as in Stable-Baselines3.
    pub target_kl: Option<f64>,
    /// Whether observations are normalised by their running mean and deviation. Off.
    pub normalise_observations: bool,
    /// Whether rewards are divided by the running deviation of the discounted return. Off.
    pub normalise_rewards: bool,
    /// The form of both networks. Paper, section 6.1: 64, 64, tanh.
    pub network: NetworkConfig,
}

/// What advantages are shifted and scaled to mean 0 and standard deviation 1 over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AdvantageNormalisation {
    /// Each minibatch on its own.
    Minibatch,
    /// The whole batch, once.
    Batch,
    /// Nothing: advantages stay as they are.
    Off,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            steps: 2048,
            epochs: 10,
            minibatch_size: 64,
            discount: 0.99,
            lambda: 0.95,
            clip_range: Schedule::Constant(0.2),
            value_clip_range: None,
            value_weight: 0.5,
            entropy_weight: 0.0,
            learning_rate: Schedule::Constant(3e-4),
            total_steps: 1_000_000,
            adam_epsilon: 1e-5,
            max_gradient_norm: Some(0.5),
            advantage_normalisation: AdvantageNormalisation::Minibatch,
            target_kl: None,
            normalise_observations: false,
            normalise_rewards: false,
            network: NetworkConfig::default(),
        }
    }
}

impl Config {
    fn settings(&self) -> Settings<'_> {
        Settings {
            steps: self.steps,
            discount: self.discount,
            lambda: self.lambda,
            normalise_observations: self.normalise_observations,
            normalise_rewards: self.normalise_rewards,
            network: &self.network,
        }
    }
}

impl Configuration for Config {
    fn validate(&self) -> Result<(), ParameterError> {
        let positive = |x: f64| x > 0.0 && x.is_finite();
        let not_negative = |x: f64| x >= 0.0 && x.is_finite();
        let value_clip = self.value_clip_range.unwrap_or(1.0);
        let norm = self.max_gradient_norm.unwrap_or(1.0);
        let kl = self.target_kl.unwrap_or(1.0);
        self.settings().validate()?;
        require("epochs", self.epochs, self.epochs > 0, "at least 1")?;
        require("minibatch_size", self.minibatch_size, self.minibatch_size > 0, "at least 1")?;
        let clip = self.clip_range.at(0.0);
        require("clip_range", clip, positive(clip), "above 0 at the start")?;
        self.clip_range.validate("clip_range", not_negative, "at least 0")?;
        require("value_clip_range", value_clip, positive(value_clip), "above 0")?;
        require("value_weight", self.value_weight, not_negative(self.value_weight), "at least 0")?;
        require("entropy_weight", self.entropy_weight, not_negative(self.entropy_weight), "at least 0")?;
        self.learning_rate.validate("learning_rate", not_negative, "at least 0")?;
        require("total_steps", self.total_steps, self.total_steps > 0, "at least 1")?;
        require("adam_epsilon", self.adam_epsilon, positive(self.adam_epsilon), "above 0")?;
        require("max_gradient_norm", norm, positive(norm), "above 0")?;
        require("target_kl", kl, positive(kl), "above 0")
    }

    fn learner<D: Device>(
        self,
        environment: Box<dyn BatchedEnvironment>,
        seed: Seed,
        device: D,
    ) -> Result<Box<dyn Learner>, Error> {
        Ok(Box::new(Ppo::new(self, environment, seed, device)?))
    }
}

/// PPO with the clipped surrogate objective.
pub struct Ppo<D: Device> {
    pub(crate) config: Config,
    pub(crate) agent: ActorCritic<D>,
    optimiser: Adam<D>,
    order: MinibatchOrder,
    minibatch: Minibatch,
}

impl<D: Device> Ppo<D> {
    /// The learner at its first step.
    ///
    /// # Errors
    /// [`Error::Parameter`] when the configuration is out of range; [`Error::Device`] when the
    /// device fails.
    pub fn new(
        config: Config,
        environment: Box<dyn BatchedEnvironment>,
        seed: Seed,
        device: D,
    ) -> Result<Self, Error> {
        config.validate()?;
        let agent = ActorCritic::new(config.settings(), environment, seed, device)?;
        let adam = AdamConfig {
            epsilon: config.adam_epsilon,
            max_gradient_norm: config.max_gradient_norm,
            ..AdamConfig::default()
        };
        let mut modules = agent.policy.parameters();
        modules.push(agent.value.parameters());
        let optimiser = Adam::new(adam, &modules)?;
        drop(modules);
        let order = MinibatchOrder::new(seed);
        Ok(Ppo { config, agent, optimiser, order, minibatch: Minibatch::default() })
    }

    /// The policy, the value function and their experience.
    pub fn agent(&self) -> &ActorCritic<D> {
        &self.agent
    }

    /// What an iteration does with the experience in the agent's rollout, whose advantages and returns
    /// have been estimated. Schedules are evaluated at `progress`, 0 at the start of training and 1 at
    /// its end.
    ///
    /// # Errors
    /// [`Error::NonFinite`] when a loss or gradient is not finite; [`Error::Device`] when the device
    /// fails.
    pub(crate) fn learn(&mut self, progress: f64) -> Result<Report, Error> {
        let learning_rate = self.config.learning_rate.at(progress);
        let clip_range = self.config.clip_range.at(progress);

        let rollout = &mut self.agent.rollout;
        let explained_variance = explained_variance(&rollout.values, &rollout.returns);
        if self.config.advantage_normalisation == AdvantageNormalisation::Batch {
            standardise(&mut rollout.advantages);
        }
        let batch = self.agent.batch()?;
        let update = self.update(learning_rate, clip_range).map_err(|e| e.after(self.steps()))?;
        let change = self.agent.policy_change(&batch)?;

        Ok(Report {
            metrics: vec![
                ("policy_loss", update.policy_loss / update.steps),
                ("value_loss", update.value_loss / update.steps),
                ("entropy", change.entropy),
                ("mean_kl", change.kl_to_old),
                ("max_ratio", change.max_ratio),
                ("clip_fraction", update.clip_fraction / update.steps),
                ("gradient_norm", update.gradient_norm / update.steps),
                ("explained_variance", explained_variance),
                ("updates", update.steps),
                ("learning_rate", learning_rate),
                ("clip_range", clip_range),
            ],
            episodes: self.agent.rollout.episodes.clone(),
        })
    }

    /// How much of the training is over: 0 at the start, 1 after the steps that schedules run over.
    pub(crate) fn progress(&self) -> f64 {
        self.steps() as f64 / self.config.total_steps as f64
    }

    /// Several epochs of minibatch gradient steps on the experience in the rollout.
    fn update(&mut self, learning_rate: f64, clip_range: f64) -> Result<Update, Error> {
        let Ppo { config, agent, optimiser, order, minibatch } = self;
        let mut update = Update::default();
        for _ in 0..config.epochs {
            for rows in order.shuffled(0..agent.rollout.len(), config.minibatch_size) {
                minibatch.gather(&agent.rollout, rows);
                if config.advantage_normalisation == AdvantageNormalisation::Minibatch {
                    standardise(&mut minibatch.advantages);
                }
                let loss = Loss::of(minibatch, agent, config, clip_range)?;
                if config.target_kl.is_some_and(|target| loss.estimated_kl > 1.5 * target) {
                    return Ok(update);
                }
                let (_, mut gradients) = backward(loss.total, "PPO's loss")?;
                let mut modules = agent.policy.parameters_mut();
                modules.push(agent.value.parameters_mut());
                let norm = optimiser.step(&mut modules, &mut gradients, learning_rate)?;
                update.steps += 1.0;
                update.policy_loss += loss.policy;
                update.value_loss += loss.value;
                update.clip_fraction += loss.clip_fraction;
                update.gradient_norm += f64::from(norm);
            }
        }
        Ok(update)
    }
}

impl<D: Device> Learner for Ppo<D> {
    fn advance(&mut self) -> Result<Report, Error> {
        let progress = self.progress();
        self.agent.collect()?;
        self.learn(progress)
    }

    fn steps(&self) -> u64 {
        self.agent.collector.steps()
    }

    fn act(
        &self,
        observations: &[f32],
        mode: Mode,
        rng: &mut Stream,
        actions: &mut Actions,
    ) -> Result<(), Error> {
        self.agent.act(observations, mode, rng, actions)
    }

    fn save(&self, checkpoint: &mut Checkpoint) -> Result<(), Error> {
        self.agent.save(checkpoint)?;
        self.optimiser.save("optimiser", checkpoint)?;
        self.order.save(checkpoint)
    }

    fn load(&mut self, checkpoint: &Checkpoint) -> Result<(), Error> {
        self.agent.load(checkpoint)?;
        self.optimiser.load("optimiser", checkpoint)?;
        self.order.load(checkpoint)
    }
}

/// What an iteration's gradient steps add up to.
#[derive(Default)]
struct Update {
    steps: f64,
    policy_loss: f64,
    value_loss: f64,
    clip_fraction: f64,
    gradient_norm: f64,
}

/// The loss of one minibatch, and what is measured on the way.
struct Loss<D: Device> {
    total: Scalar<D, Recording<D>>,
    policy: f64,
    value: f64,
    clip_fraction: f64,
    /// Mean of (ρ − 1) − log ρ, an unbiased estimate of KL(π_k, π_θ) that is never negative.
    estimated_kl: f64,
}

impl<D: Device> Loss<D> {
    fn of(
        minibatch: &Minibatch,
        agent: &ActorCritic<D>,
        config: &Config,
        clip_range: f64,
    ) -> Result<Self, Error> {
        let (device, rows) = (&agent.device, minibatch.rows);
        let observations =
            device.matrix(&minibatch.observations, rows, agent.rollout.observation_features())?;
        let actions = device.matrix(&minibatch.actions, rows, agent.rollout.action_features())?;
        let log_probs = device.vector(&minibatch.log_probs)?;
        let advantages = device.vector(&minibatch.advantages)?;
        let returns = device.vector(&minibatch.returns)?;
        let old_values = device.vector(&minibatch.values)?;

        let distribution = agent.policy.record(observations.clone())?;
        let entropy = (config.entropy_weight > 0.0).then(|| distribution.branch().entropy().mean_all());
        let log_ratio = distribution.log_prob(&actions) - log_probs;
        let log_ratios = log_ratio.to_host();

        let policy = clipped_surrogate(log_ratio.exp(), &advantages, clip_range).negate();
        let value_clip = config.value_clip_range.map(ValueClip::Clipped);
        let value = agent.value.loss(observations, &returns, &old_values, value_clip)?;
        let (policy_loss, value_loss) = (policy.to_host()[0], value.to_host()[0]);
        let mut total = policy + value * config.value_weight as f32;
        if let Some(entropy) = entropy {
            total = total - entropy * config.entropy_weight as f32;
        }

        let count = rows as f64;
        let clipped = |x: &&f32| f64::from((x.exp() - 1.0).abs()) > clip_range;
        Ok(Loss {
            total,
            policy: f64::from(policy_loss),
            value: f64::from(value_loss),
            clip_fraction: log_ratios.iter().filter(clipped).count() as f64 / count,
            estimated_kl: log_ratios.iter().map(|&x| f64::from(x.exp_m1() - x)).sum::<f64>() / count,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        on_policy::Batch,
        on_policy::tests::{assert_policy_gradient, copies, moved_agent, vanilla_gradient},
        tensor::{Cpu, Record, gradient_of},
        testing::flat_gradient,
    };
    use assay_environments::classic::{CartPole, Pendulum};

    fn whole_batch(agent: &ActorCritic<Cpu>) -> Minibatch {
        let mut minibatch = Minibatch::default();
        minibatch.gather(&agent.rollout, &(0..agent.rollout.len()).collect::<Vec<_>>());
        minibatch
    }

    /// A clip range that parts the samples, as far as possible from any of their ratios: the
    /// objective has a kink where a ratio meets the range.
    fn clip_range_between_ratios(agent: &ActorCritic<Cpu>, batch: &Batch<Cpu>) -> f64 {
        let ratios = batch.ratios(agent.policy.distribution(batch.observations.clone()).unwrap());
        let mut moved: Vec<f32> = ratios.to_host().iter().map(|ratio| (ratio - 1.0).abs()).collect();
        moved.sort_by(f32::total_cmp);
        let gap = |pair: &&[f32]| pair[1] - pair[0];
        let widest = moved[..moved.len() - 4].windows(2).max_by(|a, b| gap(a).total_cmp(&gap(b)));
        let widest = widest.unwrap();
        f64::from(0.5 * (widest[0] + widest[1]))
    }

    #[test]
    fn the_gradient_of_the_loss_agrees_with_finite_differences() {
        for continuous in [false, true] {
            let (mut agent, batch, mut rng) = moved_agent(continuous, 1);
            let minibatch = whole_batch(&agent);
            let config = Config { entropy_weight: 0.1, ..Config::default() };
            for clip_range in [clip_range_between_ratios(&agent, &batch), 100.0] {
                let loss = Loss::of(&minibatch, &agent, &config, clip_range).unwrap();
                assert_eq!(loss.clip_fraction > 0.0, clip_range < 100.0);
                assert_policy_gradient(&mut agent, &mut rng, |agent| {
                    Loss::of(&minibatch, agent, &config, clip_range).unwrap().total
                });
            }
        }
    }

    #[test]
    fn the_surrogate_is_flat_where_the_ratio_has_moved_far_enough_and_only_there() {
        let device = Cpu::open().unwrap();
        let ratios = device.vector(&[0.5, 1.0, 1.5, 0.5, 1.0, 1.5]).unwrap();
        let advantages = device.vector(&[1.0, 1.0, 1.0, -1.0, -1.0, -1.0]).unwrap();
        let surrogate = clipped_surrogate(ratios.clone().recorded(), &advantages, 0.2);
        let (value, mut gradients) = backward(surrogate, "surrogate").unwrap();
        assert!((value - (0.5 + 1.0 + 1.2 - 0.8 - 1.0 - 1.5) / 6.0).abs() < 1e-6);
        let gradient = gradient_of(&mut gradients, &ratios).unwrap();
        let expected = [1.0, 1.0, 0.0, 0.0, -1.0, -1.0].map(|g: f32| g / 6.0);
        for (found, expected) in gradient.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{gradient:?}");
        }
    }

    #[test]
    fn the_first_minibatchs_ratio_is_one_and_its_gradient_the_policy_gradient() {
        let seed = Seed::new(2);
        for environment in [copies(CartPole::default(), 3, seed), copies(Pendulum::default(), 3, seed)] {
            let config = Config { steps: 32, value_weight: 0.0, ..Config::default() };
            let mut ppo = Ppo::new(config, environment, seed, Cpu::open().unwrap()).unwrap();
            ppo.agent.collect().unwrap();
            let minibatch = whole_batch(&ppo.agent);
            let loss = Loss::of(&minibatch, &ppo.agent, &ppo.config, 0.2).unwrap();
            // Actions are drawn one row at a time and judged many rows at a time, so sums may be
            // rounded differently.
            assert!(loss.estimated_kl < 1e-11, "{}", loss.estimated_kl);
            assert_eq!(loss.clip_fraction, 0.0);
            let batch = ppo.agent.batch().unwrap();
            let (_, mut gradients) = backward(loss.total, "loss").unwrap();
            let found = flat_gradient(&ppo.agent.policy, &mut gradients);
            for (found, expected) in found.iter().zip(vanilla_gradient(&ppo.agent.policy, &batch)) {
                assert!((found + expected).abs() < 1e-4 * (1.0 + expected.abs()), "{found} {expected}");
            }
        }
    }

    #[test]
    fn a_small_target_divergence_stops_the_update_early() {
        let seed = Seed::new(3);
        let updates = |target_kl| {
            let config = Config {
                steps: 256,
                learning_rate: Schedule::Constant(1e-2),
                target_kl,
                ..Config::default()
            };
            let environment = copies(CartPole::default(), 1, seed);
            let mut ppo = Ppo::new(config, environment, seed, Cpu::open().unwrap()).unwrap();
            let report = ppo.advance().unwrap();
            report.metrics.iter().find(|(name, _)| *name == "updates").unwrap().1
        };
        assert_eq!(updates(None), 40.0);
        let stopped = updates(Some(1e-3));
        assert!((1.0..20.0).contains(&stopped), "{stopped}");
    }
}
