//! The behaviour policy, and the two ways in which it is adapted to the data.

use std::ops::Range;

use assay_environments::random::Seed;

use super::{Config, KlOrder};
use crate::{
    Checkpoint, Error,
    on_policy::clipped_surrogate,
    optimisers::{Adam, AdamConfig, Sgd, SgdConfig},
    policies::Policy,
    rollout::{Minibatch, MinibatchOrder, Rollout},
    tensor::{Device, Operations, Recording, Scalar, backward},
};

/// π_φ, which collects.
pub(super) struct Behaviour<D: Device> {
    pub(super) policy: Policy<D>,
    rule: Rule<D>,
    /// φ and θ, to compare and to copy.
    own: Vec<f32>,
    targets: Vec<f32>,
}

/// How π_φ is adapted to the data.
enum Rule<D: Device> {
    Props(Box<Proximal<D>>),
    Ros { learning_rate: f64, optimiser: Sgd<D> },
}

/// What PROPS needs for its update.
struct Proximal<D: Device> {
    config: Config,
    optimiser: Adam<D>,
    order: MinibatchOrder,
    minibatch: Minibatch,
}

/// What an update did.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Adaptation {
    /// Gradient steps.
    pub(super) updates: f64,
    /// The loss, summed over them.
    pub(super) loss: f64,
    /// The share of samples whose ratio was below 1 − ε, summed over them.
    pub(super) clip_fraction: f64,
}

impl std::ops::AddAssign for Adaptation {
    fn add_assign(&mut self, other: Self) {
        self.updates += other.updates;
        self.loss += other.loss;
        self.clip_fraction += other.clip_fraction;
    }
}

impl<D: Device> Behaviour<D> {
    /// The target policy, to be adapted as PROPS does it.
    ///
    /// # Errors
    /// [`Error::Device`] when the device's memory is exhausted.
    pub(super) fn props(target: &Policy<D>, config: &Config, seed: Seed) -> Result<Self, Error> {
        let policy = target.duplicate("behaviour")?;
        let adam = AdamConfig {
            epsilon: config.ppo.adam_epsilon,
            max_gradient_norm: config.max_gradient_norm,
            ..AdamConfig::default()
        };
        let rule = Rule::Props(Box::new(Proximal {
            config: config.clone(),
            optimiser: Adam::new(adam, &policy.parameters())?,
            order: MinibatchOrder::of_behaviour(seed),
            minibatch: Minibatch::default(),
        }));
        Ok(Behaviour { policy, rule, own: Vec::new(), targets: Vec::new() })
    }

    /// The target policy, to be adapted as ROS does it.
    ///
    /// # Errors
    /// [`Error::Device`] when the device's memory is exhausted.
    pub(super) fn ros(target: &Policy<D>, learning_rate: f64) -> Result<Self, Error> {
        let policy = target.duplicate("behaviour")?;
        let optimiser = Sgd::new(SgdConfig::default(), &policy.parameters())?;
        Ok(Behaviour {
            policy,
            rule: Rule::Ros { learning_rate, optimiser },
            own: Vec::new(),
            targets: Vec::new(),
        })
    }

    /// Whether samples count by their advantages.
    pub(super) fn weighs_by_advantage(&self) -> bool {
        matches!(&self.rule, Rule::Props(proximal) if proximal.config.weigh_by_advantage)
    }

    /// Whether this is the target policy, bit for bit.
    pub(super) fn is(&mut self, target: &Policy<D>) -> bool {
        self.policy.flat_parameters(&mut self.own);
        target.flat_parameters(&mut self.targets);
        self.own == self.targets
    }

    /// φ ← θ, and from there on towards a policy under which the data of these `rows` with those that it
    /// will add look more like the target policy's own. The rollout's log-probabilities must be the target
    /// policy's.
    ///
    /// # Errors
    /// [`Error::NonFinite`] when a loss or gradient is not finite; [`Error::Device`] when the device
    /// fails.
    pub(super) fn adapt(
        &mut self,
        target: &Policy<D>,
        device: &D,
        rollout: &Rollout,
        rows: Range<usize>,
    ) -> Result<Adaptation, Error> {
        target.flat_parameters(&mut self.targets);
        self.policy.set_flat_parameters(&self.targets);
        if rows.is_empty() {
            return Ok(Adaptation::default());
        }
        match &mut self.rule {
            Rule::Props(proximal) => proximal.adapt(&mut self.policy, target, device, rollout, rows),
            Rule::Ros { learning_rate, optimiser } => {
                let loss = mean_log_prob(&self.policy, device, rollout, rows)?;
                let (loss, mut gradients) = backward(loss, "likelihood of the data")?;
                optimiser.step(&mut self.policy.parameters_mut(), &mut gradients, *learning_rate)?;
                Ok(Adaptation { updates: 1.0, loss: f64::from(loss), clip_fraction: 0.0 })
            }
        }
    }

    /// Writes parameters, optimiser and order.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] when something cannot be stored.
    pub(super) fn save(&self, checkpoint: &mut Checkpoint) -> Result<(), Error> {
        self.policy.save(checkpoint);
        match &self.rule {
            Rule::Props(proximal) => {
                proximal.optimiser.save("behaviour_optimiser", checkpoint)?;
                proximal.order.save(checkpoint)
            }
            Rule::Ros { optimiser, .. } => {
                optimiser.save("behaviour_optimiser", checkpoint);
                Ok(())
            }
        }
    }

