//! Running normalisation of what a learner sees, at the level of the batch.
//!
//! The statistics belong to the learner, not to the environments: they are the same for all
//! copies, are saved in its checkpoint, and are frozen when it is asked to act.

use assay_environments::RunningStatistics;
use serde::{Deserialize, Serialize};

/// Normalised observations and rewards are clipped to ± this.
const CLIP: f32 = 10.0;

/// Normalisation of observations and of rewards, each of which may be off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Normalisation {
    observations: Option<RunningStatistics>,
    post_observations: Option<RunningStatistics>,
    rewards: Option<RewardNormalisation>,
}

/// What rewards are divided by: the running standard deviation of the discounted return.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct RewardNormalisation {
    discount: f64,
    /// The discounted sum of each copy's rewards in its running episode, newest undiscounted.
    returns: Vec<f64>,
    statistics: RunningStatistics,
}

impl Normalisation {
    /// Normalisation for `copies` environments with `features` numbers per observation. `discount`
    /// is the one of the discounted return by whose deviation rewards are divided.
    pub fn new(observations: bool, rewards: bool, features: usize, copies: usize, discount: f64) -> Self {
        Normalisation {
            observations: observations.then(|| RunningStatistics::new(features)),
            post_observations: None,
            rewards: rewards.then(|| RewardNormalisation {
                discount,
                returns: vec![0.0; copies],
                statistics: RunningStatistics::new(1),
            }),
        }
    }

    /// The same for post-decision observations of so many features too, where observations are
    /// normalised.
    pub fn with_post_decisions(mut self, features: usize) -> Self {
        self.post_observations = self.observations.as_ref().map(|_| RunningStatistics::new(features));
        self
    }

    /// Whether the other one is for as many copies and features, and is on and off for the same.
    pub(super) fn has_form_of(&self, other: &Self) -> bool {
        let observations = |n: &Self| {
            [&n.observations, &n.post_observations].map(|x| x.as_ref().map(RunningStatistics::width))
        };
        let rewards = |n: &Self| n.rewards.as_ref().map(|r| (r.returns.len(), r.statistics.width()));
        observations(self) == observations(other) && rewards(self) == rewards(other)
    }

    /// Takes new observations (rows × features) into the statistics.
    pub fn observe(&mut self, observations: &[f32]) {
        if let Some(statistics) = &mut self.observations {
            statistics.update(observations);
        }
    }

    /// Normalises observations (rows × features) in place with the current statistics, to mean 0
    /// and variance 1, clipped to ± 10.
    pub fn normalise(&self, observations: &mut [f32]) {
        if let Some(statistics) = &self.observations {
            statistics.normalise(observations, CLIP);
        }
    }

    /// Divides rewards by the current running deviation of the discounted return, as
    /// [`scale_rewards`](Self::scale_rewards) does, without taking them into the statistics.
    pub fn rescale_rewards(&self, rewards: &mut [f32]) {
        if let Some(RewardNormalisation { statistics, .. }) = &self.rewards {
            let scale = statistics.scale(0);
            rewards.iter_mut().for_each(|reward| *reward = scaled(*reward, scale));
        }
    }

    /// Takes new post-decision observations (rows × features) into their statistics.
    pub fn observe_post(&mut self, observations: &[f32]) {
        if let Some(statistics) = &mut self.post_observations {
            statistics.update(observations);
        }
    }

    /// Normalises post-decision observations as [`normalise`](Self::normalise) does others.
    pub fn normalise_post(&self, observations: &mut [f32]) {
        if let Some(statistics) = &self.post_observations {
            statistics.normalise(observations, CLIP);
        }
    }

    /// Takes one step's rewards (one per copy) into the statistics and divides them by the running
    /// standard deviation of the discounted return, clipped to ± 10. The mean is not subtracted:
    /// that would change the problem. Returns the factor, 1 where rewards stay as they are.
    pub fn scale_rewards(&mut self, rewards: &mut [f32], done: impl Fn(usize) -> bool) -> f32 {
        let Some(RewardNormalisation { discount, returns, statistics }) = &mut self.rewards else {
            return 1.0;
        };
        for (sum, &reward) in returns.iter_mut().zip(rewards.iter()) {
            *sum = *discount * *sum + f64::from(reward);
            statistics.update(&[*sum as f32]);
        }
        let scale = statistics.scale(0);
        for (copy, (reward, sum)) in rewards.iter_mut().zip(returns).enumerate() {
            *reward = scaled(*reward, scale);
            if done(copy) {
                *sum = 0.0;
            }
        }
        scale as f32
    }
}

fn scaled(reward: f32, scale: f64) -> f32 {
    ((f64::from(reward) * scale) as f32).clamp(-CLIP, CLIP)
}
