//! What on-policy learners with a policy and a value function have in common.
//!
//! The order of an iteration is theirs to write down; the pieces are here: collect a batch, judge
//! the new policy against the old one, act, save and load.

use assay_environments::{
    Actions, BatchedEnvironment,
    parameters::{ParameterError, require},
    random::{Seed, Stream},
};

use crate::{
    Checkpoint, Error, Mode,
    policies::{Distribution, NetworkConfig, Policy},
    rollout::{Collector, Normalisation, Rollout},
    tensor::{Device, Matrix, Operations, Recording, Scalar, Tape, Vector},
    value_function::ValueFunction,
};

/// What an [`ActorCritic`] is built from.
#[derive(Clone, Copy, Debug)]
pub struct Settings<'a> {
    /// Steps of each copy of the environment in one iteration.
    pub steps: usize,
    /// Discount γ, from 0 to 1.
    pub discount: f64,
    /// Weight λ of generalised advantage estimation, from 0 to 1.
    pub lambda: f64,
    /// Whether observations are normalised by their running mean and deviation.
    pub normalise_observations: bool,
    /// Whether rewards are divided by the running deviation of the discounted return.
    pub normalise_rewards: bool,
    /// The form of both networks.
    pub network: &'a NetworkConfig,
}

impl Settings<'_> {
    /// Errors when a setting is out of its range. The fields are called in a configuration as they
    /// are here.
    pub fn validate(&self) -> Result<(), ParameterError> {
        let unit = 0.0..=1.0;
        require("steps", self.steps, self.steps > 0, "at least 1")?;
        require("discount", self.discount, unit.contains(&self.discount), "0 to 1")?;
        require("lambda", self.lambda, unit.contains(&self.lambda), "0 to 1")?;
        self.network.validate()
    }
}

/// A policy, a value function, and the experience that they learn from.
pub struct ActorCritic<D: Device> {
    /// Where the networks live.
    pub device: D,
    /// The environments.
    pub collector: Collector,
    /// The current batch.
    pub rollout: Rollout,
    /// π_θ.
    pub policy: Policy<D>,
    /// V_φ.
    pub value: ValueFunction<D>,
    discount: f64,
    lambda: f64,
}

/// A rollout on the device, with the policy as it is at the start of the update.
pub struct Batch<D: Device> {
    /// Rows × observation features.
    pub observations: Matrix<D>,
    /// Rows × action features.
    pub actions: Matrix<D>,
    /// Log-probabilities of the actions under the policy that took them: (rows).
    pub log_probs: Vector<D>,
    /// Advantage estimates: (rows).
    pub advantages: Vector<D>,
    /// π_k in every state.
    pub old: Distribution<D>,
}

impl<D: Device> Batch<D> {
    /// The ratios π_θ(a|s)/π_k(a|s) of the actions taken: (rows).
    pub fn ratios<T: Tape<D>>(&self, policy: Distribution<D, T>) -> Vector<D, T> {
        (policy.log_prob(&self.actions) - self.log_probs.clone()).exp()
    }
}

/// How far an update moved the policy, over the states of the batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PolicyChange {
    /// Mean of KL(π_new, π_old), in closed form, nats.
    pub kl_to_old: f64,
    /// Mean of KL(π_old, π_new), in closed form, nats.
    pub kl_from_old: f64,
    /// The largest π_new(a|s)/π_old(a|s) of the actions taken.
    pub max_ratio: f64,
    /// Mean entropy of the new policy, nats.
    pub entropy: f64,
}

impl<D: Device> ActorCritic<D> {
    /// Everything at its first step; all randomness derives from `seed`.
    ///
    /// # Errors
    /// [`Error::Device`] when the device's memory is exhausted.
    pub fn new(
        settings: Settings<'_>,
        environment: Box<dyn BatchedEnvironment>,
        seed: Seed,
        device: D,
    ) -> Result<Self, Error> {
        let (observations, actions) = (environment.observation_space(), environment.action_space());
        let policy = Policy::new(&device, observations, actions, settings.network, seed)?;
        let value = ValueFunction::new(&device, observations, settings.network, seed)?;
        let normalisation = Normalisation::new(
            settings.normalise_observations,
            settings.normalise_rewards,
            observations.features(),
            environment.copies(),
            settings.discount,
        );
        let rollout = Rollout::new(&*environment, settings.steps);
        Ok(ActorCritic {
            device,
            collector: Collector::new(environment, normalisation, seed),
            rollout,
            policy,
            value,
            discount: settings.discount,
            lambda: settings.lambda,
        })
    }