    /// Puts a saved state back.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] when something is absent or does not fit.
    pub(super) fn load(&mut self, checkpoint: &Checkpoint) -> Result<(), Error> {
        self.policy.load(checkpoint)?;
        match &mut self.rule {
            Rule::Props(proximal) => {
                proximal.optimiser.load("behaviour_optimiser", checkpoint)?;
                proximal.order.load(checkpoint)
            }
            Rule::Ros { optimiser, .. } => optimiser.load("behaviour_optimiser", checkpoint),
        }
    }
}

impl<D: Device> Proximal<D> {
    /// Several passes of minibatch gradient steps on [`Objective`], until it is over or too far.
    fn adapt(
        &mut self,
        policy: &mut Policy<D>,
        target: &Policy<D>,
        device: &D,
        rollout: &Rollout,
        rows: Range<usize>,
    ) -> Result<Adaptation, Error> {
        let Proximal { config, optimiser, order, minibatch } = self;
        let weights = config.weigh_by_advantage.then(|| deviation(&rollout.advantages[rows.clone()]));
        let size = rows.len().div_ceil(config.minibatches);
        let mut adaptation = Adaptation::default();
        for _ in 0..config.epochs {
            for part in order.shuffled(rows.clone(), size) {
                minibatch.gather(rollout, part);
                // The surrogate of PPO with the same negative advantage for every sample.
                match weights {
                    Some(deviation) => {
                        minibatch.advantages.iter_mut().for_each(|a| *a = -a.abs() / deviation);
                    }
                    None => minibatch.advantages.fill(-1.0),
                }
                let objective = Objective::of(policy, target, device, rollout, minibatch, config)?;
                if config.kl_limit.is_some_and(|limit| objective.estimated_kl > limit) {
                    return Ok(adaptation);
                }
                let (loss, mut gradients) = backward(objective.total, "loss of the behaviour policy")?;
                optimiser.step(&mut policy.parameters_mut(), &mut gradients, config.learning_rate)?;
                adaptation += Adaptation {
                    updates: 1.0,
                    loss: f64::from(loss),
                    clip_fraction: objective.clip_fraction,
                };
            }
        }
        Ok(adaptation)
    }
}

/// mean[ max(u, clip(u, 1 − ε, 1 + ε)) ] + λ KL with the ratio u = π_φ/π_θ, to be minimised over φ.
pub(super) struct Objective<D: Device> {
    pub(super) total: Scalar<D, Recording<D>>,
    pub(super) clip_fraction: f64,
    /// Mean of (u − 1) − log u, never negative.
    pub(super) estimated_kl: f64,
}

impl<D: Device> Objective<D> {
    /// On a minibatch whose log-probabilities are the target policy's and whose advantages are minus the
    /// weights of the samples.
    ///
    /// # Errors
    /// [`Error::Device`] when the device fails.
    pub(super) fn of(
        policy: &Policy<D>,
        target: &Policy<D>,
        device: &D,
        rollout: &Rollout,
        minibatch: &Minibatch,
        config: &Config,
    ) -> Result<Self, Error> {
        let rows = minibatch.rows;
        let observations = device.matrix(&minibatch.observations, rows, rollout.observation_features())?;
        let actions = device.matrix(&minibatch.actions, rows, rollout.action_features())?;
        let weights = device.vector(&minibatch.advantages)?;
        let distribution = policy.record(observations.clone())?;
        let divergence = if config.kl_weight > 0.0 {
            let target = target.distribution(observations)?;
            let behaviour = distribution.branch();
            Some(match config.kl_order {
                KlOrder::TargetFirst => behaviour.kl_from(&target).mean_all(),
                KlOrder::BehaviourFirst => behaviour.kl_to(&target).mean_all(),
            })
        } else {
            None
        };
        let log_ratio = distribution.log_prob(&actions) - device.vector(&minibatch.log_probs)?;
        let log_ratios = log_ratio.to_host();
        let mut total = clipped_surrogate(log_ratio.exp(), &weights, config.clip_range).negate();
        if let Some(divergence) = divergence {
            total = total + divergence * config.kl_weight as f32;
        }
        let count = rows as f64;
        let clipped = |x: &&f32| f64::from(x.exp()) < 1.0 - config.clip_range;
        Ok(Objective {
            total,
            clip_fraction: log_ratios.iter().filter(clipped).count() as f64 / count,
            estimated_kl: log_ratios.iter().map(|&x| f64::from(x.exp_m1() - x)).sum::<f64>() / count,
        })
    }
}

/// Mean of log π_φ(a|s) over these rows, recorded: what ROS takes a step down from.
pub(super) fn mean_log_prob<D: Device>(
    policy: &Policy<D>,
    device: &D,
    rollout: &Rollout,
    rows: Range<usize>,
) -> Result<Scalar<D, Recording<D>>, Error> {
    let (features, action_features) = (rollout.observation_features(), rollout.action_features());
    let observations = &rollout.observations[rows.start * features..rows.end * features];
    let actions = &rollout.actions[rows.start * action_features..rows.end * action_features];
    let observations = device.matrix(observations, rows.len(), features)?;
    let actions = device.matrix(actions, rows.len(), action_features)?;
    Ok(policy.record(observations)?.log_prob(&actions).mean_all())
}

/// The standard deviation, and a little so that it is not zero.
fn deviation(values: &[f32]) -> f32 {
    let count = values.len() as f64;
    let mean = values.iter().map(|&x| f64::from(x)).sum::<f64>() / count;
    let variance = values.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / count;
    (variance.sqrt() + 1e-8) as f32
}
