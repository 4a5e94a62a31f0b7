#![doc = include_str!("../../docs/pdppo.md")]

mod chunks;
mod config;
mod estimates;
#[cfg(test)]
mod tests;

pub use config::{Combination, Config, Estimator, RatioOf};

use assay_environments::{
    Actions, BatchedEnvironment, Space,
    random::{Seed, Stream},
};

use self::{
    chunks::{Chunk, Chunks, Experience},
    estimates::{Collected, Estimates},
};
use crate::{
    Checkpoint, Error, Learner, Mode, Report,
    on_policy::{ActorCritic, clipped_surrogate},
    optimisers::{Adam, AdamConfig},
    rollout::explained_variance,
    tensor::{Device, Operations, Recording, Scalar, backward},
    value_function::ValueFunction,
};

/// PPO with a critic of the state and one of the post-decision state.
pub struct Pdppo<D: Device> {
    config: Config,
    /// The policy, the state critic V and the running rollout.
    agent: ActorCritic<D>,
    /// The second critic: of the post-decision state, or another one of the state.
    second: Option<ValueFunction<D>>,
    policy_optimiser: Adam<D>,
    value_optimiser: Adam<D>,
    second_optimiser: Option<Adam<D>>,
    chunks: Chunks,
}

impl<D: Device> Pdppo<D> {
    /// The learner at its first step.
    ///
    /// # Errors
    /// [`Error::Parameter`] when the configuration is out of range; [`Error::Unsupported`] when the
    /// estimator needs post-decision states and the environment has none; [`Error::Device`] when the
    /// device fails.
    pub fn new(
        config: Config,
        environment: Box<dyn BatchedEnvironment>,
        seed: Seed,
        device: D,
    ) -> Result<Self, Error> {
        crate::catalogue::Configuration::validate(&config)?;
        let states = environment.observation_space().clone();
        let posts = environment.post_decision_space().cloned();
        let mut agent = ActorCritic::new(config.settings(), environment, seed, device)?;
        let critic = &config.critic_network;
        agent.value = ValueFunction::new(&agent.device, &states, critic, seed)?;
        let input = match config.estimator.second_critic() {
            _ if !config.estimator.needs_post_decisions() => {
                (config.estimator == Estimator::TwoStateCritics).then_some(states)
            }
            has_second => {
                let posts =
                    posts.ok_or_else(|| unsupported("steps with a known deterministic half", "none"))?;
                if !has_second {
                    check_same_input(&states, &posts)?;
                }
                agent = agent.with_post_decisions(posts.features());
                has_second.then_some(posts)
            }
        };
        let second = input
            .map(|space| ValueFunction::named("second_value", &agent.device, &space, critic, seed))
            .transpose()?;
        let adam = AdamConfig {
            epsilon: config.adam_epsilon,
            max_gradient_norm: config.max_gradient_norm,
            ..AdamConfig::default()
        };
        let policy_optimiser = Adam::new(adam, &agent.policy.parameters())?;
        let value_optimiser = Adam::new(adam, &[agent.value.parameters()])?;
        let second_optimiser = second.as_ref().map(|v| Adam::new(adam, &[v.parameters()])).transpose()?;
        let chunks = Chunks::new(config.chunks);
        Ok(Pdppo { config, agent, second, policy_optimiser, value_optimiser, second_optimiser, chunks })
    }

    /// The policy, the state critic and their experience.
    pub fn agent(&self) -> &ActorCritic<D> {
        &self.agent
    }

    /// The second critic, if there is one: of post-decision states, or with
    /// [`Estimator::TwoStateCritics`] of states.
    pub fn second_critic(&self) -> Option<&ValueFunction<D>> {
        self.second.as_ref()
    }

    /// The values of the second critic over the rollout; empty where there is none.
    fn second_values(&self) -> Vec<f32> {
        let rollout = &self.agent.rollout;
        let mut values = Vec::new();
        let (critic, observations) = match (&self.second, self.config.estimator) {
            (Some(critic), Estimator::TwoStateCritics) => (critic, &rollout.observations),
            (Some(critic), _) => (critic, &rollout.post_observations),
            (None, Estimator::SharedCritic) => (&self.agent.value, &rollout.post_observations),
            (None, _) => return values,
        };
        values.resize(rollout.len(), 0.0);
        critic.infer(observations, &mut values);
        values
    }

