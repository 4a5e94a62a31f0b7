//! Every environment keeps the contract, and the check finds those that do not.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use assay_environments::{
    Action, Actions, BatchedStep, Environment, Error, Outcome, Space, catalogue,
    classic::{Acrobot, CartPole, MountainCarContinuous, Pendulum},
    conformance::{self, Rule},
    random::{Seed, Stream},
    wrappers::{
        ClipAction, EpisodeStatistics, NormaliseObservation, NormaliseReward, RescaleAction, TimeLimit,
    },
};
use rand::Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

fn nested() -> impl Environment {
    let limited = TimeLimit::new(MountainCarContinuous::new(), 30).unwrap();
    let rescaled = RescaleAction::new(EpisodeStatistics::new(limited)).unwrap();
    let clipped = ClipAction::new(rescaled).unwrap();
    NormaliseReward::new(NormaliseObservation::new(clipped).unwrap(), 0.99).unwrap()
}

#[test]
fn every_environment_in_the_catalogue_keeps_the_contract() {
    // Robots take seconds, so several environments are checked at once.
    catalogue::entries().par_iter().for_each(|entry| {
        entry.check(&toml::Table::new()).unwrap_or_else(|error| panic!("{}: {error}", entry.name()));
        if entry.name().starts_with("Probe") {
            let continuous = toml::Table::from_iter([("actions".to_owned(), "continuous".into())]);
            entry.check(&continuous).unwrap_or_else(|error| panic!("{}: {error}", entry.name()));
        }
    });
}

#[test]
fn nested_wrappers_keep_the_contract() {
    conformance::check(&nested()).unwrap();
}

#[test]
fn environments_and_wrappers_allocate_nothing_in_a_step() {
    let count = |steps: &mut dyn FnMut()| allocation_counter::measure(steps).count_total;
    conformance::check_allocations(&TimeLimit::new(CartPole::new(), 9).unwrap(), count).unwrap();
    conformance::check_allocations(&TimeLimit::new(Acrobot::new(), 9).unwrap(), count).unwrap();
    conformance::check_allocations(&Pendulum::new(), count).unwrap();
    conformance::check_allocations(&nested(), count).unwrap();
}

#[test]
fn batches_of_every_environment_allocate_nothing_in_a_step() {
    // But for robots: rapier factorises its mass matrix into new memory. What is around its step
    // allocates nothing, as the next test and one in `physics::world` hold.
    for entry in catalogue::entries().iter().filter(|entry| !entry.name().starts_with("Rapier")) {
        let mut batch = entry.make(&toml::Table::new(), 4, Seed::new(0)).unwrap();
        let mut step = BatchedStep::new(batch.as_ref());
        batch.reset(&mut step.observations).unwrap();
        let mut actions = Actions::zeros(batch.action_space(), 4);
        let mut rng = Seed::new(0).stream("actions");
        let counted = allocation_counter::measure(|| {
            for _ in 0..600 {
                batch.action_space().sample(&mut rng, &mut actions);
                batch.step(&actions, &mut step).unwrap();
            }
        });
        assert_eq!(counted.count_total, 0, "{}", entry.name());
    }
}

#[test]
fn the_robots_tasks_allocate_nothing_in_a_step() {
    use assay_environments::physics::{Robot, Task, World, robots};
    fn check<T: Task>(robot: &Robot, mut task: T) {
        let still = vec![0.0; robot.motors.len()];
        let mut world = World::new(robot, &robot.start, &vec![0.0; robot.velocities()]).unwrap();
        (0..100).for_each(|_| world.step(robot, &still).unwrap());
        let mut observation = vec![0.0; task.width(robot)];
        let mut rewards = vec![0.0; task.objectives().len()];
        let counted = allocation_counter::measure(|| {
            task.outcome(robot, &world, &still, &mut rewards);
            task.observe(robot, &world, &mut observation);
        });
        assert_eq!(counted.count_total, 0, "{}", robot.name);
    }
    let (layout, nearness) = Default::default();
    check(&robots::inverted_pendulum::robot(), robots::inverted_pendulum::task());
    check(&robots::inverted_double_pendulum::robot(), robots::inverted_double_pendulum::task());
    check(&robots::reacher::robot(), robots::reacher::task());
    check(&robots::hopper::robot(), robots::hopper::task());
    check(&robots::ant::robot(), robots::ant::task());
    check(&robots::point::robot(layout), robots::point::task(layout, nearness));
}

