#![doc = include_str!("../../docs/props.md")]

mod behaviour;
mod config;
mod measure;
pub mod tabular;
#[cfg(test)]
mod tests;

pub use config::{Config, KlOrder, RosConfig};

use std::ops::Range;

use assay_environments::{
    Actions, BatchedEnvironment,
    random::{Seed, Stream},
};

use self::{
    behaviour::{Adaptation, Behaviour},
    measure::SamplingError,
};
use crate::{
    Checkpoint, Error, Learner, Mode, Report,
    catalogue::Configuration,
    on_policy::ActorCritic,
    ppo::Ppo,
    rollout::Rollout,
    tensor::{Device, Operations},
};

/// PPO on a buffer of the newest batches, which a behaviour policy keeps close to on-policy: PROPS, ROS,
/// or without updates of the behaviour policy PPO with a buffer.
pub struct Props<D: Device> {
    /// The target policy, its value function and its update; its rollout is the buffer.
    ppo: Ppo<D>,
    behaviour: Behaviour<D>,
    /// Steps of each copy in the buffer at most, b n.
    capacity: usize,
    /// Steps of each copy between updates of the behaviour policy, m.
    behaviour_steps: usize,
    sampling_error: Option<SamplingError>,
}

impl<D: Device> Props<D> {
    /// PROPS at its first step.
    ///
    /// # Errors
    /// [`Error::Parameter`] when the configuration is out of range; [`Error::Unsupported`] when the
    /// sampling error is to be measured of a policy whose standard deviations are functions of the state;
    /// [`Error::Device`] when the device fails.
    pub fn new(
        config: Config,
        environment: Box<dyn BatchedEnvironment>,
        seed: Seed,
        device: D,
    ) -> Result<Self, Error> {
        config.validate()?;
        let ppo = Ppo::new(config.ppo.clone(), environment, seed, device)?;
        let behaviour = Behaviour::props(&ppo.agent.policy, &config, seed)?;
        Self::of(ppo, behaviour, config.batches, config.behaviour_steps, config.sampling_error)
    }

    /// ROS at its first step.
    ///
    /// # Errors
    /// Those of [`new`](Self::new).
    pub fn with_ros(
        config: RosConfig,
        environment: Box<dyn BatchedEnvironment>,
        seed: Seed,
        device: D,
    ) -> Result<Self, Error> {
        config.validate()?;
        let ppo = Ppo::new(config.ppo, environment, seed, device)?;
        let behaviour = Behaviour::ros(&ppo.agent.policy, config.learning_rate)?;
        Self::of(ppo, behaviour, config.batches, config.behaviour_steps, config.sampling_error)
    }

    fn of(
        mut ppo: Ppo<D>,
        behaviour: Behaviour<D>,
        batches: usize,
        behaviour_steps: usize,
        sampling_error: bool,
    ) -> Result<Self, Error> {
        let environment = ppo.agent.collector.environment();
        let (observations, actions) = (environment.observation_space(), environment.action_space());
        let sampling_error = sampling_error.then(|| SamplingError::new(observations, actions));
        if sampling_error == Some(SamplingError::LastLayer) {
            // Says at once what it would say after the first iteration.
            let (state, action) = (vec![0.0; observations.features()], vec![0.0; actions.features()]);
            ppo.agent.policy.likelihood_gain(&state, &action)?;
        }
        let empty = Rollout::new(environment, 0);
        let normalises = ppo.config.normalise_observations || ppo.config.normalise_rewards;
        ppo.agent.rollout = if normalises { empty.with_raw() } else { empty };
        let capacity = batches * ppo.config.steps;
        Ok(Props { ppo, behaviour, capacity, behaviour_steps, sampling_error })
    }

    /// The target policy, its value function and the buffer.
    pub fn agent(&self) -> &ActorCritic<D> {
        &self.ppo.agent
    }

    /// Lets the behaviour policy act for m steps; the buffer forgets its oldest ones. The new samples get
    /// the log-probabilities of the target policy, which learns from them as if it had drawn them.
    fn collect(&mut self) -> Result<(), Error> {
        let ActorCritic { collector, rollout, policy, .. } = &mut self.ppo.agent;
        let rows = rollout.extend(self.behaviour_steps, self.capacity);
        collector.collect_rows(&self.behaviour.policy, rollout, rows.clone())?;
        if self.behaviour.is(policy) { Ok(()) } else { self.judge(rows) }
    }

