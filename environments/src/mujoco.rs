//! Gymnasium's robots in MuJoCo itself.
//!
//! Published scores of these tasks can be compared only with runs in MuJoCo: here are the same tasks
//! on the same simulator with the same model files. From the same start and with the same actions,
//! [`Simulation`] goes through the same states as Gymnasium to the last bit; [`RobotEnvironment`] adds
//! observation, reward and end (`tests/mujoco.rs`). In the [`catalogue`](crate::catalogue) they have
//! Gymnasium's names, `Hopper-v5` and so on.
//!
//! The module is behind the feature `mujoco`, which is off by default, because it links MuJoCo
//! 3.17.0, which is written in C++ and must be there in exactly this version. The Python package
//! has it:
//!
//! ```sh
//! pip install mujoco==3.17.0
//! library=$(python -c 'import mujoco; print(mujoco.__path__[0])')
//! ln -s libmujoco.so.3.17.0 "$library/libmujoco.so"
//! export MUJOCO_DYNAMIC_LINK_DIR="$library" LD_LIBRARY_PATH="$library"
//! cargo test -p assay-environments --features mujoco
//! ```
//!
//! The model files in `mujoco/models` are Gymnasium's, under the licence beside them.

mod environment;
mod simulation;

pub use environment::RobotEnvironment;
pub use simulation::{Robot, Simulation, VERSION};
