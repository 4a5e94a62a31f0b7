//! Distributions over actions, and networks that parametrise them.

mod action_box;
pub mod squashed_gaussian;
mod squashed_policy;

pub use action_box::{ActionBox, uniform};
pub use squashed_gaussian::SquashedGaussian;
pub use squashed_policy::SquashedPolicy;
