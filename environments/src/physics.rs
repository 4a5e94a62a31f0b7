//! Robots, simulated by rapier.
//!
//! A [`Robot`] is a description in plain numbers; [`World`] is its simulation; a [`Task`] adds
//! observation, reward and end; [`RobotEnvironment`] is the three together. The robots and tasks
//! are those of Gymnasium's MuJoCo environments, v5. **Scores are not MuJoCo's**: contacts are
//! solved differently, and a policy that does well in one simulator may fall over in the other.
//! That is why the [`catalogue`](crate::catalogue) calls them `RapierHopper` and so on.
//!
//! ```
//! use assay_environments::{Batch, random::Seed, physics::{RobotEnvironment, robots::hopper}};
//!
//! let hopper = RobotEnvironment::new(hopper::robot(), hopper::task())?;
//! let batch = Batch::new(hopper, 8, Seed::new(0))?.parallel();
//! # Ok::<(), assay_environments::Error>(())
//! ```
//!
//! Adding a robot is one file of numbers in [`robots`].
//!
#![doc = include_str!("../docs/robots.md")]
#![doc = include_str!("../docs/robots_measured.md")]

pub mod robots;

mod alterations;
mod balance;
mod drawing;
mod environment;
mod limits;
mod locomotion;
mod maze;
mod reach;
mod robot;
mod world;

pub use balance::{Balance, DoubleBalance};
pub use environment::{Physique, RobotEnvironment, Task};
pub use locomotion::{Contacts, Health, Locomotion, Noise, Objectives};
pub use maze::{Layout, Maze, MazeTask, Nearness};
pub use reach::Reach;
pub use robot::{
    Axle, Block, Fluid, Impedance, Integration, Joint, Link, Motor, Part, Robot, Shape, Surface, Vector3,
};
pub use world::World;