    /// log π_θ of the actions in these rows of the buffer.
    fn judge(&mut self, rows: Range<usize>) -> Result<(), Error> {
        let ActorCritic { device, rollout, policy, .. } = &mut self.ppo.agent;
        let (features, action_features) = (rollout.observation_features(), rollout.action_features());
        let observations = &rollout.observations[rows.start * features..rows.end * features];
        let actions = &rollout.actions[rows.start * action_features..rows.end * action_features];
        let distribution = policy.distribution(device.matrix(observations, rows.len(), features)?)?;
        let log_probs = distribution.log_prob(&device.matrix(actions, rows.len(), action_features)?);
        rollout.log_probs[rows].copy_from_slice(&log_probs.to_host());
        Ok(())
    }

    /// Starts the behaviour policy again at the target policy and adapts it to what the buffer will hold
    /// beside its next samples: all of it but what it will forget then.
    fn adapt(&mut self) -> Result<Adaptation, Error> {
        if self.behaviour.weighs_by_advantage() {
            self.ppo.agent.evaluate();
        }
        let steps = self.ppo.steps();
        let ActorCritic { device, rollout, policy, .. } = &self.ppo.agent;
        let room = self.capacity * rollout.copies - rollout.len();
        let forgotten = (self.behaviour_steps * rollout.copies).saturating_sub(room);
        self.behaviour.adapt(policy, device, rollout, forgotten..rollout.len()).map_err(|e| e.after(steps))
    }

    /// Mean of KL(π_φ, π_θ) over the states of the buffer, in closed form, nats.
    fn divergence(&self) -> Result<f64, Error> {
        let ActorCritic { device, rollout, policy, .. } = &self.ppo.agent;
        let observations =
            device.matrix(&rollout.observations, rollout.len(), rollout.observation_features())?;
        let target = policy.distribution(observations.clone())?;
        let behaviour = self.behaviour.policy.distribution(observations)?;
        Ok(f64::from(behaviour.kl_to(&target).mean_all().to_host()[0]))
    }
}

impl<D: Device> Learner for Props<D> {
    fn advance(&mut self) -> Result<Report, Error> {
        let progress = self.ppo.progress();
        self.ppo.agent.rollout.episodes.clear();

        // A target batch, during which the behaviour policy is adapted several times.
        let mut adaptation = Adaptation::default();
        self.collect()?;
        for _ in 1..self.ppo.config.steps / self.behaviour_steps {
            adaptation += self.adapt()?;
            self.collect()?;
        }

        // PPO on the whole buffer, as if the target policy had collected it.
        let agent = &mut self.ppo.agent;
        let error = match &self.sampling_error {
            Some(measure) => Some(measure.of(&agent.policy, &agent.rollout)?),
            None => None,
        };
        agent.evaluate();
        let mut report = self.ppo.learn(progress)?;

        // The new target policy sees old samples on its own scale and gives them its own probabilities.
        let agent = &mut self.ppo.agent;
        agent.collector.normalise_again(&mut agent.rollout);
        self.judge(0..self.ppo.agent.rollout.len())?;
        adaptation += self.adapt()?;

        report.metrics.extend(error.map(|error| ("sampling_error", error)));
        let updates = adaptation.updates.max(1.0);
        report.metrics.extend([
            ("samples", self.ppo.agent.rollout.len() as f64),
            ("behaviour_loss", adaptation.loss / updates),
            ("behaviour_kl", self.divergence()?),
            ("behaviour_clip_fraction", adaptation.clip_fraction / updates),
            ("behaviour_updates", adaptation.updates),
        ]);
        Ok(report)
    }

    fn steps(&self) -> u64 {
        self.ppo.steps()
    }

    fn act(
        &self,
        observations: &[f32],
        mode: Mode,
        rng: &mut Stream,
        actions: &mut Actions,
    ) -> Result<(), Error> {
        self.ppo.act(observations, mode, rng, actions)
    }

    fn save(&self, checkpoint: &mut Checkpoint) -> Result<(), Error> {
        self.ppo.save(checkpoint)?;
        self.behaviour.save(checkpoint)?;
        checkpoint.put_record("buffer", &self.ppo.agent.rollout)
    }

    fn load(&mut self, checkpoint: &Checkpoint) -> Result<(), Error> {
        // First what may not fit without anything else noticing.
        let buffer: Rollout = checkpoint.record("buffer")?;
        let rows = self.capacity * self.ppo.agent.rollout.copies;
        if buffer.len() > rows || !buffer.has_form_of(&self.ppo.agent.rollout) {
            let reason = format!("its buffer of {} samples has another form", buffer.len());
            return Err(Error::Checkpoint { reason });
        }
        self.ppo.load(checkpoint)?;
        self.behaviour.load(checkpoint)?;
        self.ppo.agent.rollout = buffer;
        Ok(())
    }
}
