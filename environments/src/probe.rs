//! Five tiny problems with known values, for finding faults in learners.
//!
//! Each probe needs one thing more than the one before, so the first that a learner fails tells
//! where to look (Jones, 2021, "Debugging RL, without the agonizing pain"):
//!
//! | probe | observation | reward | a learner that fails it has a fault in |
//! |---|---|---|---|
//! | [`ConstantReward`](Question::ConstantReward) | 0 | 1 | the value's loss or its optimiser |
//! | [`RewardByObservation`](Question::RewardByObservation) | ± 1, at random | the observation | the value's gradient through its network |
//! | [`DelayedReward`](Question::DelayedReward) | 0, then 1 | 0, then 1 | discounting and bootstrapping |
//! | [`RewardByAction`](Question::RewardByAction) | 0 | by the action | the advantage or the policy's update |
//! | [`RewardByActionAndObservation`](Question::RewardByActionAndObservation) | ± 1, at random | by both | the pairing of observations, actions and advantages |
//!
//! All but the third end after one step. Actions are one of two, or one real number in ± 1:
//!
//! - Discrete, where the action counts: 1 for the right action, −1 for the other. Action 1 is right
//!   in [`RewardByAction`](Question::RewardByAction), and where the observation counts too, it is
//!   right at observation 1 and wrong at −1.
//! - Continuous, where the action a counts: −(a − a*)². The best action a* is 0.5, and where the
//!   observation o counts too, 0.5 o.
//!
//! A probe's post-decision state is the observation with the action; the reward comes after it, though
//! nothing about it is random.
//!
//! [`Probe::value`] and [`Probe::action_value`] have the exact numbers. No action changes what comes
//! after it, so the action values are those of every policy.

use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::{Action, Environment, Error, Outcome, PostDecision, Space, random::Stream};

/// What a probe asks of a learner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Question {
    /// The reward is always 1: V = 1.
    ConstantReward,
    /// The reward is the observation: V(o) = o.
    RewardByObservation,
    /// The reward comes one step later: V(0) = γ, V(1) = 1.
    DelayedReward,
    /// The reward depends on the action.
    RewardByAction,
    /// The reward depends on action and observation.
    RewardByActionAndObservation,
}

impl Question {
    /// All five, from the simplest on.
    pub const ALL: [Question; 5] = [
        Question::ConstantReward,
        Question::RewardByObservation,
        Question::DelayedReward,
        Question::RewardByAction,
        Question::RewardByActionAndObservation,
    ];
}

/// The form of a probe's actions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ActionForm {
    /// 0 or 1.
    #[default]
    Discrete,
    /// One real number, clipped to ± 1.
    Continuous,
}

/// A problem of one or two steps with known values; the [module](self) describes all five.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    question: Question,
    actions: ActionForm,
    observation: f32,
}

impl Probe {
    /// The probe that asks `question`.
    pub fn new(question: Question, actions: ActionForm) -> Self {
        Probe { question, actions, observation: 0.0 }
    }

    /// What the probe asks.
    pub fn question(&self) -> Question {
        self.question
    }

    /// V*(o): the value of acting as well as possible.
    pub fn value(&self, observation: f32, discount: f64) -> f64 {
        match (self.question, self.actions) {
            (Question::ConstantReward, _) => 1.0,
            (Question::RewardByObservation, _) => f64::from(observation),
            (Question::DelayedReward, _) => {
                if observation == 0.0 {
                    discount
                } else {
                    1.0
                }
            }
            (_, ActionForm::Discrete) => 1.0,
            (_, ActionForm::Continuous) => 0.0,
        }
    }

    /// Q*(o, a): the value of action a followed by acting as well as possible; errors when the
    /// action is not one of the probe's.
    pub fn action_value(&self, observation: f32, action: Action<'_>, discount: f64) -> Result<f64, Error> {
        let reward = self.reward(observation, action)?;
        let goes_on = self.question == Question::DelayedReward && observation == 0.0;
        Ok(if goes_on { reward + discount * self.value(1.0, discount) } else { reward })
    }

    fn reward(&self, observation: f32, action: Action<'_>) -> Result<f64, Error> {
        let by_action = match self.actions {
            ActionForm::Discrete => {
                let right = if observation < 0.0 { 0 } else { 1 };
                if action.discrete(2)? == right { 1.0 } else { -1.0 }
            }
            ActionForm::Continuous => {
                let best = if observation < 0.0 { -0.5 } else { 0.5 };
                let [a] = *action.continuous::<1>()?;
                -(f64::from(a.clamp(-1.0, 1.0)) - best).powi(2)
            }
        };
        Ok(match self.question {
            Question::ConstantReward => 1.0,
            Question::RewardByObservation | Question::DelayedReward => f64::from(observation),
            Question::RewardByAction | Question::RewardByActionAndObservation => by_action,
        })
    }
}

