//! The page of one robot: what it consists of, what can be changed, how it compares with MuJoCo.

use std::fmt::Write;

use assay_environments::{
    Environment,
    physics::{Axle, Integration, Joint, Robot, RobotEnvironment, Task},
};

use crate::{Endurance, motion::Agreement, returns::RandomReturns};

/// What was measured of a robot.
pub(crate) struct Measured {
    /// Of robots that were recorded in MuJoCo.
    pub(crate) beside_mujoco: Option<(Agreement, RandomReturns)>,
    pub(crate) endurance: Endurance,
}

/// The page as Markdown.
pub(crate) fn page<T: Task>(environment: &mut RobotEnvironment<T>, measured: &Measured) -> String {
    let observations = environment.observation_space().width();
    let robot = environment.robot().clone();
    let parameters: Vec<String> = environment.physics().map_or_else(Vec::new, |physics| {
        let rows = physics.physical_parameters();
        let row = |p: &assay_environments::PhysicalParameter| {
            let [low, high] = p.range.map(short);
            format!("| `{}` | {} | {} | {low} to {high} |\n", p.name, p.unit, short(p.nominal))
        };
        rows.iter().map(row).collect()
    });
    format!(
        "# {name}\n\n\
         Written by `cargo run -p assay-environments --example robots`. What all robots share is on\n\
         [their page](robots.md).\n\n\
         ![{name} in every sixth step of random actions]({name}.png)\n\n\
         {positions} positions, {velocities} degrees of freedom, {motors} motors, {observations} observations;\n\
         {mass} kg. A control step takes {step} s: {steps} of {time_step} s, {method}.\n\n\
         ## Model\n\n{links}\n{drives}\n\
         ## Physical parameters\n\n\
         Factors have no unit.\n\n\
         | name | unit | published | range |\n|---|---|---|---|\n{parameters}\n\
         ## Measured\n\n{beside}{endurance}",
        name = robot.name,
        positions = robot.positions(),
        velocities = robot.velocities(),
        motors = robot.motors.len(),
        mass = short(robot.mass()),
        step = short(robot.control_step()),
        steps = robot.steps,
        time_step = short(robot.time_step),
        method = match robot.integration {
            Integration::Leapfrog => "by leapfrog",
            Integration::Euler => "by Euler's method",
        },
        links = links(&robot),
        drives = motors(&robot),
        parameters = parameters.concat(),
        beside = measured.beside_mujoco.as_ref().map(beside).unwrap_or_default(),
        endurance = endurance(&measured.endurance),
    )
}

/// At most four digits, without zeros at the end.
fn short(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    let digits = (3 - value.abs().log10().floor() as i32).clamp(0, 12) as usize;
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

fn links(robot: &Robot) -> String {
    let mut table = "| link | hangs on | mass (kg) | joint | range | armature | damping | stiffness |\n\
                     |---|---|---|---|---|---|---|---|\n"
        .to_owned();
    for link in &robot.links {
        let parent = link.parent.map_or("the world", |parent| &robot.links[parent].name);
        let joint = match &link.joint {
            Joint::Hinge(axle) => format!("hinge | {}", along(axle, f64::to_degrees, "°")),
            Joint::Slide(axle) => format!("slide | {}", along(axle, |x| x, " m")),
            Joint::Upright => "in the upright plane | | | |".into(),
            Joint::Flat { armature } => format!("in the level plane | | {} | |", short(*armature)),
            Joint::Gliding { damping } => format!("in the level plane, unturned | | | {} |", short(*damping)),
            Joint::Free => "free | | | |".into(),
        };
        let _ = writeln!(table, "| {} | {parent} | {} | {joint} |", link.name, short(link.mass()));
    }
    table
}

fn along(axle: &Axle, to_unit: fn(f64) -> f64, unit: &str) -> String {
    let range = axle.range.map_or("endless".into(), |range| {
        let [low, high] = range.map(|x| short(to_unit(x)));
        format!("{low} to {high}{unit}")
    });
    let [armature, damping, stiffness] = [axle.armature, axle.damping, axle.stiffness].map(short);
    format!("{range} | {armature} | {damping} | {stiffness}")
}

fn motors(robot: &Robot) -> String {
    let mut table =
        "| motor of | N m (slides: N) at an action of 1 | largest action |\n|---|---|---|\n".to_owned();
    for motor in &robot.motors {
        let link = &robot.links[motor.link];
        let axis = if link.joint.velocities() > 1 { format!(", axis {}", motor.axis) } else { String::new() };
        let _ = writeln!(table, "| {}{axis} | {} | {} |", link.name, short(motor.gear), short(motor.limit));
    }
    table
}

fn beside((motion, returns): &(Agreement, RandomReturns)) -> String {
    let [early, late] = motion.random;
    let [own_early, own_late] = motion.reference;
    format!(
        "| beside MuJoCo | here | MuJoCo with a tenth of the step |\n|---|---|---|\n\
         | largest difference of a position in free flight | {:.1e} | |\n\
         | median under random actions, after 0.25 s | {early:.1e} | {own_early:.1e} |\n\
         | the same at the end of the recording | {late:.1e} | {own_late:.1e} |\n\n\
         Uniformly random actions earn {:.1}; in MuJoCo {:.1}. The standard error of the difference is {:.1}.\n\n",
        motion.free, returns.mean, returns.recorded, returns.error,
    )
}

fn endurance(endurance: &Endurance) -> String {
    let Endurance { steps, failures, beyond } = endurance;
    format!(
        "{steps} uniformly random control steps: {failures} failures (a number that is not finite, or an\n\
         unstable simulation); at most {beyond:.2} rad beyond the range of a joint.\n"
    )
}
