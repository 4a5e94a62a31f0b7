#![doc = include_str!("../docs/reinforce.md")]

use assay_environments::{
    Actions, BatchedEnvironment,
    parameters::{ParameterError, require},
    random::{Seed, Stream},
};
use serde::{Deserialize, Serialize};

use crate::{
    Checkpoint, Error, Learner, Mode, Report,
    catalogue::Configuration,
    on_policy::{ActorCritic, Batch, Settings},
    optimisers::{Adam, AdamConfig, Schedule},
    policies::{NetworkConfig, Policy},
    rollout::{MinibatchOrder, explained_variance, standardise},
    tensor::{Device, Operations, Recording, Scalar, backward},
    value_function::Regression,
};

/// Settings of REINFORCE. The paper has no experiments to take them from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Steps of each copy of the environment per iteration, which is one gradient step. 500.
    pub steps: usize,
    /// Discount γ, 0 to 1. 0.99.
    pub discount: f64,
    /// Step size of the policy's Adam, at least 0. 3e-3: there is but one step per batch.
    pub learning_rate: Schedule,
    /// Weight of the entropy bonus, at least 0. 0.
    pub entropy_weight: f64,
    /// Whether advantages are standardised over the batch. On.
    pub normalise_advantages: bool,
    /// The policy's gradient is scaled down to this norm, above 0; absent for no limit. 0.5.
    pub max_gradient_norm: Option<f64>,
    /// Environment steps over which the schedule runs. A million.
    pub total_steps: u64,
    /// Passes over the batch to fit the baseline. 10.
    pub value_epochs: usize,
    /// Samples per gradient step of the baseline. 64.
    pub value_minibatch_size: usize,
    /// Step size of the baseline's Adam, at least 0. 1e-3.
    pub value_learning_rate: f64,
    /// Adam's ε, above 0. 1e-5.
    pub adam_epsilon: f64,
    /// Whether observations are normalised by their running mean and deviation. Off.
    pub normalise_observations: bool,
    /// Whether rewards are divided by the running deviation of the discounted return. Off.
    pub normalise_rewards: bool,
    /// The form of both networks. 64, 64, tanh.
    pub network: NetworkConfig,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            steps: 500,
            discount: 0.99,
            learning_rate: Schedule::Constant(3e-3),
            entropy_weight: 0.0,
            normalise_advantages: true,
            max_gradient_norm: Some(0.5),
            total_steps: 1_000_000,
            value_epochs: 10,
            value_minibatch_size: 64,
            value_learning_rate: 1e-3,
            adam_epsilon: 1e-5,
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
            lambda: 1.0,
            normalise_observations: self.normalise_observations,
            normalise_rewards: self.normalise_rewards,
            network: &self.network,
        }
    }

    fn regression(&self) -> Regression {
        Regression {
            epochs: self.value_epochs,
            minibatch_size: self.value_minibatch_size,
            learning_rate: self.value_learning_rate,
            clip: None,
        }
    }
}

impl Configuration for Config {
    fn validate(&self) -> Result<(), ParameterError> {
        let positive = |x: f64| x > 0.0 && x.is_finite();
        let not_negative = |x: f64| x >= 0.0 && x.is_finite();
        let norm = self.max_gradient_norm.unwrap_or(1.0);
        self.settings().validate()?;
        self.learning_rate.validate("learning_rate", not_negative, "at least 0")?;
        require("entropy_weight", self.entropy_weight, not_negative(self.entropy_weight), "at least 0")?;
        require("max_gradient_norm", norm, positive(norm), "above 0")?;
        require("total_steps", self.total_steps, self.total_steps > 0, "at least 1")?;
        require("adam_epsilon", self.adam_epsilon, positive(self.adam_epsilon), "above 0")?;
        self.regression().validate()
    }

    fn learner<D: Device>(
        self,
        environment: Box<dyn BatchedEnvironment>,
        seed: Seed,
        device: D,
    ) -> Result<Box<dyn Learner>, Error> {
        Ok(Box::new(Reinforce::new(self, environment, seed, device)?))
    }
}

/// REINFORCE with a learned baseline.
pub struct Reinforce<D: Device> {
    config: Config,
    agent: ActorCritic<D>,
    policy_optimiser: Adam<D>,
    value_optimiser: Adam<D>,
    order: MinibatchOrder,
}