/// A way to break the contract.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Fault {
    None,
    CrossedBounds,
    SpaceGrows,
    RefusesBeyondBounds,
    AcceptsAnything,
    LeavesSpace,
    LeavesObservationUnwritten,
    InfiniteReward,
    OwnGenerator,
    SharedState,
    ForgetsInSnapshot,
    Allocates,
}

/// Counts steps; faulty in one way.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Faulty {
    fault: Fault,
    time: u32,
    #[serde(skip)]
    forgotten: u32,
    #[serde(skip)]
    shared: Arc<AtomicU32>,
}

impl Faulty {
    fn new(fault: Fault) -> Self {
        Faulty { fault, time: 0, forgotten: 0, shared: Arc::default() }
    }

    fn observe(&self, observation: &mut [f32]) {
        observation[0] = match self.fault {
            Fault::LeavesSpace => self.time as f32 * 10.0,
            Fault::LeavesObservationUnwritten if self.time == 3 => return,
            Fault::OwnGenerator => rand::rng().random(),
            Fault::SharedState => self.shared.fetch_add(1, Ordering::Relaxed) as f32,
            Fault::ForgetsInSnapshot => self.forgotten as f32,
            _ => self.time as f32,
        };
    }
}

impl Environment for Faulty {
    fn observation_space(&self) -> Space {
        let high = match self.fault {
            Fault::CrossedBounds => -1.0,
            Fault::SpaceGrows => 1000.0 + self.time as f32,
            Fault::SharedState => f32::MAX,
            _ => 1000.0,
        };
        Space::Box { low: vec![0.0], high: vec![high] }
    }

    fn action_space(&self) -> Space {
        Space::symmetric(1, 1.0)
    }

    fn reset(&mut self, _rng: &mut Stream, observation: &mut [f32]) -> Result<(), Error> {
        self.time = 0;
        self.observe(observation);
        Ok(())
    }

    fn step(
        &mut self,
        action: Action<'_>,
        _rng: &mut Stream,
        observation: &mut [f32],
    ) -> Result<Outcome, Error> {
        if self.fault != Fault::AcceptsAnything {
            let [a] = *action.continuous::<1>()?;
            if self.fault == Fault::RefusesBeyondBounds && a.abs() > 1.0 {
                return Err(action.mismatch(&self.action_space()));
            }
        }
        if self.fault == Fault::Allocates {
            std::hint::black_box(vec![0_u8; 100]);
        }
        self.time += 1;
        self.forgotten += 1;
        self.observe(observation);
        Ok(Outcome::running(if self.fault == Fault::InfiniteReward { f64::INFINITY } else { 0.0 }))
    }
}

#[test]
fn every_broken_rule_is_found_and_named() {
    assert_eq!(conformance::check(&Faulty::new(Fault::None)), Ok(()));
    for (fault, rule) in [
        (Fault::CrossedBounds, Rule::ValidSpaces),
        (Fault::SpaceGrows, Rule::ConstantSpaces),
        (Fault::RefusesBeyondBounds, Rule::AcceptsActions),
        (Fault::AcceptsAnything, Rule::RefusesActions),
        (Fault::LeavesSpace, Rule::Observations),
        (Fault::LeavesObservationUnwritten, Rule::Observations),
        (Fault::InfiniteReward, Rule::Rewards),
        (Fault::OwnGenerator, Rule::Deterministic),
        (Fault::SharedState, Rule::Clone),
        (Fault::ForgetsInSnapshot, Rule::Snapshot),
    ] {
        let error = conformance::check(&Faulty::new(fault)).unwrap_err();
        assert!(error.violations.iter().any(|violation| violation.rule == rule), "{fault:?}: {error}");
        assert!(error.to_string().contains(&format!("{rule:?}: ")), "{error}");
    }
    let count = |steps: &mut dyn FnMut()| allocation_counter::measure(steps).count_total;
    assert_eq!(conformance::check_allocations(&Faulty::new(Fault::None), count), Ok(()));
    let error = conformance::check_allocations(&Faulty::new(Fault::Allocates), count).unwrap_err();
    assert_eq!(error.violations[0].rule, Rule::NoAllocation, "{error}");
}
