//! A batch is its copies, stepped one by one; its snapshots are exact; its mistakes are errors.

use assay_environments::{
    Action, Actions, Batch, BatchedEnvironment, BatchedStep, Environment, Episode, Error, Outcome, Space,
    catalogue,
    classic::{CartPole, MountainCar, Pendulum},
    random::{Seed, Stream},
    wrappers::TimeLimit,
};
use proptest::prelude::*;
use rand::Rng;
use serde::{Deserialize, Serialize};

fn cart_pole() -> TimeLimit<CartPole> {
    TimeLimit::new(CartPole::new(), 20).unwrap()
}

/// Random actions for `steps` steps of a batch.
fn plan(batch: &dyn BatchedEnvironment, steps: usize) -> Vec<Actions> {
    let mut rng = Seed::new(5).stream("actions");
    (0..steps)
        .map(|_| {
            let mut actions = Actions::zeros(batch.action_space(), batch.copies());
            batch.action_space().sample(&mut rng, &mut actions);
            actions
        })
        .collect()
}

/// All that the steps bring.
fn follow(batch: &mut dyn BatchedEnvironment, plan: &[Actions]) -> Vec<BatchedStep> {
    let mut step = BatchedStep::new(batch);
    plan.iter()
        .map(|actions| {
            // Rows of final observations that are not written would differ by what they held.
            step.final_observations.fill(0.0);
            batch.step(actions, &mut step).unwrap();
            step.clone()
        })
        .collect()
}

fn reset(batch: &mut dyn BatchedEnvironment) -> Vec<f32> {
    let mut observations = vec![0.0; batch.copies() * batch.observation_space().features()];
    batch.reset(&mut observations).unwrap();
    observations
}

#[test]
fn a_batch_equals_its_copies_stepped_one_by_one() {
    let (copies, seed) = (5, Seed::new(3));
    let mut batch = Batch::new(cart_pole(), copies, seed).unwrap();
    let first = reset(&mut batch);
    let plan = plan(&batch, 100);
    let steps = follow(&mut batch, &plan);
    let mut episodes = vec![Vec::new(); steps.len()];
    for copy in 0..copies {
        let row = copy * 4..(copy + 1) * 4;
        let mut environment = cart_pole();
        let mut rng = seed.indexed_stream("environment", copy);
        let mut observation = [0.0; 4];
        environment.reset(&mut rng, &mut observation).unwrap();
        assert_eq!(observation, first[row.clone()]);
        let mut episode = Episode::default();
        for ((actions, step), episodes) in plan.iter().zip(&steps).zip(&mut episodes) {
            let outcome = environment.step(actions.row(copy), &mut rng, &mut observation).unwrap();
            episode.total_reward += outcome.reward;
            episode.length += 1;
            assert_eq!(step.rewards[copy], outcome.reward as f32);
            assert_eq!(step.terminated[copy], outcome.terminated);
            assert_eq!(step.truncated[copy], outcome.truncated);
            if outcome.done() {
                assert_eq!(step.final_observations[row.clone()], observation);
                environment.reset(&mut rng, &mut observation).unwrap();
                episodes.push(std::mem::take(&mut episode));
            }
            assert_eq!(step.observations[row.clone()], observation);
        }
    }
    assert!(steps.iter().any(|step| step.terminated.contains(&true)));
    assert!(steps.iter().any(|step| step.truncated.contains(&true)));
    assert!(steps.iter().zip(&episodes).all(|(step, episodes)| step.episodes == *episodes));
}

#[test]
fn stepping_in_parallel_gives_the_same_bits() {
    let seed = Seed::new(1);
    let mut serial = Batch::new(cart_pole(), 64, seed).unwrap();
    let plan = plan(&serial, 50);
    let expected = (reset(&mut serial), follow(&mut serial, &plan), serial.snapshot().unwrap());
    for threads in [1, 2, 7] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let found = pool.install(|| {
            let mut parallel = Batch::new(cart_pole(), 64, seed).unwrap().parallel();
            (reset(&mut parallel), follow(&mut parallel, &plan), parallel.snapshot().unwrap())
        });
        assert!(found == expected, "{threads} threads");
    }
}