impl<D: Device> Reinforce<D> {
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
        let value_adam = AdamConfig { epsilon: config.adam_epsilon, ..AdamConfig::default() };
        let policy_adam = AdamConfig { max_gradient_norm: config.max_gradient_norm, ..value_adam };
        let policy_optimiser = Adam::new(policy_adam, &agent.policy.parameters())?;
        let value_optimiser = Adam::new(value_adam, &[agent.value.parameters()])?;
        let order = MinibatchOrder::new(seed);
        Ok(Reinforce { config, agent, policy_optimiser, value_optimiser, order })
    }

    /// The policy, the value function and their experience.
    pub fn agent(&self) -> &ActorCritic<D> {
        &self.agent
    }

    /// One step up the policy gradient; returns the loss before it and the gradient's norm.
    fn update_policy(&mut self, batch: &Batch<D>, learning_rate: f64) -> Result<(f64, f64), Error> {
        let Reinforce { config, agent, policy_optimiser, .. } = self;
        let loss = loss(&agent.policy, batch, config.entropy_weight)?;
        let (loss, mut gradients) = backward(loss, "policy loss")?;
        let modules = &mut agent.policy.parameters_mut();
        let norm = policy_optimiser.step(modules, &mut gradients, learning_rate)?;
        Ok((f64::from(loss), f64::from(norm)))
    }
}

/// −mean[ log π_θ(a|s) Â ] − c_e mean H(π_θ).
fn loss<D: Device>(
    policy: &Policy<D>,
    batch: &Batch<D>,
    entropy_weight: f64,
) -> Result<Scalar<D, Recording<D>>, Error> {
    let distribution = policy.record(batch.observations.clone())?;
    let entropy = (entropy_weight > 0.0).then(|| distribution.branch().entropy().mean_all());
    let log_probs = distribution.log_prob(&batch.actions);
    let loss = (log_probs * batch.advantages.clone()).mean_all().negate();
    Ok(match entropy {
        Some(entropy) => loss - entropy * entropy_weight as f32,
        None => loss,
    })
}

impl<D: Device> Learner for Reinforce<D> {
    fn advance(&mut self) -> Result<Report, Error> {
        let progress = self.steps() as f64 / self.config.total_steps as f64;
        let learning_rate = self.config.learning_rate.at(progress);

        self.agent.collect()?;
        let steps = self.steps();
        let rollout = &mut self.agent.rollout;
        let explained_variance = explained_variance(&rollout.values, &rollout.returns);
        if self.config.normalise_advantages {
            standardise(&mut rollout.advantages);
        }

        let batch = self.agent.batch()?;
        let (policy_loss, gradient_norm) =
            self.update_policy(&batch, learning_rate).map_err(|e| e.after(steps))?;
        let change = self.agent.policy_change(&batch)?;

        let Reinforce { config, agent, value_optimiser, order, .. } = self;
        let value_loss = agent
            .value
            .fit(value_optimiser, &agent.rollout, order, config.regression())
            .map_err(|e| e.after(steps))?;

        Ok(Report {
            metrics: vec![
                ("policy_loss", policy_loss),
                ("value_loss", value_loss),
                ("entropy", change.entropy),
                ("mean_kl", change.kl_to_old),
                ("max_ratio", change.max_ratio),
                ("gradient_norm", gradient_norm),
                ("explained_variance", explained_variance),
                ("learning_rate", learning_rate),
            ],
            episodes: agent.rollout.episodes.clone(),
        })
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
        self.policy_optimiser.save("policy_optimiser", checkpoint)?;
        self.value_optimiser.save("value_optimiser", checkpoint)?;
        self.order.save(checkpoint)
    }

    fn load(&mut self, checkpoint: &Checkpoint) -> Result<(), Error> {
        self.agent.load(checkpoint)?;
        self.policy_optimiser.load("policy_optimiser", checkpoint)?;
        self.value_optimiser.load("value_optimiser", checkpoint)?;
        self.order.load(checkpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::on_policy::tests::{assert_policy_gradient, moved_agent};

    #[test]
    fn the_gradient_of_the_loss_agrees_with_finite_differences() {
        for continuous in [false, true] {
            for entropy_weight in [0.0, 0.3] {
                let (mut agent, batch, mut rng) = moved_agent(continuous, 1);
                assert_policy_gradient(&mut agent, &mut rng, |agent| {
                    loss(&agent.policy, &batch, entropy_weight).unwrap()
                });
            }
        }
    }
}
