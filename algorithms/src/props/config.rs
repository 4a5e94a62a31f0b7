//! Settings of PROPS and of ROS.

use assay_environments::{
    BatchedEnvironment,
    parameters::{ParameterError, require},
    random::Seed,
};
use serde::{Deserialize, Serialize};

use super::Props;
use crate::{Error, Learner, catalogue::Configuration, optimisers::Schedule, ppo, tensor::Device};

/// Settings of PROPS. The defaults are those of the authors' code for continuous control.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// PPO's settings; its `steps` are the n steps of a target batch. Where this table is given in part,
    /// the rest has PPO's own defaults. Authors' code, in its absence: 10⁻³ falling to 0, 32 minibatches,
    /// clipped values, entropy 0.01, a stop at a divergence of 0.03.
    pub ppo: ppo::Config,
    /// Target batches b in the buffer, the newest among them. Authors' code: 2.
    pub batches: usize,
    /// Steps m of each copy of the environment between updates of the behaviour policy; divides
    /// `ppo.steps`. Authors' code: 1024 where it is not tuned.
    pub behaviour_steps: usize,
    /// Passes over the buffer per update of the behaviour policy; with 0 it is the target policy, and the
    /// whole is PPO with a buffer. Authors' code: 16.
    pub epochs: usize,
    /// Minibatches per pass. Authors' code: 16.
    pub minibatches: usize,
    /// Step size of the behaviour policy's Adam, at least 0. Authors' code: 10⁻³, 10⁻⁴ or 10⁻⁵.
    pub learning_rate: f64,
    /// Range ε: an action's probability is pushed down until its ratio is below 1 − ε. Above 0. Authors'
    /// code: 0.3.
    pub clip_range: f64,
    /// Weight λ of the divergence between behaviour and target policy, at least 0. Authors' code: 0.1 or
    /// 0.3.
    pub kl_weight: f64,
    /// Which of the two policies comes first in that divergence. Paper: the target.
    pub kl_order: KlOrder,
    /// The update stops where the estimated divergence exceeds this δ, nats, above 0; absent for no such
    /// stop. Authors' code: 0.03, 0.05 or 0.1.
    pub kl_limit: Option<f64>,
    /// The gradient is scaled down to this norm, above 0; absent for no limit. Authors' code: 0.5.
    pub max_gradient_norm: Option<f64>,
    /// Whether each sample counts by the magnitude of its advantage over the deviation of all. Off; a
    /// variant of the authors' experiments.
    pub weigh_by_advantage: bool,
    /// Whether the sampling error is measured in every iteration.
    pub sampling_error: bool,
}

/// Which policy comes first in a divergence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KlOrder {
    /// KL(π_θ, π_φ), as in the paper.
    TargetFirst,
    /// KL(π_φ, π_θ), as in the authors' code for continuous control.
    BehaviourFirst,
}

/// PPO as the authors of PROPS use it for continuous control.
fn authors_ppo() -> ppo::Config {
    ppo::Config {
        learning_rate: Schedule::Linear { from: 1e-3, to: 0.0 },
        minibatch_size: 128,
        value_clip_range: Some(0.2),
        entropy_weight: 0.01,
        target_kl: Some(0.02),
        ..ppo::Config::default()
    }
}

impl Default for Config {
    fn default() -> Self {
        Config {
            ppo: authors_ppo(),
            batches: 2,
            behaviour_steps: 1024,
            epochs: 16,
            minibatches: 16,
            learning_rate: 1e-4,
            clip_range: 0.3,
            kl_weight: 0.1,
            kl_order: KlOrder::TargetFirst,
            kl_limit: Some(0.05),
            max_gradient_norm: Some(0.5),
            weigh_by_advantage: false,
            sampling_error: true,
        }
    }
}

/// Errors unless a behaviour policy that acts for so many steps fits the target batches.
fn validate_buffer(ppo: &ppo::Config, batches: usize, behaviour_steps: usize) -> Result<(), ParameterError> {
    ppo.validate()?;
    require("batches", batches, batches > 0, "at least 1")?;
    let divides = behaviour_steps > 0 && ppo.steps.is_multiple_of(behaviour_steps);
    let allowed = format!("a divisor of `ppo.steps`, {}", ppo.steps);
    require("behaviour_steps", behaviour_steps, divides, &allowed)
}

fn not_negative(x: f64) -> bool {
    x >= 0.0 && x.is_finite()
}

fn positive(x: f64) -> bool {
    x > 0.0 && x.is_finite()
}

impl Configuration for Config {
    fn validate(&self) -> Result<(), ParameterError> {
        validate_buffer(&self.ppo, self.batches, self.behaviour_steps)?;
        let (rate, norm) = (self.learning_rate, self.max_gradient_norm.unwrap_or(1.0));
        let limit = self.kl_limit.unwrap_or(1.0);
        require("minibatches", self.minibatches, self.minibatches > 0, "at least 1")?;
        require("learning_rate", rate, not_negative(rate), "at least 0")?;
        require("clip_range", self.clip_range, positive(self.clip_range), "above 0")?;
        require("kl_weight", self.kl_weight, not_negative(self.kl_weight), "at least 0")?;
        require("kl_limit", limit, positive(limit), "above 0")?;
        require("max_gradient_norm", norm, positive(norm), "above 0")
    }

    fn learner<D: Device>(
        self,
        environment: Box<dyn BatchedEnvironment>,
        seed: Seed,
        device: D,
    ) -> Result<Box<dyn Learner>, Error> {
        Ok(Box::new(Props::new(self, environment, seed, device)?))
    }
}

/// Settings of ROS, the predecessor (Zhong et al. 2022).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RosConfig {
    /// PPO's settings, as for PROPS.
    pub ppo: ppo::Config,
    /// Target batches in the buffer. 1: the batch that is being collected.
    pub batches: usize,
    /// Steps of each copy of the environment between updates of the behaviour policy; divides
    /// `ppo.steps`. Paper: 1.
    pub behaviour_steps: usize,
    /// Size α of the single gradient step from the target policy, at least 0. To be tuned: it is in units
    /// of the parameters over nats. The gradient of a Gaussian's log-density grows as 1/σ²: a narrow policy
    /// asks for far less. Here: 0.1.
    pub learning_rate: f64,
    /// Whether the sampling error is measured in every iteration.
    pub sampling_error: bool,
}

impl Default for RosConfig {
    fn default() -> Self {
        RosConfig {
            ppo: authors_ppo(),
            batches: 1,
            behaviour_steps: 1,
            learning_rate: 0.1,
            sampling_error: true,
        }
    }
}

impl Configuration for RosConfig {
    fn validate(&self) -> Result<(), ParameterError> {
        validate_buffer(&self.ppo, self.batches, self.behaviour_steps)?;
        let rate = self.learning_rate;
        require("learning_rate", rate, not_negative(rate), "at least 0")
    }

    fn learner<D: Device>(
        self,
        environment: Box<dyn BatchedEnvironment>,
        seed: Seed,
        device: D,
    ) -> Result<Box<dyn Learner>, Error> {
        Ok(Box::new(Props::with_ros(self, environment, seed, device)?))
    }
}
