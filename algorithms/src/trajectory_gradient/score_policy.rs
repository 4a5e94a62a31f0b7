//! Policies by their scores ∇ log π and the derivatives of those.

use assay_environments::{
    Actions, BatchedEnvironment, Space,
    parameters::{ParameterError, require},
    random::{Seed, Stream},
};
use serde::{Deserialize, Serialize};

use super::{LinearGaussian, NetworkPolicy, TabularSoftmax, Trajectory};
use crate::{Error, Mode, policies::NetworkConfig, tensor::Device};

/// A policy π_θ with a flat parameter vector θ, twice differentiable in it.
///
/// Methods here look at policies at several points θ in one iteration, so the point is something
/// that a policy is moved to, and vectors in parameter space belong to the method.
pub trait ScorePolicy {
    /// How many parameters there are.
    fn dimension(&self) -> usize;

    /// θ_0.
    fn initial_parameters(&self) -> Vec<f64>;

    /// Moves the policy to θ (dimension).
    fn move_to(&mut self, parameters: &[f64]);

    /// Chooses an action for every row of `observations` (rows × features). `actions` is a buffer
    /// for that many actions of the policy's space.
    ///
    /// # Errors
    /// [`Error::NonFinite`] when the policy has diverged.
    fn act(
        &self,
        observations: &[f32],
        mode: Mode,
        rng: &mut Stream,
        actions: &mut Actions,
    ) -> Result<(), Error>;

    /// Writes log π_θ(a_t|s_t) for every step t.
    fn log_probs(&mut self, trajectory: &Trajectory, log_probs: &mut [f64]);

    /// Adds Σ_t w_t ∇ log π_θ(a_t|s_t) to `gradient`; one weight per step.
    fn add_score(&mut self, trajectory: &Trajectory, weights: &[f64], gradient: &mut [f64]);

    /// Adds Σ_t w_t ∇ log π_θ(a_t|s_t) to `gradient` and Σ_t w_t ∇² log π_θ(a_t|s_t) v to `product`,
    /// and returns ⟨Σ_t ∇ log π_θ(a_t|s_t), v⟩, for the direction v (dimension). One pass: memory and
    /// time are those of a few gradients, whatever the dimension.
    fn add_curvature(
        &mut self,
        trajectory: &Trajectory,
        weights: &[f64],
        direction: &[f64],
        gradient: &mut [f64],
        product: &mut [f64],
    ) -> f64;
}

/// The form of a policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyForm {
    /// Tabular softmax where observations and actions are discrete, else a network.
    #[default]
    Auto,
    /// One logit for each state and action; for discrete observations and actions.
    TabularSoftmax,
    /// The mean is linear in the observation, the variance fixed; for real actions.
    LinearGaussian,
    /// A network: softmax for discrete actions, Gaussian for real ones.
    Network,
}

/// A policy's form and settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PolicyConfig {
    /// What θ parametrises.
    pub form: PolicyForm,
    /// Standard deviation σ of the linear Gaussian policy, above 0; it is never learned. 0.5.
    pub standard_deviation: f64,
    /// Whether a network's standard deviations are learned, where they do not depend on the state.
    /// Off: with a fixed variance the Fisher information cannot vanish.
    pub learn_standard_deviation: bool,
    /// The form of the network. 8, 8, tanh, as in the code of Huang et al. 2020 for CartPole.
    pub network: NetworkConfig,
}

impl Default for PolicyConfig {
    fn default() -> Self {
        PolicyConfig {
            form: PolicyForm::Auto,
            standard_deviation: 0.5,
            learn_standard_deviation: false,
            network: NetworkConfig { hidden: vec![8, 8], ..NetworkConfig::default() },
        }
    }
}

impl PolicyConfig {
    /// Errors when a setting is out of its range.
    pub fn validate(&self) -> Result<(), ParameterError> {
        let deviation = self.standard_deviation;
        let positive = deviation > 0.0 && deviation.is_finite();
        require("policy.standard_deviation", deviation, positive, "above 0")?;
        self.network.validate()?;
        let noise = self.network.state_dependent_noise.is_some();
        let allowed = "absent: scores are those of independent noise";
        require("policy.network.state_dependent_noise", "given", !noise, allowed)
    }

    /// The policy for the spaces of `environment`. A network's weights are drawn from `seed`.
    ///
    /// # Errors
    /// [`Error::Unsupported`] when the form does not fit the spaces; [`Error::Device`] when the
    /// device's memory is exhausted.
    pub fn policy<D: Device>(
        &self,
        environment: &dyn BatchedEnvironment,
        seed: Seed,
        device: D,
    ) -> Result<Box<dyn ScorePolicy>, Error> {
        let (observations, actions) = (environment.observation_space(), environment.action_space());
        let unfit = |needed: &str| Error::Unsupported {
            algorithm: "a policy gradient",
            needed: needed.into(),
            found: format!("observations in {observations}, actions in {actions}"),
        };
        Ok(match (self.form, observations, actions) {
            (
                PolicyForm::Auto | PolicyForm::TabularSoftmax,
                Space::Discrete { n: states },
                Space::Discrete { n },
            ) => Box::new(TabularSoftmax::new(*states, *n)),
            (PolicyForm::TabularSoftmax, ..) => {
                return Err(unfit("discrete observations and actions for a tabular policy"));
            }
            (PolicyForm::LinearGaussian, _, Space::Box { low, .. }) => {
                Box::new(LinearGaussian::new(observations, low.len(), self.standard_deviation))
            }
            (PolicyForm::LinearGaussian, ..) => {
                return Err(unfit("real actions for a linear Gaussian policy"));
            }
            (PolicyForm::Auto | PolicyForm::Network, ..) => {
                Box::new(NetworkPolicy::new(&device, observations, actions, self, seed)?)
            }
        })
    }
}
