//! Rewards and lengths of episodes.

use serde::{Deserialize, Serialize};

use crate::{
    Action, Environment, Episode, Error, Outcome, PhysicalParameters, PostDecision, Space, VectorReward,
    hills::NormalActions, picture::Picture, random::Stream, submodular::Submodular, tabular::Tabular,
};

/// Keeps count of the episodes of an environment: how many, and what the last one brought.
///
/// A [`Batch`](crate::Batch) reports episodes by itself. This wrapper is for an environment that is
/// stepped alone, or for the rewards as they are *inside* other wrappers, such as before
/// [`NormaliseReward`](crate::wrappers::NormaliseReward).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "E: Environment")]
pub struct EpisodeStatistics<E> {
    environment: E,
    current: Episode,
    last: Option<Episode>,
    finished: u64,
}

impl<E: Environment> EpisodeStatistics<E> {
    /// Keeps count of the episodes of `environment`.
    pub fn new(environment: E) -> Self {
        EpisodeStatistics { environment, current: Episode::default(), last: None, finished: 0 }
    }

    /// The environment inside.
    pub fn inner(&self) -> &E {
        &self.environment
    }

    /// The running episode so far.
    pub fn current(&self) -> Episode {
        self.current
    }

    /// The last episode that ended.
    pub fn last(&self) -> Option<Episode> {
        self.last
    }

    /// How many episodes have ended.
    pub fn finished(&self) -> u64 {
        self.finished
    }
}

impl<E: Environment> Environment for EpisodeStatistics<E> {
    fn observation_space(&self) -> Space {
        self.environment.observation_space()
    }

    fn action_space(&self) -> Space {
        self.environment.action_space()
    }

    fn reset(&mut self, rng: &mut Stream, observation: &mut [f32]) -> Result<(), Error> {
        self.current = Episode::default();
        self.environment.reset(rng, observation)
    }

    fn step(
        &mut self,
        action: Action<'_>,
        rng: &mut Stream,
        observation: &mut [f32],
    ) -> Result<Outcome, Error> {
        let outcome = self.environment.step(action, rng, observation)?;
        self.current.total_reward += outcome.reward;
        self.current.length += 1;
        if outcome.done() {
            self.last = Some(self.current);
            self.finished += 1;
        }
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
    use crate::{classic::MountainCar, random::Seed, wrappers::TimeLimit};

    #[test]
    fn the_last_episode_and_the_running_one_are_told_apart() {
        let limited = TimeLimit::new(MountainCar::new(), 5).unwrap();
        let mut environment = EpisodeStatistics::new(limited);
        let mut rng = Seed::new(0).stream("environment");
        for _ in 0..2 {
            environment.reset(&mut rng, &mut [0.0; 2]).unwrap();
            while !environment.step(Action::Discrete(1), &mut rng, &mut [0.0; 2]).unwrap().done() {}
        }
        environment.reset(&mut rng, &mut [0.0; 2]).unwrap();
        environment.step(Action::Discrete(1), &mut rng, &mut [0.0; 2]).unwrap();
        assert_eq!(environment.finished(), 2);
        assert_eq!(environment.last(), Some(Episode { total_reward: -5.0, length: 5 }));
        assert_eq!(environment.current(), Episode { total_reward: -1.0, length: 1 });
    }
}
