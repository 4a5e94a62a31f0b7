//! Steps that are a known deterministic half and then a random one.

use crate::{Action, Error, Space};

/// The ability to say where an action leads before chance has its turn.
///
/// A step goes from the state s and the action a to the *post-decision state* s^x = f(s, a), which
/// brings the reward r^x(s, a), and from there, by a random event w, to the next state g(s^x, w),
/// which brings the rest of the reward, r^w. Neither f nor r^x is random, and what happens after s^x
/// depends on s and a through s^x alone (Powell, *Approximate Dynamic Programming*, 2nd edition 2011,
/// section 4.6):
///
/// Q(s, a) = r^x(s, a) + V^x(f(s, a)),  V^x(s^x) = E_w[ r^w + γ V(g(s^x, w)) ].
///
/// [`Environment::step`](crate::Environment::step) takes both halves at once and its reward is
/// r^x + r^w. [`PostDecisionMdp`](crate::tabular::PostDecisionMdp) holds both halves as tables.
/// [`Environment::post_decision`](crate::Environment::post_decision) tells whether an environment has
/// this ability; [`BatchedEnvironment::decide`](crate::BatchedEnvironment::decide) uses it along a
/// batch.
pub trait PostDecision {
    /// The space of the observations of post-decision states.
    fn post_decision_space(&self) -> Space;

    /// The deterministic half of the step that `action` would take from the state that the environment
    /// is in: writes the observation of the post-decision state in raw form and returns r^x. Changes
    /// nothing, and allocates nothing. Errors when the action does not belong to the action space.
    fn decide(&self, action: Action<'_>, observation: &mut [f32]) -> Result<f64, Error>;
}
