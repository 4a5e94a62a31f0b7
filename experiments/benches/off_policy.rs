//! Off-policy learning: drawing from replay, one environment step with its update, and the parts
//! that a gradient step is made of.
//!
//! ```text
//! cargo bench --bench off_policy
//! ```

use std::hint::black_box;

use assay_algorithms::{
    Learner,
    catalogue::{self, DeviceKind},
    replay::{Replay, Transition, TransitionBatch},
};
use assay_environments::{catalogue as environments, random::Seed};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

/// A batch of 256 from a million transitions of a pendulum's and of a walking robot's size: nearly
/// every row is a cache miss.
fn replay(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("replay/sample-256");
    group.throughput(Throughput::Elements(256));
    for (features, width) in [(3, 1), (17, 6)] {
        let mut replay = Replay::new(features, width, 1_000_000).expect("memory");
        for i in 0..1_000_000 {
            replay.push(Transition {
                observation: &vec![i as f32; features],
                action: &vec![0.0; width],
                reward: 0.0,
                next_observation: &vec![0.0; features],
                terminated: false,
            });
        }
        let mut rng = Seed::new(1).stream("replay");
        let mut batch = TransitionBatch::default();
        group.bench_function(BenchmarkId::from_parameter(format!("{features}+{width}")), |bencher| {
            bencher.iter(|| {
                batch.clear();
                replay.sample(256, &mut rng, &mut batch);
                black_box(batch.rewards[0])
            });
        });
    }
}

/// A learner on Pendulum that has begun to learn, advancing by one environment step and one update
/// at a time.
fn learner(name: &str, hidden: usize, batch_size: usize) -> Box<dyn Learner> {
    let seed = Seed::new(1);
    let environment = environments::make("Pendulum-v1", &toml::Table::new(), 1, seed).expect("known");
    let parameters =
        format!("steps = 1\nlearning_starts = 256\nhidden = [{hidden}, {hidden}]\nbatch_size = {batch_size}");
    let parameters = parameters.parse().expect("well-formed");
    let mut learner = catalogue::make(name, &parameters, environment, seed, DeviceKind::Cpu).expect("valid");
    while learner.steps() < 300 {
        learner.advance().expect("finite");
    }
    learner
}

/// One environment step, one action and one update: the number that is compared with other
/// libraries' updates per second.
fn updates(criterion: &mut Criterion) {
    for name in ["sac", "td3", "mdpo-off-policy"] {
        let mut group = criterion.benchmark_group(format!("{name}/step-and-update"));
        group.throughput(Throughput::Elements(1));
        for hidden in [64, 256] {
            let mut learner = learner(name, hidden, 256);
            group.bench_function(BenchmarkId::from_parameter(format!("2x{hidden}")), |bencher| {
                bencher.iter(|| learner.advance().expect("finite").metrics.len());
            });
        }
    }
}

/// The same without an update: what collecting costs.
fn collecting(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sac/step");
    for hidden in [64, 256] {
        let seed = Seed::new(1);
        let environment = environments::make("Pendulum-v1", &toml::Table::new(), 1, seed).expect("known");
        let parameters = format!(
            "steps = 100\nlearning_starts = 0\ntrain_every = 1_000_000_000\nhidden = [{hidden}, {hidden}]"
        );
        let parameters = parameters.parse().expect("well-formed");
        let mut learner =
            catalogue::make("sac", &parameters, environment, seed, DeviceKind::Cpu).expect("valid");
        group.throughput(Throughput::Elements(100));
        group.bench_function(BenchmarkId::from_parameter(format!("2x{hidden}")), |bencher| {
            bencher.iter(|| learner.advance().expect("finite").metrics.len());
        });
    }
}

criterion_group!(benches, replay, collecting, updates);
criterion_main!(benches);