#[test]
fn every_environment_continues_from_a_snapshot_as_if_never_stopped() {
    for entry in catalogue::entries() {
        let make = |seed| entry.make(&toml::Table::new(), 3, Seed::new(seed)).unwrap();
        let mut batch = make(0);
        reset(batch.as_mut());
        let plan = plan(batch.as_ref(), 80);
        follow(batch.as_mut(), &plan[..37]);
        let snapshot = batch.snapshot().unwrap();
        let expected = follow(batch.as_mut(), &plan[37..]);

        let mut restored = make(99);
        reset(restored.as_mut());
        follow(restored.as_mut(), &plan[..5]);
        restored.restore(&snapshot).unwrap();
        assert_eq!(restored.snapshot().unwrap(), snapshot, "{}", entry.name());
        assert!(follow(restored.as_mut(), &plan[37..]) == expected, "{}", entry.name());
    }
}

#[test]
fn a_replica_is_a_fresh_batch_with_its_own_randomness() {
    let mut batch = Batch::new(cart_pole(), 2, Seed::new(0)).unwrap();
    reset(&mut batch);
    let plan = plan(&batch, 30);
    follow(&mut batch, &plan);
    let before = batch.snapshot().unwrap();
    let first = reset(batch.replicate(3, Seed::new(8)).as_mut());
    assert_eq!(first, reset(&mut Batch::new(cart_pole(), 3, Seed::new(8)).unwrap()));
    assert_eq!(batch.snapshot().unwrap(), before);
}

#[test]
fn a_snapshot_of_something_else_is_refused_and_changes_nothing() {
    let snapshot = |batch: &dyn BatchedEnvironment| batch.snapshot().unwrap();
    let mut batch = Batch::new(cart_pole(), 2, Seed::new(0)).unwrap();
    let before = snapshot(&batch);
    let longer = TimeLimit::new(CartPole::new(), 21).unwrap();
    for (other, reason) in [
        (snapshot(&Batch::new(longer, 2, Seed::new(0)).unwrap()), "other parameters"),
        (snapshot(&Batch::new(MountainCar::new(), 2, Seed::new(0)).unwrap()), "another environment"),
        (snapshot(&Batch::new(cart_pole(), 3, Seed::new(0)).unwrap()), "holds 3 copies; this batch has 2"),
        (Vec::new(), "too short"),
        (b"not a snapshot at all".to_vec(), "not a snapshot"),
    ] {
        let message = batch.restore(&other).unwrap_err().to_string();
        assert!(message.contains(reason), "{message}");
        assert_eq!(snapshot(&batch), before);
    }
}

proptest! {
    #[test]
    fn a_truncated_or_altered_snapshot_is_refused(cut in 0usize..400, place in 0usize..400, bit in 0u8..8) {
        let mut batch = Batch::new(cart_pole(), 2, Seed::new(0)).unwrap();
        let snapshot = batch.snapshot().unwrap();
        prop_assert!(batch.restore(&snapshot[..cut % snapshot.len()]).is_err());
        let mut altered = snapshot.clone();
        altered[place % snapshot.len()] ^= 1 << bit;
        prop_assert!(batch.restore(&altered).is_err());
        prop_assert_eq!(batch.snapshot().unwrap(), snapshot);
    }

    #[test]
    fn arbitrary_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut batch = Batch::new(cart_pole(), 2, Seed::new(0)).unwrap();
        prop_assert!(batch.restore(&bytes).is_err());
    }
}

#[test]
fn actions_that_do_not_fit_are_errors_and_nothing_is_stepped() {
    let mut batch = Batch::new(cart_pole(), 2, Seed::new(0)).unwrap();
    let mut step = BatchedStep::new(&batch);
    batch.reset(&mut step.observations).unwrap();
    let before = batch.snapshot().unwrap();
    for actions in [
        Actions::Discrete(vec![0, 2]),
        Actions::Continuous { values: vec![0.0; 2], width: 1 },
        Actions::MultiDiscrete { values: vec![0; 2], width: 1 },
    ] {
        let error = batch.step(&actions, &mut step).unwrap_err();
        assert!(matches!(error, Error::ActionMismatch { .. }), "{error}");
        assert!(error.to_string().contains("the action space is Discrete(2)"), "{error}");
    }
    let error = batch.step(&Actions::Discrete(vec![0]), &mut step).unwrap_err();
    assert_eq!(error, Error::Length { what: "actions", given: 1, expected: 2 });
    assert_eq!(batch.snapshot().unwrap(), before);

    let mut pendulum = Batch::new(Pendulum::new(), 1, Seed::new(0)).unwrap();
    let mut step = BatchedStep::new(&pendulum);
    for values in [vec![f32::NAN], vec![f32::INFINITY]] {
        let error = pendulum.step(&Actions::Continuous { values, width: 1 }, &mut step).unwrap_err();
        assert!(matches!(error, Error::ActionMismatch { .. }), "{error}");
    }
}

