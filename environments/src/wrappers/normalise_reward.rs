//! Rewards on a common scale.

use serde::{Deserialize, Serialize};

use super::CLIP;
use crate::{
    Action, Environment, Error, Outcome, PhysicalParameters, RunningStatistics, Space, parameters::require,
    picture::Picture, random::Stream,
};

/// Divides rewards by the running standard deviation of the discounted sum of rewards so far, and
/// clips the result to ± 10.
///
/// The sum is R ← γ R + r, started anew with every episode. The mean is not subtracted: that would
/// change what is optimal wherever episodes end. Engstrom et al. (2020, arXiv:2005.12729, A.1)
/// describe it among the details that PPO owes its results to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "E: Environment")]
pub struct NormaliseReward<E> {
    environment: E,
    discount: f64,
    discounted_sum: f64,
    statistics: RunningStatistics,
    frozen: bool,
}

impl<E: Environment> NormaliseReward<E> {
    /// Normalises the rewards of `environment` for a discount factor from 0 to 1; errors when it is
    /// not.
    pub fn new(environment: E, discount: f64) -> Result<Self, Error> {
        require("discount", discount, (0.0..=1.0).contains(&discount), "0 to 1")?;
        let statistics = RunningStatistics::new(1);
        Ok(NormaliseReward { environment, discount, discounted_sum: 0.0, statistics, frozen: false })
    }

    /// The environment inside.
    pub fn inner(&self) -> &E {
        &self.environment
    }

    /// Mean and variance of the discounted sums of rewards so far.
    pub fn statistics(&self) -> &RunningStatistics {
        &self.statistics
    }

    /// Goes on with the statistics as they are: for evaluation.
    pub fn freeze(&mut self) {
        self.frozen = true;
    }
}

impl<E: Environment> Environment for NormaliseReward<E> {
    fn observation_space(&self) -> Space {
        self.environment.observation_space()
    }

    fn action_space(&self) -> Space {
        self.environment.action_space()
    }

    fn reset(&mut self, rng: &mut Stream, observation: &mut [f32]) -> Result<(), Error> {
        self.discounted_sum = 0.0;
        self.environment.reset(rng, observation)
    }

    fn step(
        &mut self,
        action: Action<'_>,
        rng: &mut Stream,
        observation: &mut [f32],
    ) -> Result<Outcome, Error> {
        let mut outcome = self.environment.step(action, rng, observation)?;
        if !self.frozen {
            self.discounted_sum = self.discounted_sum * self.discount + outcome.reward;
            self.statistics.update(&[self.discounted_sum as f32]);
        }
        let clip = f64::from(CLIP);
        outcome.reward = (outcome.reward * self.statistics.scale(0)).clamp(-clip, clip);
        Ok(outcome)
    }

    fn draw(&self) -> Option<Picture> {
        self.environment.draw()
    }

    fn physics(&mut self) -> Option<&mut dyn PhysicalParameters> {
        self.environment.physics()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{classic::Pendulum, random::Seed};

    #[test]
    fn a_reward_is_divided_by_the_standard_deviation_of_the_discounted_sums_so_far() {
        let mut plain = Pendulum::new();
        let mut normalised = NormaliseReward::new(Pendulum::new(), 0.9).unwrap();
        let (mut a, mut b) = (Seed::new(0).stream("environment"), Seed::new(0).stream("environment"));
        let mut observation = [0.0; 3];
        let mut sums = Vec::new();
        for _ in 0..5 {
            plain.reset(&mut a, &mut observation).unwrap();
            normalised.reset(&mut b, &mut observation).unwrap();
            let mut sum = 0.0;
            for _ in 0..20 {
                let action = Action::Continuous(&[1.0]);
                let expected = plain.step(action, &mut a, &mut observation).unwrap().reward;
                let found = normalised.step(action, &mut b, &mut observation).unwrap().reward;
                sum = 0.9 * sum + expected;
                sums.push(sum);
                if sums.len() > 1 {
                    let n = sums.len() as f64;
                    let mean = sums.iter().sum::<f64>() / n;
                    let variance = sums.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / n;
                    let expected = (expected / variance.sqrt()).clamp(-10.0, 10.0);
                    assert!((found - expected).abs() < 1e-4 * expected.abs(), "{found} {expected}");
                }
            }
        }
    }

    #[test]
    fn a_discount_above_one_is_an_error() {
        assert!(NormaliseReward::new(Pendulum::new(), 1.01).is_err());
    }
}
