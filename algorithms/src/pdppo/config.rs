//! Settings of PDPPO.

use assay_environments::{
    BatchedEnvironment,
    parameters::{ParameterError, require},
    random::Seed,
};
use serde::{Deserialize, Serialize};

use super::Pdppo;
use crate::{
    Error, Learner, catalogue::Configuration, networks::Activation, on_policy::Settings,
    policies::NetworkConfig, tensor::Device,
};

/// Settings of PDPPO. The defaults are those of the authors' newest code for lot-sizing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Steps of each copy of the environment per iteration. Authors' code: 400 of one copy, four
    /// episodes.
    pub steps: usize,
    /// Gradient steps per iteration, each on all samples that are kept. Authors' code: 40.
    pub epochs: usize,
    /// Rollouts that are learned from: the newest and those before it, with the log-probabilities,
    /// returns and advantages that they had when they were collected. Authors' code: 5. With 1 every
    /// sample is used in one iteration only, as in PPO.
    pub chunks: usize,
    /// Discount γ, 0 to 1. Authors' code: 0.9.
    pub discount: f64,
    /// What advantages and critics are made of. Authors' newest code: `split`.
    pub estimator: Estimator,
    /// How two advantages become one. Paper: the larger one.
    pub combination: Combination,
    /// Whether sums of rewards that are cut off by a time limit or by the end of a rollout go on with the
    /// state critic's value. Authors' code: they do not. Not possible where rewards are split.
    pub bootstrap: bool,
    /// Whether returns are standardised over each rollout. Authors' newest code: not, older: yes.
    pub standardise_returns: bool,
    /// Whether advantages are standardised over each rollout. Authors' code: not.
    pub standardise_advantages: bool,
    /// Whose ratio is clipped. Authors' code: that of each machine.
    pub ratio: RatioOf,
    /// Range ε outside of which the ratio is clipped, above 0. Authors' code: 0.2.
    pub clip_range: f64,
    /// Weight c_e of the entropy bonus, at least 0. Authors' newest code: 0.001, older: 0.012.
    pub entropy_weight: f64,
    /// Step size of the policy's Adam, at least 0. Authors' code: 5.5e-4.
    pub learning_rate: f64,
    /// Step size of each critic's Adam, at least 0. Authors' code: 1e-3.
    pub critic_learning_rate: f64,
    /// Adam's ε, above 0. Authors' code: 1e-8.
    pub adam_epsilon: f64,
    /// The gradient of each network is scaled down to this norm, above 0; absent for no limit, as in the
    /// authors' newest code. Their older one has 1.
    pub max_gradient_norm: Option<f64>,
    /// Whether observations are normalised by their running mean and deviation. Authors' code: off.
    pub normalise_observations: bool,
    /// Whether rewards are divided by the running deviation of the discounted return. Authors' code: off.
    pub normalise_rewards: bool,
    /// The form of the policy's network. Authors' code: 128, 128, relu.
    pub network: NetworkConfig,
    /// The form of each critic's network. Authors' code: 128, 128, tanh.
    pub critic_network: NetworkConfig,
}

/// What advantages and critics are made of. R, R^x and G are the discounted sums of r^w, r^x and r.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Estimator {
    /// R − V(s) and R^x − V^x(s^x); V is fitted to R, V^x to R^x. The authors' newest code.
    #[default]
    Split,
    /// G − V(s) and G − V^x(s^x); of each sample the smaller of the two values is fitted to G. The
    /// authors' older code.
    FullReward,
    /// r^x + V^x(s^x) − V(s), one advantage; V is fitted to G, V^x to G − r^x. What dynamic programming
    /// with post-decision states suggests: no noise of the step's own random half.
    ActionValue,
    /// As `split`, with one network for both critics, fitted to R + R^x = V(s) + V(s^x).
    SharedCritic,
    /// G − V₁(s) and G − V₂(s); both are fitted to G. PPO with two critics.
    TwoStateCritics,
    /// G − V(s), one advantage; V is fitted to G. PPO without a post-decision state.
    State,
}

impl Estimator {
    /// Whether steps must have a known deterministic half.
    pub(super) fn needs_post_decisions(self) -> bool {
        !matches!(self, Estimator::TwoStateCritics | Estimator::State)
    }

    /// Whether there is a second network for values.
    pub(super) fn second_critic(self) -> bool {
        !matches!(self, Estimator::SharedCritic | Estimator::State)
    }

    /// Whether critics are of the rewards of one half each.
    pub(super) fn splits_rewards(self) -> bool {
        matches!(self, Estimator::Split | Estimator::SharedCritic)
    }
}

/// How two advantages become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Combination {
    /// The larger one.
    #[default]
    Maximum,
    /// The smaller one.
    Minimum,
    /// Their mean.
    Mean,
}

impl Combination {
    /// One advantage from two.
    pub fn of(self, first: f32, second: f32) -> f32 {
        match self {
            Combination::Maximum => first.max(second),
            Combination::Minimum => first.min(second),
            Combination::Mean => 0.5 * (first + second),
        }
    }
}

/// Whose ratio π_θ/π_k is clipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RatioOf {
    /// That of each part of a multi-discrete action; surrogate and entropy are means over the parts.
    /// Other actions have one part.
    #[default]
    Parts,
    /// That of the whole action, as in PPO.
    Joint,
}

impl Default for Config {
    fn default() -> Self {
        let critic = NetworkConfig { hidden: vec![128, 128], ..NetworkConfig::default() };
        Config {
            steps: 400,
            epochs: 40,
            chunks: 5,
            discount: 0.9,
            estimator: Estimator::Split,
            combination: Combination::Maximum,
            bootstrap: false,
            standardise_returns: false,
            standardise_advantages: false,
            ratio: RatioOf::Parts,
            clip_range: 0.2,
            entropy_weight: 0.001,
            learning_rate: 5.5e-4,
            critic_learning_rate: 1e-3,
            adam_epsilon: 1e-8,
            max_gradient_norm: None,
            normalise_observations: false,
            normalise_rewards: false,
            network: NetworkConfig { activation: Activation::Relu, ..critic.clone() },
            critic_network: critic,
        }
    }
}

impl Config {
    pub(super) fn settings(&self) -> Settings<'_> {
        Settings {
            steps: self.steps,
            discount: self.discount,
            lambda: 1.0,
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
        let norm = self.max_gradient_norm.unwrap_or(1.0);
        self.settings().validate()?;
        self.critic_network.stack(1.0).validate("critic_network")?;
        require("epochs", self.epochs, self.epochs > 0, "at least 1")?;
        require("chunks", self.chunks, self.chunks > 0, "at least 1")?;
        let possible = !self.bootstrap || !self.estimator.splits_rewards();
        require("bootstrap", self.bootstrap, possible, "false where the estimator splits rewards")?;
        require("clip_range", self.clip_range, positive(self.clip_range), "above 0")?;
        require("entropy_weight", self.entropy_weight, not_negative(self.entropy_weight), "at least 0")?;
        require("learning_rate", self.learning_rate, not_negative(self.learning_rate), "at least 0")?;
        let rate = self.critic_learning_rate;
        require("critic_learning_rate", rate, not_negative(rate), "at least 0")?;
        require("adam_epsilon", self.adam_epsilon, positive(self.adam_epsilon), "above 0")?;
        require("max_gradient_norm", norm, positive(norm), "above 0")
    }

    fn learner<D: Device>(
        self,
        environment: Box<dyn BatchedEnvironment>,
        seed: Seed,
        device: D,
    ) -> Result<Box<dyn Learner>, Error> {
        Ok(Box::new(Pdppo::new(self, environment, seed, device)?))
    }
}