    /// The newest rollout as a chunk, with what the estimator makes of it.
    fn chunk(&mut self) -> Result<(Chunk, Estimates), Error> {
        let second_values = self.second_values();
        let agent = &mut self.agent;
        let estimates = Estimates::of(&self.config, Collected::of(&agent.rollout, &second_values));
        agent.rollout.advantages.copy_from_slice(&estimates.advantages);
        agent.rollout.returns.copy_from_slice(&estimates.returns);
        let batch = agent.batch()?;
        let log_probs = match self.config.ratio {
            RatioOf::Parts => batch.old.part_log_probs(&batch.actions),
            RatioOf::Joint => vec![batch.old.log_prob(&batch.actions)],
        };
        let rollout = &agent.rollout;
        let second_observations = match self.config.estimator {
            Estimator::TwoStateCritics => &rollout.observations,
            _ => &rollout.post_observations,
        };
        let chunk = Chunk {
            observations: rollout.observations.clone(),
            second_observations: second_observations.clone(),
            actions: rollout.actions.clone(),
            log_probs: log_probs.iter().map(|part| part.to_host()).collect(),
            advantages: estimates.advantages.clone(),
            returns: estimates.returns.clone(),
            second_returns: estimates.second_returns.clone(),
        };
        Ok((chunk, estimates))
    }

    /// The epochs of an iteration on all chunks that are kept.
    fn update(&mut self, experience: &Experience<D>) -> Result<Update, Error> {
        let mut update = Update::default();
        for _ in 0..self.config.epochs {
            let loss = policy_loss(&self.agent, experience, &self.config)?;
            let (loss, mut gradients) = backward(loss, "policy loss")?;
            let norm = self.policy_optimiser.step(
                &mut self.agent.policy.parameters_mut(),
                &mut gradients,
                self.config.learning_rate,
            )?;
            update.policy_loss += f64::from(loss);
            update.gradient_norm += f64::from(norm);
            let [value_loss, second_loss] = self.fit_critics(experience)?;
            update.value_loss += value_loss;
            update.second_loss += second_loss;
        }
        let epochs = self.config.epochs as f64;
        for sum in [
            &mut update.policy_loss,
            &mut update.gradient_norm,
            &mut update.value_loss,
            &mut update.second_loss,
        ] {
            *sum /= epochs;
        }
        Ok(update)
    }

    /// One gradient step of every critic; returns the losses before it.
    fn fit_critics(&mut self, experience: &Experience<D>) -> Result<[f64; 2], Error> {
        let rate = self.config.critic_learning_rate;
        let Experience { observations, second_observations, returns, second_returns, .. } = experience;
        let mean_square =
            |values: crate::tensor::Vector<D, Recording<D>>, targets| (values - targets).square().mean_all();
        match (self.config.estimator, &mut self.second, &mut self.second_optimiser, second_observations) {
            (Estimator::SharedCritic, _, _, Some(posts)) => {
                // One network, fitted to what both of its values should add up to.
                let value = &mut self.agent.value;
                let sum = value.record(observations.clone())? + value.record(posts.clone())?;
                let loss = mean_square(sum, returns.clone() + second_returns.clone());
                let (loss, mut gradients) = backward(loss, "critic loss")?;
                self.value_optimiser.step(&mut [value.parameters_mut()], &mut gradients, rate)?;
                Ok([f64::from(loss), f64::NAN])
            }
            (Estimator::FullReward, Some(second), Some(optimiser), Some(posts)) => {
                // Only the smaller value of each sample is fitted.
                let value = &mut self.agent.value;
                let smaller = second.record(posts.clone())?.minimum(value.record(observations.clone())?);
                let (loss, mut gradients) = backward(mean_square(smaller, returns.clone()), "critic loss")?;
                self.value_optimiser.step(&mut [value.parameters_mut()], &mut gradients, rate)?;
                optimiser.step(&mut [second.parameters_mut()], &mut gradients, rate)?;
                Ok([f64::from(loss), f64::NAN])
            }
            (_, second, second_optimiser, posts) => {
                let value = &mut self.agent.value;
                let loss = mean_square(value.record(observations.clone())?, returns.clone());
                let (loss, mut gradients) = backward(loss, "value loss")?;
                self.value_optimiser.step(&mut [value.parameters_mut()], &mut gradients, rate)?;
                let mut losses = [f64::from(loss), f64::NAN];
                if let (Some(second), Some(optimiser), Some(inputs)) = (second, second_optimiser, posts) {
                    let loss = mean_square(second.record(inputs.clone())?, second_returns.clone());
                    let (loss, mut gradients) = backward(loss, "second critic's loss")?;
                    optimiser.step(&mut [second.parameters_mut()], &mut gradients, rate)?;
                    losses[1] = f64::from(loss);
                }
                Ok(losses)
            }
        }
    }
}