impl PostDecision for Probe {
    fn post_decision_space(&self) -> Space {
        Space::symmetric(2, 1.0)
    }

    fn decide(&self, action: Action<'_>, observation: &mut [f32]) -> Result<f64, Error> {
        let action = match self.actions {
            ActionForm::Discrete => action.discrete(2)? as f32,
            ActionForm::Continuous => action.continuous::<1>()?[0].clamp(-1.0, 1.0),
        };
        observation.copy_from_slice(&[self.observation, action]);
        Ok(0.0)
    }
}

impl Environment for Probe {
    fn observation_space(&self) -> Space {
        Space::symmetric(1, 1.0)
    }

    fn action_space(&self) -> Space {
        match self.actions {
            ActionForm::Discrete => Space::discrete(2),
            ActionForm::Continuous => Space::symmetric(1, 1.0),
        }
    }

    fn reset(&mut self, rng: &mut Stream, observation: &mut [f32]) -> Result<(), Error> {
        self.observation = match self.question {
            Question::RewardByObservation | Question::RewardByActionAndObservation => {
                if rng.random() {
                    1.0
                } else {
                    -1.0
                }
            }
            _ => 0.0,
        };
        observation[0] = self.observation;
        Ok(())
    }

    fn step(
        &mut self,
        action: Action<'_>,
        _rng: &mut Stream,
        observation: &mut [f32],
    ) -> Result<Outcome, Error> {
        let reward = self.reward(self.observation, action)?;
        let terminated = self.question != Question::DelayedReward || self.observation == 1.0;
        if self.question == Question::DelayedReward {
            self.observation = 1.0;
        }
        observation[0] = self.observation;
        Ok(Outcome { reward, terminated, truncated: false })
    }

    fn post_decision(&self) -> Option<&dyn PostDecision> {
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Seed;

    const DISCOUNT: f64 = 0.5;
    const TRIED: [Action<'static>; 2] = [Action::Discrete(0), Action::Discrete(1)];
    const DIALLED: [Action<'static>; 5] = [
        Action::Continuous(&[-1.0]),
        Action::Continuous(&[-0.5]),
        Action::Continuous(&[0.0]),
        Action::Continuous(&[0.5]),
        Action::Continuous(&[1.0]),
    ];

    fn actions(form: ActionForm) -> &'static [Action<'static>] {
        match form {
            ActionForm::Discrete => &TRIED,
            ActionForm::Continuous => &DIALLED,
        }
    }

    /// The discounted sum of rewards from here on, acting first by `action` and then as well as
    /// possible, by trying everything.
    fn tried(probe: &Probe, action: Action<'_>, form: ActionForm) -> f64 {
        let mut probe = probe.clone();
        let outcome = probe.step(action, &mut Seed::new(0).stream("none"), &mut [0.0]).unwrap();
        if outcome.terminated {
            return outcome.reward;
        }
        let next = actions(form).iter().map(|a| tried(&probe, *a, form));
        outcome.reward + DISCOUNT * next.fold(f64::NEG_INFINITY, f64::max)
    }

    #[test]
    fn the_known_values_are_those_of_the_environment() {
        for question in Question::ALL {
            for form in [ActionForm::Discrete, ActionForm::Continuous] {
                let mut probe = Probe::new(question, form);
                let mut rng = Seed::new(0).stream("environment");
                for _ in 0..20 {
                    let mut observation = [f32::NAN];
                    probe.reset(&mut rng, &mut observation).unwrap();
                    let [o] = observation;
                    let mut best = f64::NEG_INFINITY;
                    for action in actions(form) {
                        let value = probe.action_value(o, *action, DISCOUNT).unwrap();
                        assert_eq!(value, tried(&probe, *action, form), "{question:?} {o} {action:?}");
                        best = best.max(value);
                    }
                    assert_eq!(best, probe.value(o, DISCOUNT), "{question:?} {form:?} {o}");
                }
            }
        }
    }

    #[test]
    fn the_delayed_reward_is_discounted_once() {
        let probe = Probe::new(Question::DelayedReward, ActionForm::Discrete);
        assert_eq!(probe.value(0.0, 0.9), 0.9);
        assert_eq!(probe.value(1.0, 0.9), 1.0);
    }

    #[test]
    fn both_observations_occur() {
        let mut probe = Probe::new(Question::RewardByObservation, ActionForm::Discrete);
        let mut rng = Seed::new(0).stream("environment");
        let mut ups = 0;
        for _ in 0..1000 {
            let mut observation = [0.0];
            probe.reset(&mut rng, &mut observation).unwrap();
            ups += usize::from(observation[0] == 1.0);
        }
        assert!((400..600).contains(&ups), "{ups}");
    }
}
