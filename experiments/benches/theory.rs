//! Time of exact computations, and of steps that are sampled from a table.
//!
//! `cargo bench --bench theory`. The problems are Garnets with 4 actions and 5 successors each.

use std::hint::black_box;

use assay_environments::{
    Action, Environment,
    random::Seed,
    tabular::{Chain, FiniteMdp, FrozenLake, Garnet},
};
use assay_theory::{
    evaluation::evaluate,
    gradient::{fisher_information, policy_gradient},
    planning::{policy_iteration, value_iteration},
    policy::uniform,
};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ndarray::Array2;

const DISCOUNT: f64 = 0.99;
const ACTIONS: usize = 4;

fn garnet(states: usize) -> FiniteMdp {
    Garnet { states, actions: ACTIONS, branching: 5, seed: 0 }.build().unwrap()
}

fn exact(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("exact");
    group.sample_size(20);
    for states in [10, 50, 200, 500] {
        let mdp = garnet(states);
        let policy = uniform(states, ACTIONS);
        let logits = Array2::zeros((states, ACTIONS));
        group.bench_function(BenchmarkId::new("policy evaluation", states), |bencher| {
            bencher.iter(|| evaluate(black_box(&mdp), &policy, DISCOUNT).unwrap());
        });
        group.bench_function(BenchmarkId::new("value iteration to 1e-6", states), |bencher| {
            bencher.iter(|| value_iteration(black_box(&mdp), DISCOUNT, 1e-6).unwrap());
        });
        group.bench_function(BenchmarkId::new("policy iteration", states), |bencher| {
            bencher.iter(|| policy_iteration(black_box(&mdp), DISCOUNT).unwrap());
        });
        group.bench_function(BenchmarkId::new("policy gradient", states), |bencher| {
            bencher.iter(|| policy_gradient(black_box(&mdp), &logits, DISCOUNT).unwrap());
        });
        if states <= 200 {
            group.bench_function(BenchmarkId::new("Fisher information", states), |bencher| {
                bencher.iter(|| fisher_information(black_box(&mdp), &logits, DISCOUNT).unwrap());
            });
        }
    }
}

/// One process without batching, observation as a number: what sampling from the table costs.
fn sampling(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sampling");
    group.throughput(Throughput::Elements(1));
    let dense = Garnet { states: 100, actions: ACTIONS, branching: 100, seed: 0 };
    for (name, mdp) in [
        ("FrozenLake", FrozenLake::default().build().unwrap()),
        ("Chain", Chain::default().build().unwrap()),
        ("Garnet with 1000 states", garnet(1000)),
        ("Garnet with 100 states, dense", dense.build().unwrap()),
    ] {
        let mut mdp = mdp;
        let mut rng = Seed::new(0).stream("environment");
        let mut observation = [0.0];
        mdp.reset(&mut rng, &mut observation).unwrap();
        let mut action = 0;
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                action = (action + 1) % mdp.actions();
                let outcome = mdp.step(Action::Discrete(action), &mut rng, &mut observation).unwrap();
                if outcome.done() {
                    mdp.reset(&mut rng, &mut observation).unwrap();
                }
                outcome.reward
            });
        });
    }
}

criterion_group!(benches, exact, sampling);
criterion_main!(benches);
