//! Policy gradients from whole trajectories: what the methods of that family share.
//!
//! A method of this family plays trajectories at points of its choice in parameter space, makes
//! estimates from them, and combines these into a direction d_t to step along. Here is everything but
//! the combining, which is each method's own file:
//!
//! | part | what |
//! |---|---|
//! | [`Trajectory`], [`Sampler`] | trajectories and playing them |
//! | [`ScorePolicy`] | policies by ∇ log π and ∇² log π v: [`TabularSoftmax`], [`LinearGaussian`], [`NetworkPolicy`] |
//! | [`Estimator`] | g, B v and importance-weighted g |
//! | [`Exact`] | the true objective and gradient, where a problem has them |
//! | [`StepSize`], [`Momentum`] | schedules |
//! | [`Agent`], [`Iterate`], [`Method`], [`PolicySearch`] | from these to a learner |
//!
//! Vectors in parameter space are flat and in double precision: corrections are made of differences
//! of neighbouring iterates, which become as short as the rounding of single precision.
//!
//! The objective is that of the papers, J_H(θ) = E[Σ_{h<H} γʰ r_h]: rewards count from the start of
//! the episode, and what comes after the horizon or after a time limit does not count. There is no
//! value function to go on with.

mod estimator;
mod exact;
mod linear_gaussian;
mod network;
mod schedule;
mod score_policy;
mod search;
mod tabular_softmax;
#[cfg(test)]
mod tests;
mod trajectory;

pub use estimator::{BaselineForm, Estimator, ImportanceWeight};
pub use exact::{Comparison, Exact};
pub use linear_gaussian::LinearGaussian;
pub use network::NetworkPolicy;
pub use schedule::{Momentum, StepSize};
pub use score_policy::{PolicyConfig, PolicyForm, ScorePolicy};
pub use search::{Agent, Iterate, Method, PolicySearch, StepTaken, TrajectoryConfig, norm};
pub use tabular_softmax::TabularSoftmax;
pub use trajectory::{Sampler, Trajectory};
