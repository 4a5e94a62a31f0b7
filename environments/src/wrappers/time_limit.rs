//! A bound on the length of episodes.

use serde::{Deserialize, Serialize};

use crate::{
    Action, Environment, Error, Outcome, PhysicalParameters, PostDecision, Space, VectorReward,
    hills::NormalActions, parameters::require, picture::Picture, random::Stream, submodular::Submodular,
    tabular::Tabular,
};

/// Truncates an episode after a number of steps.
///
/// A step that ends the task by itself is reported as terminated and, when it is also the last one
/// allowed, as truncated too, as in Gymnasium. Learners bootstrap only where `terminated` is false.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "E: Environment")]
pub struct TimeLimit<E> {
    environment: E,
    limit: u64,
    elapsed: u64,
}

impl<E: Environment> TimeLimit<E> {
    /// Limits episodes of `environment` to `limit` steps; errors when that is zero.
    pub fn new(environment: E, limit: u64) -> Result<Self, Error> {
        require("time_limit", limit, limit > 0, "1 or more steps")?;
        Ok(TimeLimit { environment, limit, elapsed: 0 })
    }

    /// The environment inside.
    pub fn inner(&self) -> &E {
        &self.environment
    }

    /// The environment inside, for changing its state.
    pub fn inner_mut(&mut self) -> &mut E {
        &mut self.environment
    }
}

impl<E: Environment> Environment for TimeLimit<E> {
    fn observation_space(&self) -> Space {
        self.environment.observation_space()
    }

    fn action_space(&self) -> Space {
        self.environment.action_space()
    }

    fn reset(&mut self, rng: &mut Stream, observation: &mut [f32]) -> Result<(), Error> {
        self.elapsed = 0;
        self.environment.reset(rng, observation)
    }

    fn step(
        &mut self,
        action: Action<'_>,
        rng: &mut Stream,
        observation: &mut [f32],
    ) -> Result<Outcome, Error> {
        let mut outcome = self.environment.step(action, rng, observation)?;
        self.elapsed += 1;
        outcome.truncated |= self.elapsed >= self.limit;
        Ok(outcome)
    }

    fn draw(&self) -> Option<Picture> {
        self.environment.draw()
    }

    fn vector_reward(&self) -> Option<&dyn VectorReward> {
        self.environment.vector_reward()
    }

    fn physics(&mut self) -> Option<&mut dyn PhysicalParameters> {
        self.environment.physics()
    }

    fn tabular(&self) -> Option<&dyn Tabular> {
        self.environment.tabular()
    }

    fn submodular(&self) -> Option<&dyn Submodular> {
        self.environment.submodular()
    }

    fn normal_actions(&self) -> Option<&dyn NormalActions> {
        self.environment.normal_actions()
    }

    fn post_decision(&self) -> Option<&dyn PostDecision> {
        self.environment.post_decision()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{classic::Pendulum, random::Seed};

    #[test]
    fn an_episode_is_truncated_at_the_limit_and_not_before() {
        let mut environment = TimeLimit::new(Pendulum::new(), 3).unwrap();
        let mut rng = Seed::new(0).stream("environment");
        let mut observation = [0.0; 3];
        for _ in 0..2 {
            environment.reset(&mut rng, &mut observation).unwrap();
            for t in 1..=3 {
                let outcome =
                    environment.step(Action::Continuous(&[0.0]), &mut rng, &mut observation).unwrap();
                assert_eq!((outcome.truncated, outcome.terminated), (t == 3, false));
            }
        }
    }

    #[test]
    fn a_limit_of_zero_is_an_error_that_names_it() {
        let message = TimeLimit::new(Pendulum::new(), 0).unwrap_err().to_string();
        assert!(message.contains("`time_limit` is 0"), "{message}");
    }
}
