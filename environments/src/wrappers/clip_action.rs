//! Actions cut off at the bounds.

use serde::{Deserialize, Serialize};

use crate::{
    Action, Environment, Error, Outcome, PhysicalParameters, Space, VectorReward, picture::Picture,
    random::Stream,
};

/// Takes actions from all of ℝⁿ and clips them to the bounds of the environment's box.
///
/// The action space becomes unbounded: for policies, such as a Gaussian, that know no bounds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "E: Environment")]
pub struct ClipAction<E> {
    environment: E,
    low: Vec<f32>,
    high: Vec<f32>,
    /// The action that the environment gets, overwritten in every step.
    clipped: Vec<f32>,
}

impl<E: Environment> ClipAction<E> {
    /// Clips the actions of `environment`; errors unless its action space is a box.
    pub fn new(environment: E) -> Result<Self, Error> {
        match environment.action_space() {
            Space::Box { low, high } => {
                Ok(ClipAction { environment, clipped: vec![0.0; low.len()], low, high })
            }
            other => Err(Error::InvalidSpace { reason: format!("actions of {other} cannot be clipped") }),
        }
    }

    /// The environment inside.
    pub fn inner(&self) -> &E {
        &self.environment
    }
}

impl<E: Environment> Environment for ClipAction<E> {
    fn observation_space(&self) -> Space {
        self.environment.observation_space()
    }

    fn action_space(&self) -> Space {
        Space::symmetric(self.low.len(), f32::INFINITY)
    }

    fn reset(&mut self, rng: &mut Stream, observation: &mut [f32]) -> Result<(), Error> {
        self.environment.reset(rng, observation)
    }

    fn step(
        &mut self,
        action: Action<'_>,
        rng: &mut Stream,
        observation: &mut [f32],
    ) -> Result<Outcome, Error> {
        match action {
            Action::Continuous(given) if given.len() == self.clipped.len() => {
                let bounds = self.low.iter().zip(&self.high);
                for ((c, x), (low, high)) in self.clipped.iter_mut().zip(given).zip(bounds) {
                    *c = x.clamp(*low, *high);
                }
            }
            _ => return Err(action.mismatch(&self.action_space())),
        }
        self.environment.step(Action::Continuous(&self.clipped), rng, observation)
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        classic::{CartPole, MountainCarContinuous},
        random::Seed,
    };

    #[test]
    fn an_action_beyond_the_bounds_acts_as_the_bound() {
        // This car pays for the throttle before clipping it, so its reward tells what it was given.
        let mut environment = ClipAction::new(MountainCarContinuous::new()).unwrap();
        let mut rng = Seed::new(0).stream("environment");
        let mut reward = |throttle| {
            environment.step(Action::Continuous(&[throttle]), &mut rng, &mut [0.0; 2]).unwrap().reward
        };
        assert_eq!(reward(-7.0), -0.1);
        assert_eq!(reward(0.5), -0.025);
        let wrong = environment.step(Action::Continuous(&[0.0, 0.0]), &mut rng, &mut [0.0; 2]);
        assert!(matches!(wrong, Err(Error::ActionMismatch { .. })));
    }

    #[test]
    fn discrete_actions_cannot_be_clipped() {
        assert!(matches!(ClipAction::new(CartPole::new()), Err(Error::InvalidSpace { .. })));
    }
}
