//! Environments around environments.
//!
//! A wrapper owns the environment inside it and is an [`Environment`](crate::Environment) itself,
//! so wrappers nest, and a snapshot of the outermost one holds everything.
//!
//! Each copy in a [`Batch`](crate::Batch) has wrappers, and so running statistics, of its own.
//! Learners that share one set of statistics over all copies keep a
//! [`RunningStatistics`](crate::RunningStatistics) themselves.

mod clip_action;
mod episode_statistics;
mod normalise_observation;
mod normalise_reward;
mod rescale_action;
mod time_limit;

pub use clip_action::ClipAction;
pub use episode_statistics::EpisodeStatistics;
pub use normalise_observation::NormaliseObservation;
pub use normalise_reward::NormaliseReward;
pub use rescale_action::RescaleAction;
pub use time_limit::TimeLimit;

/// What normalised observations and rewards are clipped to, to either side.
const CLIP: f32 = 10.0;
