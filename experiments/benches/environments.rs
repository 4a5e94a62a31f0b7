//! Steps per second of the environments, in batches, on one thread.
//!
//! `cargo bench --bench environments`. Actions are drawn beforehand; everything else that a learner
//! pays for (checks, observations as features, auto-reset, episode counts) is inside.

use std::hint::black_box;

use assay_environments::{Actions, BatchedStep, catalogue, random::Seed};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

/// Batches of actions that are used in turn.
const ROUNDS: usize = 64;

fn step(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("step");
    for entry in catalogue::entries() {
        let sizes: &[usize] = if entry.name() == "CartPole-v1" { &[1, 8, 64, 1024] } else { &[64] };
        for &copies in sizes {
            let seed = Seed::new(0);
            let mut batch = entry.make(&toml::Table::new(), copies, seed).unwrap();
            let mut step = BatchedStep::new(batch.as_ref());
            batch.reset(&mut step.observations).unwrap();
            let mut rng = seed.stream("actions");
            let actions: Vec<Actions> = (0..ROUNDS)
                .map(|_| {
                    let mut actions = Actions::zeros(batch.action_space(), copies);
                    batch.action_space().sample(&mut rng, &mut actions);
                    actions
                })
                .collect();
            group.throughput(Throughput::Elements(copies as u64));
            group.bench_function(BenchmarkId::new(entry.name(), copies), |bencher| {
                let mut round = 0;
                bencher.iter(|| {
                    batch.step(&actions[round % ROUNDS], &mut step).unwrap();
                    round += 1;
                    black_box(step.observations[0])
                });
            });
        }
    }
}

criterion_group!(benches, step);
criterion_main!(benches);
