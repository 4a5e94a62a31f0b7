//! A robot in MuJoCo: Gymnasium's model file, compiled, and its state.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use mujoco_rs::{
    mujoco_c::mjtWarning::{mjWARN_BADCTRL, mjWARN_BADQACC, mjWARN_BADQPOS, mjWARN_BADQVEL},
    prelude::{MjData, MjModel, MjtState},
};
use serde::{Deserialize, Serialize};

use crate::Error;

/// The version of MuJoCo that everything here is written for and compared with.
pub const VERSION: &str = "3.17.0";

/// All that decides how a simulation goes on.
const STATE: u32 = MjtState::mjSTATE_INTEGRATION as u32;

/// A robot of Gymnasium.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Robot {
    /// A pole on a cart: `InvertedPendulum-v5`.
    InvertedPendulum,
    /// Two poles on a cart: `InvertedDoublePendulum-v5`.
    InvertedDoublePendulum,
    /// An arm that reaches for a target: `Reacher-v5`.
    Reacher,
    /// Three links in a fluid: `Swimmer-v5`.
    Swimmer,
    /// One leg under a torso: `Hopper-v5`.
    Hopper,
    /// A planar cheetah: `HalfCheetah-v5`.
    HalfCheetah,
    /// Two planar legs under a torso: `Walker2d-v5`.
    Walker2d,
    /// Four legs around a torso: `Ant-v5`.
    Ant,
}

impl Robot {
    /// All robots.
    pub const ALL: [Robot; 8] = [
        Robot::InvertedPendulum,
        Robot::InvertedDoublePendulum,
        Robot::Reacher,
        Robot::Swimmer,
        Robot::Hopper,
        Robot::HalfCheetah,
        Robot::Walker2d,
        Robot::Ant,
    ];

    /// Gymnasium's name of the environment.
    pub fn name(self) -> &'static str {
        match self {
            Robot::InvertedPendulum => "InvertedPendulum-v5",
            Robot::InvertedDoublePendulum => "InvertedDoublePendulum-v5",
            Robot::Reacher => "Reacher-v5",
            Robot::Swimmer => "Swimmer-v5",
            Robot::Hopper => "Hopper-v5",
            Robot::HalfCheetah => "HalfCheetah-v5",
            Robot::Walker2d => "Walker2d-v5",
            Robot::Ant => "Ant-v5",
        }
    }

    /// Gymnasium's model file.
    fn xml(self) -> &'static str {
        match self {
            Robot::InvertedPendulum => include_str!("models/inverted_pendulum.xml"),
            Robot::InvertedDoublePendulum => include_str!("models/inverted_double_pendulum.xml"),
            Robot::Reacher => include_str!("models/reacher.xml"),
            Robot::Swimmer => include_str!("models/swimmer.xml"),
            Robot::Hopper => include_str!("models/hopper.xml"),
            Robot::HalfCheetah => include_str!("models/half_cheetah.xml"),
            Robot::Walker2d => include_str!("models/walker2d.xml"),
            Robot::Ant => include_str!("models/ant.xml"),
        }
    }

    /// How many steps of the simulation make one step of the environment: Gymnasium's `frame_skip`.
    pub fn steps(self) -> usize {
        match self {
            Robot::InvertedPendulum | Robot::Reacher => 2,
            Robot::Swimmer | Robot::Hopper | Robot::Walker2d => 4,
            Robot::InvertedDoublePendulum | Robot::HalfCheetah | Robot::Ant => 5,
        }
    }

    /// The compiled model, which all simulations of the robot share.
    fn model(self) -> Result<Arc<MjModel>, Error> {
        static MODELS: Mutex<Option<HashMap<Robot, Arc<MjModel>>>> = Mutex::new(None);
        let mut models = MODELS.lock().unwrap_or_else(PoisonError::into_inner);
        let models = models.get_or_insert_default();
        if let Some(model) = models.get(&self) {
            return Ok(model.clone());
        }
        let found = mujoco_rs::mujoco_version();
        if found != VERSION {
            return Err(unusable(format!("its version is {found}, not {VERSION}")));
        }
        // The cheetah's file says its mass in a way that MuJoCo warns of, on the terminal and in a file.
        let (xml, mass) = match self {
            Robot::HalfCheetah => (self.xml().replace(" settotalmass=\"14\"", ""), Some(14.0)),
            _ => (self.xml().to_owned(), None),
        };
        let mut model = MjModel::from_xml_string(&xml).map_err(|error| unusable(error.to_string()))?;
        if let Some(mass) = mass {
            model.set_totalmass(mass);
            MjData::new(&mut model).set_const();
        }
        let model = Arc::new(model);
        models.insert(self, model.clone());
        Ok(model)
    }
}

fn unusable(reason: String) -> Error {
    Error::Simulator { simulator: "MuJoCo", reason }
}

/// A robot's simulation.
///
/// Clones are complete and share nothing that changes. What is serialised is MuJoCo's own
/// integration state, from which a simulation continues bit for bit, and MuJoCo's version, without
/// which it would not.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "Snapshot", into = "Snapshot")]
pub struct Simulation {
    robot: Robot,
    data: MjData<Arc<MjModel>>,
}

#[derive(Serialize, Deserialize)]
struct Snapshot {
    version: String,
    robot: Robot,
    state: Box<[f64]>,
}