    /// The same, collecting post-decision states of so many features too.
    pub fn with_post_decisions(mut self, features: usize) -> Self {
        self.rollout = self.rollout.with_post_decisions(features);
        self.collector = self.collector.with_post_decisions(features);
        self
    }

    /// Fills the rollout: the policy acts, the value function judges, advantages are estimated.
    ///
    /// # Errors
    /// [`Error::NonFinite`] when an action is not finite; those of the environment.
    pub fn collect(&mut self) -> Result<(), Error> {
        self.collector.collect(&self.policy, &mut self.rollout)?;
        self.evaluate();
        Ok(())
    }

    /// Judges the rollout as it is: the value function's values, advantages and returns.
    pub fn evaluate(&mut self) {
        let ActorCritic { rollout, value, .. } = self;
        rollout.evaluate(|observations, values| value.infer(observations, values));
        rollout.estimate_advantages(self.discount, self.lambda);
    }

    /// The whole rollout, as a policy's objective sees it.
    ///
    /// # Errors
    /// [`Error::Device`] when the device's memory is exhausted.
    pub fn batch(&self) -> Result<Batch<D>, Error> {
        let (device, rollout) = (&self.device, &self.rollout);
        let rows = rollout.len();
        let observations = device.matrix(&rollout.observations, rows, rollout.observation_features())?;
        Ok(Batch {
            old: self.policy.distribution(observations.clone())?,
            observations,
            actions: device.matrix(&rollout.actions, rows, rollout.action_features())?,
            log_probs: device.vector(&rollout.log_probs)?,
            advantages: device.vector(&rollout.advantages)?,
        })
    }

    /// How the policy differs now from the one that the batch was taken from.
    ///
    /// # Errors
    /// [`Error::Device`] when the device fails.
    pub fn policy_change(&self, batch: &Batch<D>) -> Result<PolicyChange, Error> {
        let new = self.policy.distribution(batch.observations.clone())?;
        let mean = |x: Vector<D>| f64::from(x.mean_all().to_host()[0]);
        let log_ratios = (new.clone().log_prob(&batch.actions) - batch.log_probs.clone()).to_host();
        Ok(PolicyChange {
            kl_to_old: mean(new.clone().kl_to(&batch.old)),
            kl_from_old: mean(new.clone().kl_from(&batch.old)),
            max_ratio: f64::from(log_ratios.into_iter().fold(f32::NEG_INFINITY, f32::max)).exp(),
            entropy: mean(new.entropy()),
        })
    }

    /// What [`Learner::act`](crate::Learner::act) asks for: normalisation is frozen.
    ///
    /// # Errors
    /// [`Error::Environment`] when `actions` is not a buffer for one action per row;
    /// [`Error::NonFinite`] when an action is not finite.
    pub fn act(
        &self,
        observations: &[f32],
        mode: Mode,
        rng: &mut Stream,
        actions: &mut Actions,
    ) -> Result<(), Error> {
        let space = self.collector.environment().action_space();
        space.check_buffer(actions, observations.len() / self.rollout.observation_features())?;
        let mut observations = observations.to_vec();
        self.collector.normalisation().normalise(&mut observations);
        let acted = self.policy.act(&observations, mode, rng, actions, None, &mut Vec::new());
        acted.map_err(|e| e.after(self.collector.steps()))?;
        space.clip(actions);
        Ok(())
    }

    /// Writes environments, normalisation and networks. The rollout is not part of the state: every
    /// iteration fills it anew.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] when something cannot be stored.
    pub fn save(&self, checkpoint: &mut Checkpoint) -> Result<(), Error> {
        self.collector.save(checkpoint)?;
        self.policy.save(checkpoint);
        self.value.save(checkpoint);
        Ok(())
    }

    /// Puts a saved state back.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] when something is absent or does not fit.
    pub fn load(&mut self, checkpoint: &Checkpoint) -> Result<(), Error> {
        self.collector.load(checkpoint)?;
        self.policy.load(checkpoint)?;
        self.value.load(checkpoint)
    }
}

/// Mean of min(ρ Â, clip(ρ, 1 − ε, 1 + ε) Â) (Schulman et al. 2017, arXiv 1707.06347, equation 7).
pub(crate) fn clipped_surrogate<D: Device>(
    ratio: Vector<D, Recording<D>>,
    advantages: &Vector<D>,
    clip_range: f64,
) -> Scalar<D, Recording<D>> {
    let plain = ratio.branch() * advantages.clone();
    let clipped = ratio.clamp(1.0 - clip_range, 1.0 + clip_range) * advantages.clone();
    clipped.minimum(plain).mean_all()
}

#[cfg(test)]
pub(crate) mod tests;
