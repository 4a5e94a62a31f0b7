//! Control steps per second of the robots on rapier.
//!
//! `cargo bench --bench physics`. The group `control step` is one robot on one thread, resets included;
//! the group `threads` is a batch of sixteen Hoppers on one and on two threads.

use std::hint::black_box;

use assay_environments::{Actions, BatchedEnvironment, BatchedStep, Space, catalogue, random::Seed};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

/// Batches of actions that are used in turn.
const ROUNDS: usize = 256;

fn batch(name: &str, copies: usize) -> Box<dyn BatchedEnvironment> {
    catalogue::make(name, &toml::Table::new(), copies, Seed::new(0)).unwrap()
}

fn random_actions(space: &Space, copies: usize) -> Vec<Actions> {
    let mut rng = Seed::new(0).stream("actions");
    let draw = |_| {
        let mut actions = Actions::zeros(space, copies);
        space.sample(&mut rng, &mut actions);
        actions
    };
    (0..ROUNDS).map(draw).collect()
}

fn control_steps(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("control step");
    for entry in catalogue::entries().iter().filter(|entry| entry.name().starts_with("Rapier")) {
        let mut batch = batch(entry.name(), 1);
        let mut step = BatchedStep::new(batch.as_ref());
        batch.reset(&mut step.observations).unwrap();
        let actions = random_actions(batch.action_space(), 1);
        group.throughput(Throughput::Elements(1));
        group.bench_function(entry.name(), |bencher| {
            let mut round = 0;
            bencher.iter(|| {
                batch.step(&actions[round % ROUNDS], &mut step).unwrap();
                round += 1;
                black_box(step.observations[0])
            });
        });
    }
}

fn threads(criterion: &mut Criterion) {
    let copies = 16;
    let mut group = criterion.benchmark_group("threads");
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let mut batch = batch("RapierHopper", copies);
        let mut step = BatchedStep::new(batch.as_ref());
        batch.reset(&mut step.observations).unwrap();
        let actions = random_actions(batch.action_space(), copies);
        group.throughput(Throughput::Elements(copies as u64));
        group.bench_function(BenchmarkId::new("RapierHopper", threads), |bencher| {
            let mut round = 0;
            pool.install(|| {
                bencher.iter(|| {
                    batch.step(&actions[round % ROUNDS], &mut step).unwrap();
                    round += 1;
                });
            });
        });
    }
}

criterion_group!(benches, control_steps, threads);
criterion_main!(benches);
