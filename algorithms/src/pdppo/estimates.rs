//! From rewards and values to advantages and to what critics are fitted to.

use super::{Config, Estimator};
use crate::rollout::{Rollout, discounted_sums, standardise};

/// What a rollout brought, in time-major order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Collected<'a> {
    pub(super) copies: usize,
    /// r = r^x + r^w.
    pub(super) rewards: &'a [f32],
    /// r^x; empty where it is not known.
    pub(super) post_rewards: &'a [f32],
    pub(super) terminated: &'a [bool],
    pub(super) truncated: &'a [bool],
    /// V(s).
    pub(super) values: &'a [f32],
    /// V^x(s^x), or V₂(s); empty where there is none.
    pub(super) second_values: &'a [f32],
    /// The discounted sums of the rewards that go on with V where they are cut off.
    pub(super) bootstrapped: &'a [f32],
}

impl<'a> Collected<'a> {
    pub(super) fn of(rollout: &'a Rollout, second_values: &'a [f32]) -> Self {
        Collected {
            copies: rollout.copies,
            rewards: &rollout.rewards,
            post_rewards: &rollout.post_rewards,
            terminated: &rollout.terminated,
            truncated: &rollout.truncated,
            values: &rollout.values,
            second_values,
            bootstrapped: &rollout.returns,
        }
    }
}

/// What an iteration learns from.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Estimates {
    pub(super) advantages: Vec<f32>,
    /// What V is fitted to.
    pub(super) returns: Vec<f32>,
    /// What the second critic is fitted to; empty where there is none.
    pub(super) second_returns: Vec<f32>,
    /// The share of samples whose second advantage is the larger one; NaN where there are not two.
    pub(super) second_share: f64,
}

impl Estimates {
    pub(super) fn of(config: &Config, collected: Collected<'_>) -> Self {
        let Collected { copies, rewards, post_rewards, terminated, truncated, values, second_values, .. } =
            collected;
        let sums = |rewards: &[f32]| {
            let mut sums = vec![0.0; rewards.len()];
            let done = |i: usize| terminated[i] || truncated[i];
            discounted_sums(rewards, done, copies, config.discount, &mut sums);
            sums
        };
        let whole = || if config.bootstrap { collected.bootstrapped.to_vec() } else { sums(rewards) };
        let (mut returns, mut second_returns) = match config.estimator {
            Estimator::Split | Estimator::SharedCritic => {
                let random: Vec<f32> = rewards.iter().zip(post_rewards).map(|(r, x)| r - x).collect();
                (sums(&random), sums(post_rewards))
            }
            Estimator::FullReward | Estimator::TwoStateCritics => (whole(), whole()),
            Estimator::ActionValue => {
                let returns = whole();
                let rest = returns.iter().zip(post_rewards).map(|(g, x)| g - x).collect();
                (returns, rest)
            }
            Estimator::State => (whole(), Vec::new()),
        };
        if config.standardise_returns {
            standardise(&mut returns);
            standardise(&mut second_returns);
        }
        let over = |returns: &[f32], values: &[f32]| -> Vec<f32> {
            returns.iter().zip(values).map(|(r, v)| r - v).collect()
        };
        let mut second_share = f64::NAN;
        let mut advantages = match config.estimator {
            Estimator::ActionValue => {
                let known = post_rewards.iter().zip(second_values).zip(values);
                known.map(|((reward, post_value), value)| reward + post_value - value).collect()
            }
            Estimator::State => over(&returns, values),
            _ => {
                let (first, second) = (over(&returns, values), over(&second_returns, second_values));
                let both = || first.iter().zip(&second);
                second_share = both().filter(|(a, b)| b > a).count() as f64 / first.len() as f64;
                both().map(|(a, b)| config.combination.of(*a, *b)).collect()
            }
        };
        if config.standardise_advantages {
            standardise(&mut advantages);
        }
        Estimates { advantages, returns, second_returns, second_share }
    }
}
