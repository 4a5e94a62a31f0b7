//! How closely a robot on rapier moves as it was recorded in MuJoCo.

use assay_environments::physics::{Robot, World};

use crate::robots::Recording;

/// Differences of generalised positions from a recording, in m or rad.
pub(crate) struct Agreement {
    /// The largest in free flight.
    pub(crate) free: f64,
    /// Under random actions, after 0.25 s and at the end: the median over the recordings of the
    /// largest coordinate.
    pub(crate) random: [f64; 2],
    /// The same of MuJoCo from itself with a tenth of the simulation step.
    pub(crate) reference: [f64; 2],
}

impl Agreement {
    /// Of `robot` with the recording called `name`.
    pub(crate) fn measure(name: &str, robot: &Robot) -> Self {
        let recording = Recording::load(name);
        let free = differences(robot, &recording, "free");
        let random = differences(robot, &recording, "random");
        let early = (0.25 / robot.control_step()).round() as usize;
        let reference = recording.array("random.refinement_difference");
        let late = reference.shape[1] - 1;
        let of_reference =
            |step: usize| median((0..reference.shape[0]).map(|trace| reference.at(&[trace])[step]).collect());
        let of_ours = |step: usize| median(random.iter().map(|trace| trace[step - 1]).collect());
        Agreement {
            free: free.iter().flatten().copied().fold(0.0, f64::max),
            random: [of_ours(early), of_ours(late)],
            reference: [of_reference(early), of_reference(late)],
        }
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    (values[middle] + values[values.len() - 1 - middle]) / 2.0
}

/// Differences from a recording's motion: for each trace, after each control step.
fn differences(robot: &Robot, recording: &Recording, kind: &str) -> Vec<Vec<f64>> {
    let [positions, velocities, actions] =
        ["qpos", "qvel", "action"].map(|array| recording.array(&format!("{kind}.{array}")));
    let (nq, nv) = (robot.positions(), robot.velocities());
    let trace = |t: usize| {
        let start = [positions, velocities].map(|array| array.at(&[t, 0]));
        let mut world = World::new(robot, &start[0][..nq], &start[1][..nv]).unwrap();
        let step = |k: usize| {
            let action: Vec<f32> = actions.at(&[t, k]).iter().map(|a| *a as f32).collect();
            world.step(robot, &action).unwrap();
            difference(robot, world.positions(), &positions.at(&[t, k + 1])[..nq])
        };
        (0..actions.shape[1]).map(step).collect()
    };
    (0..actions.shape[0]).map(trace).collect()
}

/// The largest difference of two states' positions. Quaternions of either sign are the same.
pub(crate) fn difference(robot: &Robot, ours: &[f64], theirs: &[f64]) -> f64 {
    let turned =
        robot.positions() > robot.velocities() && (3..7).map(|i| ours[i] * theirs[i]).sum::<f64>() < 0.0;
    let compare = |i: usize| {
        let sign = if turned && (3..7).contains(&i) { -1.0 } else { 1.0 };
        (ours[i] - sign * theirs[i]).abs()
    };
    (0..ours.len()).map(compare).fold(0.0, f64::max)
}