impl From<Simulation> for Snapshot {
    fn from(simulation: Simulation) -> Self {
        let Simulation { robot, data } = simulation;
        Snapshot { version: VERSION.to_owned(), robot, state: data.state(STATE) }
    }
}

impl TryFrom<Snapshot> for Simulation {
    type Error = Error;

    fn try_from(Snapshot { version, robot, state }: Snapshot) -> Result<Self, Error> {
        if version != VERSION {
            return Err(Error::Snapshot { reason: format!("it is of MuJoCo {version}, not {VERSION}") });
        }
        let mut simulation = Simulation::new(robot)?;
        let expected = simulation.data.model().state_size(STATE);
        check_length("the state", state.len(), expected)?;
        let restored = simulation.data.set_state(&state, STATE);
        restored.map_err(|error| Error::Snapshot { reason: error.to_string() })?;
        // Where the bodies are, for whoever looks before the next step; it changes nothing else.
        simulation.data.kinematics();
        Ok(simulation)
    }
}

impl Simulation {
    /// The robot in its model's own pose, at rest. Errors when the installed MuJoCo has another
    /// version.
    pub fn new(robot: Robot) -> Result<Self, Error> {
        let mut data = MjData::new(robot.model()?);
        data.forward();
        Ok(Simulation { robot, data })
    }

    /// The robot.
    pub fn robot(&self) -> Robot {
        self.robot
    }

    /// Generalised positions: MuJoCo's `qpos`.
    pub fn positions(&self) -> &[f64] {
        self.data.qpos()
    }

    /// The model's own pose, from which episodes start: MuJoCo's `qpos0`.
    pub fn start(&self) -> &[f64] {
        self.data.model().qpos0()
    }

    /// Generalised velocities: MuJoCo's `qvel`.
    pub fn velocities(&self) -> &[f64] {
        self.data.qvel()
    }

    /// Lowest and highest action of every motor.
    pub fn action_bounds(&self) -> &[[f64; 2]] {
        self.data.model().actuator_ctrlrange()
    }

    /// Places of all bodies' frames in m, the world first: MuJoCo's `xpos`. After a step they are
    /// those of the integrator's last stage, as in Gymnasium.
    pub fn bodies(&self) -> &[[f64; 3]] {
        self.data.xpos()
    }

    /// Places of all sites in m: MuJoCo's `site_xpos`, with the same caution.
    pub fn sites(&self) -> &[[f64; 3]] {
        self.data.site_xpos()
    }

    /// Generalised forces of contacts and joint limits: MuJoCo's `qfrc_constraint`.
    pub fn constraint_forces(&self) -> &[f64] {
        self.data.qfrc_constraint()
    }

    /// Torque and force of the contacts on every body, the world first: MuJoCo's `cfrc_ext`.
    pub fn contact_forces(&self) -> &[[f64; 6]] {
        self.data.cfrc_ext()
    }

    /// Seconds in one step of the environment.
    pub fn control_step(&self) -> f64 {
        self.data.model().opt().timestep * self.robot.steps() as f64
    }

    /// Puts the robot into a state and forgets all that was before. Errors when one of the two has a
    /// wrong length.
    pub fn set_state(&mut self, positions: &[f64], velocities: &[f64]) -> Result<(), Error> {
        let lengths = (self.positions().len(), self.velocities().len());
        check_length("the positions", positions.len(), lengths.0)?;
        check_length("the velocities", velocities.len(), lengths.1)?;
        self.data.reset();
        self.data.qpos_mut().copy_from_slice(positions);
        self.data.qvel_mut().copy_from_slice(velocities);
        self.data.forward();
        Ok(())
    }

    /// One step of the environment with constant `action`, which MuJoCo clips to its bounds. Errors
    /// when the action has a wrong length, and when the state is no longer finite or has grown
    /// beyond MuJoCo's bounds.
    pub fn step(&mut self, action: &[f32]) -> Result<(), Error> {
        let controls = self.data.ctrl_mut();
        check_length("the action", action.len(), controls.len())?;
        for (control, action) in controls.iter_mut().zip(action) {
            *control = f64::from(*action);
        }
        for _ in 0..self.robot.steps() {
            self.data.step();
        }
        self.data.rne_post_constraint();
        self.check()
    }

    /// MuJoCo answers a state that is broken with a warning and the initial state.
    fn check(&self) -> Result<(), Error> {
        let watched = [
            (mjWARN_BADQPOS, "a position"),
            (mjWARN_BADQVEL, "a velocity"),
            (mjWARN_BADQACC, "an acceleration"),
            (mjWARN_BADCTRL, "an action"),
        ];
        for (warning, what) in watched {
            let statistics = &self.data.warning()[warning as usize];
            if statistics.number > 0 {
                let reason = format!(
                    "{what} (number {}) is not finite or too large at {:.3} s",
                    statistics.lastinfo,
                    self.data.time()
                );
                return Err(Error::Unstable { environment: self.robot.name().to_owned(), reason });
            }
        }
        Ok(())
    }
}

fn check_length(what: &'static str, given: usize, expected: usize) -> Result<(), Error> {
    if given == expected { Ok(()) } else { Err(Error::Length { what, given, expected }) }
}
