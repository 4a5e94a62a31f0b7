//! SubPO's settings.

use assay_environments::{
    BatchedEnvironment,
    parameters::{ParameterError, require},
    random::Seed,
};
use serde::{Deserialize, Serialize};

use super::{Baseline, Estimator, SubPo};
use crate::{Error, Learner, catalogue::Configuration, policies::NetworkConfig, tensor::Device};

/// What the policy is to maximise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Objective {
    /// SubPO: the reward of the environment, which is the marginal gain of its set function.
    #[default]
    SetFunction,
    /// ModPO: Σ_h F({s_h}), which pays for a place at every visit. Evaluations still use the reward of
    /// the environment.
    Modular,
}

/// How the policy is represented.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyForm {
    /// A network of the observation. SubPO-M where that is step and place, SubPO-NM where it tells the
    /// history.
    #[default]
    Network,
    /// One logit for each step, place and action: SubPO-M.
    Tabular,
}

/// Settings of SubPO. Defaults: the authors' code, but for the estimator, which is the paper's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What is maximised.
    pub objective: Objective,
    /// What log-probabilities are weighted by. Paper: `full`; the code has `myopic`.
    pub estimator: Estimator,
    /// What is subtracted from it. Code: none.
    pub baseline: Baseline,
    /// How the policy is represented.
    pub policy: PolicyForm,
    /// Trajectories of one batch, which is one gradient step; a multiple of the environment's copies.
    /// 500.
    pub trajectories: usize,
    /// Step size of Adam, above 0. 0.01 for coverage; the code has 1e-3 to 2e-2.
    pub learning_rate: f64,
    /// Weight of the entropy bonus in the first iteration, at least 0; in iteration k it is divided by
    /// k, as in the code. 0.
    pub entropy_weight: f64,
    /// The form of the network. 64, 32, tanh.
    pub network: NetworkConfig,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            objective: Objective::SetFunction,
            estimator: Estimator::Full,
            baseline: Baseline::None,
            policy: PolicyForm::Network,
            trajectories: 500,
            learning_rate: 1e-2,
            entropy_weight: 0.0,
            network: NetworkConfig { hidden: vec![64, 32], ..NetworkConfig::default() },
        }
    }
}

impl Configuration for Config {
    fn validate(&self) -> Result<(), ParameterError> {
        let rate = self.learning_rate;
        let weight = self.entropy_weight;
        require("trajectories", self.trajectories, self.trajectories > 0, "at least 1")?;
        require("learning_rate", rate, rate > 0.0 && rate.is_finite(), "above 0")?;
        require("entropy_weight", weight, weight >= 0.0 && weight.is_finite(), "at least 0")?;
        self.network.validate()
    }

    fn learner<D: Device>(
        self,
        environment: Box<dyn BatchedEnvironment>,
        seed: Seed,
        device: D,
    ) -> Result<Box<dyn Learner>, Error> {
        Ok(Box::new(SubPo::new(self, environment, seed, device)?))
    }
}
