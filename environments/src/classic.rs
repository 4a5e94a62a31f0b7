//! Classic control, with Gymnasium's dynamics.
//!
//! Each environment computes in the precision that Gymnasium 1.4 under NumPy 2 computes in, in the
//! same order of operations; `tests/golden.rs` replays recorded trajectories against them. Time
//! limits are not part of them: wrap one in [`TimeLimit`](crate::wrappers::TimeLimit), as the
//! [`catalogue`](crate::catalogue) does. All can have other [physical
//! parameters](crate::PhysicalParameters) than the published ones.

mod acrobot;
mod cart_pole;
mod mountain_car;
mod mountain_car_continuous;
mod pendulum;
mod physics;

pub use acrobot::Acrobot;
pub use cart_pole::CartPole;
pub use mountain_car::MountainCar;
pub use mountain_car_continuous::MountainCarContinuous;
pub use pendulum::Pendulum;
