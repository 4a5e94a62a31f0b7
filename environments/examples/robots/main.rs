//! How robots on rapier compare with MuJoCo, what they endure, how fast they are, how they look.
//!
//! `cargo run -p assay-environments --example robots [STEPS]` gives every robot a million (or
//! STEPS) uniformly random control steps and writes `docs/robots_measured.md`: how closely the motion
//! agrees with recordings of MuJoCo, how many steps failed (a number that is not finite, or an
//! unstable simulation), and how far a joint was beyond its range at most. Into `docs/` it also writes a
//! page of each robot, with what random actions earn, and draws a strip of its poses.

use std::{fs, panic::resume_unwind, path::Path, thread};

use assay_environments::{
    Action, Actions, Environment, Error,
    physics::{Axle, Joint, Robot, RobotEnvironment, Task, robots as described},
    picture::Picture,
    random::Seed,
};
use motion::Agreement;
use page::Measured;
use returns::RandomReturns;

#[path = "../../tests/robots/motion.rs"]
mod motion;
mod page;
#[path = "../../tests/robots/returns.rs"]
mod returns;
#[path = "../../tests/robots/mod.rs"]
mod robots;

/// Control steps between two poses of a strip, and how many there are.
const BETWEEN: usize = 6;
const POSES: usize = 6;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    use described::*;
    let steps: usize = match std::env::args().nth(1) {
        Some(given) => given.parse().map_err(|_| format!("`{given}` is not a number of steps"))?,
        None => 1_000_000,
    };
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let table = Table { steps, docs: &docs };
    let (layout, nearness) = Default::default();
    // One thread for each robot.
    let rows: Result<Vec<String>, Error> = thread::scope(|scope| {
        let row = &table;
        let threads = [
            scope.spawn(|| row.of(inverted_pendulum::robot(), inverted_pendulum::task())),
            scope.spawn(|| row.of(inverted_double_pendulum::robot(), inverted_double_pendulum::task())),
            scope.spawn(|| row.of(reacher::robot(), reacher::task())),
            scope.spawn(|| row.of(swimmer::robot(), swimmer::task())),
            scope.spawn(|| row.of(hopper::robot(), hopper::task())),
            scope.spawn(|| row.of(half_cheetah::robot(), half_cheetah::task())),
            scope.spawn(|| row.of(walker2d::robot(), walker2d::task())),
            scope.spawn(|| row.of(ant::robot(), ant::task())),
            scope.spawn(|| row.of(point::robot(layout), point::task(layout, nearness))),
            scope.spawn(|| row.of(ant::robot_in_maze(layout), ant::maze_task(layout, nearness))),
        ];
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
    });
    let version = robots::Recording::load("returns").header["mujoco"].as_str().unwrap_or_default().to_owned();
    let header = "| robot | free flight | random, 0.25 s | random, end | MuJoCo itself, 0.25 s | end | \
                  random steps | failures | beyond a range (rad) |\n\
                  |---|---|---|---|---|---|---|---|---|\n";
    let source = format!("\nRecordings of MuJoCo {version}.\n");
    fs::write(docs.join("robots_measured.md"), header.to_owned() + &rows?.concat() + &source)?;
    Ok(())
}

/// What is measured, and where pictures go.
struct Table<'a> {
    steps: usize,
    docs: &'a Path,
}

impl Table<'_> {
    /// The row of a robot, and its page. Those in mazes were not recorded.
    fn of<T: Task>(&self, robot: Robot, task: T) -> Result<String, Error> {
        let name = robot.name.clone();
        let recorded = returns::RECORDED.iter().find(|(recorded, ..)| *recorded == name);
        let beside_mujoco = recorded.map(|(name, recorded, episodes)| {
            (Agreement::measure(recorded, &robot), RandomReturns::measure(name, recorded, *episodes))
        });
        let mut environment = RobotEnvironment::new(robot, task)?;
        let endurance = endure(environment.clone(), self.steps, self.docs)?;
        let agreement = beside_mujoco.as_ref().map_or_else(
            || " | | | |".into(),
            |(Agreement { free, random, reference }, _)| {
                let [early, late] = random.map(|x| format!("{x:.1e}"));
                let [own_early, own_late] = reference.map(|x| format!("{x:.1e}"));
                format!("{free:.1e} | {early} | {late} | {own_early} | {own_late}")
            },
        );
        let Endurance { steps, failures, beyond } = endurance;
        let row = format!("| `{name}` | {agreement} | {steps} | {failures} | {beyond:.2} |\n");
        print!("{row}");
        let page = page::page(&mut environment, &Measured { beside_mujoco, endurance });
        if let Err(error) = fs::write(self.docs.join(format!("{name}.md")), page) {
            eprintln!("{name}: {error}");
        }
        Ok(row)
    }
}

/// What a robot has gone through.
pub(crate) struct Endurance {
    steps: usize,
    failures: usize,
    /// The farthest that a hinge was beyond its range, in rad.
    beyond: f64,
}

/// Random steps of one robot. Writes its strip of poses.
fn endure<T: Task>(
    mut environment: RobotEnvironment<T>,
    steps: usize,
    docs: &Path,
) -> Result<Endurance, Error> {
    let space = environment.action_space();
    let mut actions = Actions::zeros(&space, 1);
    let mut choices = Seed::new(0).stream("actions");
    let mut rng = Seed::new(0).stream("environment");
    let mut observation = vec![0.0; environment.observation_space().width()];
    environment.reset(&mut rng, &mut observation)?;
    let (mut failures, mut beyond, mut since_reset) = (0, 0.0_f64, 0);
    let mut poses: Vec<Picture> = Vec::new();
    for step in 0..steps {
        if step % BETWEEN == 0 && poses.len() < POSES {
            poses.extend(environment.draw());
        }
        space.sample(&mut choices, &mut actions);
        let Action::Continuous(action) = actions.row(0) else { break };
        let over = match environment.step(Action::Continuous(action), &mut rng, &mut observation) {
            Ok(outcome) if outcome.reward.is_finite() && observation.iter().all(|x| x.is_finite()) => {
                since_reset += 1;
                // A robot may start beyond a limit, from where it is pulled back.
                if since_reset > 20 {
                    beyond = beyond.max(excess(&environment));
                }
                outcome.terminated || since_reset == 1000
            }
            _ => {
                failures += 1;
                true
            }
        };
        if over {
            environment.reset(&mut rng, &mut observation)?;
            since_reset = 0;
        }
    }
    let name = &environment.robot().name;
    if let Ok(png) = Picture::strip(&poses, POSES).and_then(|strip| strip.png(1200))
        && let Err(error) = fs::write(docs.join(format!("{name}.png")), png)
    {
        eprintln!("{name}: {error}");
    }
    Ok(Endurance { steps, failures, beyond })
}

/// How far a hinge is beyond its range, in rad.
fn excess<T: Task>(environment: &RobotEnvironment<T>) -> f64 {
    let (mut position, mut worst) = (0, 0.0_f64);
    for link in &environment.robot().links {
        let q = environment.world().positions()[position];
        if let Joint::Hinge(Axle { range: Some([low, high]), .. }) = link.joint {
            worst = worst.max(low - q).max(q - high);
        }
        position += link.joint.positions();
    }
    worst
}