fn unsupported(needed: &str, found: &str) -> Error {
    Error::Unsupported { algorithm: "pdppo", needed: needed.into(), found: found.into() }
}

/// Errors unless one critic can be fed with both observations.
fn check_same_input(states: &Space, posts: &Space) -> Result<(), Error> {
    let (states, posts) = (states.features(), posts.features());
    if states == posts {
        return Ok(());
    }
    let needed = "post-decision observations of as many features as observations, for the shared critic";
    Err(unsupported(needed, &format!("{posts} and {states}")))
}

/// −mean min(ρ A, clip(ρ) A) − c_e mean H, where ρ is that of each part of the action, and the means are
/// over parts too, or of the whole action.
fn policy_loss<D: Device>(
    agent: &ActorCritic<D>,
    experience: &Experience<D>,
    config: &Config,
) -> Result<Scalar<D, Recording<D>>, Error> {
    let distribution = agent.policy.record(experience.observations.clone())?;
    let entropy = (config.entropy_weight > 0.0).then(|| distribution.branch().entropy().mean_all());
    let log_probs = match config.ratio {
        RatioOf::Parts => distribution.part_log_probs(&experience.actions),
        RatioOf::Joint => vec![distribution.log_prob(&experience.actions)],
    };
    let share = 1.0 / log_probs.len() as f32;
    let surrogates = log_probs.into_iter().zip(&experience.log_probs).map(|(new, old)| {
        clipped_surrogate((new - old.clone()).exp(), &experience.advantages, config.clip_range)
    });
    // A policy has parts, so there is a sum.
    let mut objective = surrogates.reduce(std::ops::Add::add).expect("an action has parts") * share;
    if let Some(entropy) = entropy {
        objective = objective + entropy * (share * config.entropy_weight as f32);
    }
    Ok(objective.negate())
}

/// What an iteration's epochs average to.
#[derive(Default)]
struct Update {
    policy_loss: f64,
    value_loss: f64,
    second_loss: f64,
    gradient_norm: f64,
}

impl<D: Device> Learner for Pdppo<D> {
    fn advance(&mut self) -> Result<Report, Error> {
        self.agent.collect()?;
        let steps = self.steps();
        let (chunk, estimates) = self.chunk()?;
        let old_values = &self.agent.rollout.values;
        let explained_variance = explained_variance(old_values, &estimates.returns);
        self.chunks.push(chunk);

        let batch = self.agent.batch()?;
        let experience = self.chunks.experience(&self.agent.device, self.agent.rollout.len())?;
        let update = self.update(&experience).map_err(|e| e.after(steps))?;
        let change = self.agent.policy_change(&batch)?;

        Ok(Report {
            metrics: vec![
                ("policy_loss", update.policy_loss),
                ("value_loss", update.value_loss),
                ("second_value_loss", update.second_loss),
                ("entropy", change.entropy),
                ("mean_kl", change.kl_to_old),
                ("max_ratio", change.max_ratio),
                ("gradient_norm", update.gradient_norm),
                ("explained_variance", explained_variance),
                ("second_share", estimates.second_share),
                ("samples", experience.rows as f64),
            ],
            episodes: self.agent.rollout.episodes.clone(),
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
        if let (Some(second), Some(optimiser)) = (&self.second, &self.second_optimiser) {
            second.save(checkpoint);
            optimiser.save("second_value_optimiser", checkpoint)?;
        }
        self.chunks.save(checkpoint)
    }

    fn load(&mut self, checkpoint: &Checkpoint) -> Result<(), Error> {
        // First what may not fit without anything else noticing.
        let chunks = self.chunks.read(checkpoint, &self.agent.rollout)?;
        self.agent.load(checkpoint)?;
        self.policy_optimiser.load("policy_optimiser", checkpoint)?;
        self.value_optimiser.load("value_optimiser", checkpoint)?;
        if let (Some(second), Some(optimiser)) = (&mut self.second, &mut self.second_optimiser) {
            second.load(checkpoint)?;
            optimiser.load("second_value_optimiser", checkpoint)?;
        }
        self.chunks = chunks;
        Ok(())
    }
}