#[test]
fn buffers_of_another_length_are_errors() {
    let mut batch = Batch::new(cart_pole(), 2, Seed::new(0)).unwrap();
    assert_eq!(
        batch.reset(&mut [0.0; 7]),
        Err(Error::Length { what: "observations", given: 7, expected: 8 })
    );
    let actions = Actions::Discrete(vec![0, 1]);
    let mut step = BatchedStep::new(&batch);
    step.truncated.pop();
    let error = batch.step(&actions, &mut step).unwrap_err();
    assert_eq!(error, Error::Length { what: "truncated", given: 1, expected: 2 });
}

/// Goes wrong at its third step.
#[derive(Clone, Serialize, Deserialize)]
struct Broken {
    what: Fault,
    time: u32,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
enum Fault {
    Reward,
    Observation,
    Overflow,
    OutOfRange,
    InvalidSpace,
}

impl Environment for Broken {
    fn observation_space(&self) -> Space {
        match self.what {
            Fault::InvalidSpace => Space::symmetric(0, 1.0),
            Fault::OutOfRange => Space::discrete(4),
            _ => Space::symmetric(2, f32::INFINITY),
        }
    }

    fn action_space(&self) -> Space {
        Space::discrete(1)
    }

    fn reset(&mut self, rng: &mut Stream, observation: &mut [f32]) -> Result<(), Error> {
        self.time = 0;
        // Draws, so that copies differ.
        let _: f32 = rng.random();
        observation.fill(0.0);
        Ok(())
    }

    fn step(&mut self, _: Action<'_>, _: &mut Stream, observation: &mut [f32]) -> Result<Outcome, Error> {
        self.time += 1;
        let now = self.time == 3;
        observation.fill(0.0);
        let mut outcome = Outcome::running(1.0);
        match self.what {
            Fault::Reward if now => outcome.reward = f64::NAN,
            Fault::Observation if now => observation[1] = f32::NEG_INFINITY,
            // A sum that overflows is not an observation that is infinite.
            Fault::Overflow => observation.fill(f32::MAX),
            Fault::OutOfRange if now => observation[0] = 4.0,
            _ => {}
        }
        Ok(outcome)
    }
}

#[test]
fn a_broken_environment_is_an_error_that_says_what_and_where() {
    let run = |what, parallel| {
        let batch = Batch::new(Broken { what, time: 0 }, 3, Seed::new(0))?;
        let mut batch = if parallel { batch.parallel() } else { batch };
        let mut step = BatchedStep::new(&batch);
        batch.reset(&mut step.observations)?;
        for _ in 0..5 {
            batch.step(&Actions::Discrete(vec![0; 3]), &mut step)?;
        }
        Ok::<_, Error>(())
    };
    for parallel in [false, true] {
        let message = |what| run(what, parallel).unwrap_err().to_string();
        assert_eq!(message(Fault::Reward), "reward of environment copy 0 is NaN at step 2 of its episode");
        assert_eq!(
            message(Fault::Observation),
            "observation[1] of environment copy 0 is -inf at step 2 of its episode"
        );
        assert!(message(Fault::OutOfRange).contains("observation [4.0] of copy 0 is not in Discrete(4)"));
        assert!(message(Fault::InvalidSpace).contains("invalid space: 0 lower and 0 upper bounds"));
        assert_eq!(run(Fault::Overflow, parallel), Ok(()));
    }
}

#[test]
fn a_batch_of_no_copies_is_an_error() {
    let error = Batch::new(cart_pole(), 0, Seed::new(0)).err().unwrap();
    assert!(error.to_string().contains("`copies` is 0; allowed: 1 or more"), "{error}");
}
