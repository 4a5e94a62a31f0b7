//! What experience costs in memory, as the allocator sees it.

use allocation_counter::measure;
use assay_algorithms::{
    Mode,
    networks::DenseConfig,
    policies::{Exploration, SquashedPolicy, StateDependentNoise},
    replay::{Collector, Replay, Settings, Transition, TransitionBatch},
    tensor::{Cpu, Device},
};
use assay_environments::{Batch, classic::Pendulum, random::Seed, wrappers::TimeLimit};

fn fill(replay: &mut Replay, features: usize, width: usize, count: usize) {
    let (observation, action) = (vec![1.0; features], vec![0.5; width]);
    for i in 0..count {
        replay.push(Transition {
            observation: &observation,
            action: &action,
            reward: i as f32,
            next_observation: &observation,
            terminated: false,
        });
    }
}

#[test]
fn a_million_transitions_take_the_bytes_of_their_numbers() {
    for (features, width) in [(3, 1), (11, 3), (27, 8)] {
        let mut kept = None;
        let taken = measure(|| {
            let mut replay = Replay::new(features, width, 1_000_000).unwrap();
            fill(&mut replay, features, width, 1_000_500);
            kept = Some(replay);
        });
        let needed = 1_000_000 * (4 * (2 * features + width + 1) as u64 + 1);
        assert!(taken.bytes_max <= needed + needed / 20, "{} bytes for {needed}", taken.bytes_max);
        assert!(kept.unwrap().bytes() as u64 <= needed + needed / 20);
    }
}

#[test]
fn storing_and_sampling_allocate_nothing() {
    let mut replay = Replay::new(3, 1, 1000).unwrap();
    assert_eq!(measure(|| fill(&mut replay, 3, 1, 1)).count_total, 2, "the test's own two vectors");
    assert_eq!(measure(|| fill(&mut replay, 3, 1, 3000)).count_total, 2);
    let mut rng = Seed::new(1).stream("replay");
    let mut batch = TransitionBatch::default();
    replay.sample(256, &mut rng, &mut batch);
    let again = measure(|| {
        batch.clear();
        replay.sample(256, &mut rng, &mut batch);
    });
    assert_eq!(again.count_total, 0);
}

#[test]
fn collecting_with_a_network_allocates_nothing_after_the_first_step() {
    let seed = Seed::new(1);
    let environment = TimeLimit::new(Pendulum::new(), 200).unwrap();
    let settings = Settings {
        learning_starts: 0,
        train_every: 1,
        gradient_steps: 1,
        batch_size: 64,
        replay_capacity: 1000,
    };
    let environment = Box::new(Batch::new(environment, 4, seed).unwrap());
    let mut collector = Collector::new("test", environment, settings, seed).unwrap();
    let device = Cpu::open().unwrap();
    let mut rng = seed.stream("initialisation");
    let noise = StateDependentNoise {
        initial_log_std: -1.0,
        redraw_every: Some(2),
        learn_features: false,
        mean_bound: None,
    };
    let network = DenseConfig::default();
    let [policy, noisy] = [None, Some(noise)]
        .map(|noise| SquashedPolicy::new(&device, "policy", (3, 1), &network, noise, &mut rng).unwrap());
    let (mut outputs, mut exploration, mut time) = (Vec::new(), Exploration::default(), 0);
    let mut step = || {
        let episodes = collector.step(|observations, rng, actions| {
            policy.act(observations, Mode::Sample, rng, &mut outputs, actions);
            noisy.explore(observations, time, rng, &mut exploration, actions);
            time += 1;
        });
        episodes.unwrap().len()
    };
    step();
    // Past the end of an episode and of the buffer.
    let later = measure(|| assert_eq!((0..450).map(|_| step()).sum::<usize>(), 8));
    assert_eq!(later.count_total, 0);
}
