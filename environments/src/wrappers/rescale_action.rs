//! Actions on a scale of their own.

use serde::{Deserialize, Serialize};

use crate::{
    Action, Environment, Error, Outcome, PhysicalParameters, Space, VectorReward, picture::Picture,
    random::Stream,
};

/// Takes actions from [−1, 1]ⁿ and stretches them to the bounds of the environment's box.
///
/// −1 becomes the lower bound, 1 the upper one. Actions beyond ± 1 land beyond the bounds, where
/// the environment clips them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "E: Environment")]
pub struct RescaleAction<E> {
    environment: E,
    low: Vec<f32>,
    high: Vec<f32>,
    /// The action that the environment gets, overwritten in every step.
    rescaled: Vec<f32>,
}

impl<E: Environment> RescaleAction<E> {
    /// Rescales the actions of `environment`; errors unless its action space is a box with finite
    /// bounds.
    pub fn new(environment: E) -> Result<Self, Error> {
        match environment.action_space() {
            Space::Box { low, high } if low.iter().chain(&high).all(|bound| bound.is_finite()) => {
                Ok(RescaleAction { environment, rescaled: vec![0.0; low.len()], low, high })
            }
            other => Err(Error::InvalidSpace { reason: format!("actions of {other} cannot be rescaled") }),
        }
    }

    /// The environment inside.
    pub fn inner(&self) -> &E {
        &self.environment
    }
}

impl<E: Environment> Environment for RescaleAction<E> {
    fn observation_space(&self) -> Space {
        self.environment.observation_space()
    }

    fn action_space(&self) -> Space {
        Space::symmetric(self.low.len(), 1.0)
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
            Action::Continuous(given) if given.len() == self.rescaled.len() => {
                let bounds = self.low.iter().zip(&self.high);
                for ((r, x), (low, high)) in self.rescaled.iter_mut().zip(given).zip(bounds) {
                    *r = low + (x + 1.0) / 2.0 * (high - low);
                }
            }
            _ => return Err(action.mismatch(&self.action_space())),
        }
        self.environment.step(Action::Continuous(&self.rescaled), rng, observation)
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
        classic::{CartPole, Pendulum},
        random::Seed,
        wrappers::ClipAction,
    };

    #[test]
    fn the_ends_of_the_scale_are_the_bounds() {
        for (given, torque) in [(-1.0, -2.0), (0.0, 0.0), (0.25, 0.5), (1.0, 2.0)] {
            let mut plain = Pendulum::new();
            let mut rescaled = RescaleAction::new(Pendulum::new()).unwrap();
            let mut rng = Seed::new(0).stream("environment");
            let (mut a, mut b) = ([0.0; 3], [0.0; 3]);
            let expected = plain.step(Action::Continuous(&[torque]), &mut rng, &mut a).unwrap();
            assert_eq!(rescaled.step(Action::Continuous(&[given]), &mut rng, &mut b).unwrap(), expected);
            assert_eq!(a, b);
        }
    }

    #[test]
    fn only_a_bounded_box_can_be_rescaled() {
        assert!(matches!(RescaleAction::new(CartPole::new()), Err(Error::InvalidSpace { .. })));
        let unbounded = ClipAction::new(Pendulum::new()).unwrap();
        assert!(matches!(RescaleAction::new(unbounded), Err(Error::InvalidSpace { .. })));
    }
}
