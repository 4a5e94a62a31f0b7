//! Time of robust planning and of incremental worst-case search, exact and deep.
//!
//! `cargo bench --bench robust`. Robust value iteration reads every alternative in every iteration; the
//! incremental search solves a few ordinary problems instead and evaluates policies between them. The deep
//! part is one environment step with its update: of SAC and TD3, of an agent with the enhanced critic, and of
//! the robust learners compared with it.

use std::hint::black_box;

use assay_algorithms::{
    Learner,
    catalogue::{self, DeviceKind},
    iwocs::{
        cma_es::CmaEs,
        tabular::{Config, TabularIwocs},
    },
};
use assay_environments::{
    catalogue as environments,
    random::Seed,
    tabular::{RandomUncertainty, UncertaintySet, WindyWalk},
};
use assay_theory::robust::{robust_evaluation, robust_value_iteration};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

const DISCOUNT: f64 = 0.95;
const TOLERANCE: f64 = 1e-9;

fn problems() -> Vec<(String, UncertaintySet)> {
    let random = |models| {
        let problem = RandomUncertainty { states: 20, actions: 4, models, rectangular: true, seed: 0 };
        (format!("random S=20 A=4 K={models}"), problem.build().expect("valid"))
    };
    let walk = WindyWalk::uncertainty_set(25, 0.5).expect("valid");
    vec![("windy walk".into(), walk), random(2), random(8), random(32)]
}

fn tabular(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("robust/tabular");
    group.sample_size(10);
    for (name, set) in problems() {
        let hull = set.hull().expect("valid");
        group.bench_function(BenchmarkId::new("robust value iteration", &name), |bencher| {
            bencher.iter(|| robust_value_iteration(black_box(&hull), DISCOUNT, TOLERANCE).expect("settles"));
        });
        let policy = robust_value_iteration(&hull, DISCOUNT, TOLERANCE).expect("settles").policy;
        group.bench_function(BenchmarkId::new("robust evaluation", &name), |bencher| {
            bencher.iter(|| robust_evaluation(black_box(&hull), &policy, DISCOUNT).expect("settles"));
        });
        let learner = TabularIwocs::new(Config::default(), set.clone(), Seed::new(0)).expect("valid");
        group.bench_function(BenchmarkId::new("IWOCS", &name), |bencher| {
            bencher.iter_batched(
                || learner.clone(),
                |mut learner| {
                    while learner.list().stop().is_none() {
                        learner.advance().expect("settles");
                    }
                    learner
                },
                criterion::BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

/// A learner on Pendulum that has begun to learn, advancing by one step and one update at a time.
fn learner(name: &str, parameters: &str) -> Box<dyn Learner> {
    let seed = Seed::new(1);
    let environment = environments::make("Pendulum-v1", &toml::Table::new(), 1, seed).expect("known");
    let parameters = parameters.parse().expect("well-formed");
    let mut learner = catalogue::make(name, &parameters, environment, seed, DeviceKind::Cpu).expect("valid");
    while learner.steps() < 600 {
        learner.advance().expect("finite");
    }
    learner
}

fn deep(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("robust/step with its update");
    let sac = "steps = 1\nlearning_starts = 100\nhidden = [64, 64]\nbatch_size = 64";
    let small = "default_steps = 300\nmodel_steps = 1_000_000_000\nthresholds = [1.0]";
    for (name, parameters) in [
        ("sac", sac.to_owned()),
        ("domain-randomisation", format!("[sac]\n{sac}")),
        ("iwocs", format!("{small}\n[sac]\n{sac}")),
        ("rarl", format!("[sac]\n{sac}")),
        ("td3", sac.to_owned()),
        ("m2td3", format!("[td3]\n{sac}")),
    ] {
        let mut learner = learner(name, &parameters);
        group.bench_function(name, |bencher| bencher.iter(|| black_box(learner.advance().expect("finite"))));
    }
    group.finish();
}

fn search(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("robust/generation of CMA-ES");
    for (dimensions, population) in [(2, 20), (3, 100), (10, 100)] {
        let mut strategy = CmaEs::new(&vec![0.5; dimensions], 0.3, population);
        let mut rng = Seed::new(0).stream("search");
        let name = BenchmarkId::from_parameter(format!("n={dimensions} λ={population}"));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let candidates = strategy.ask(&mut rng);
                let values: Vec<f64> = candidates.iter().map(|c| c.iter().map(|x| x * x).sum()).collect();
                strategy.tell(&candidates, &values);
            });
        });
    }
    group.finish();
}

criterion_group!(benches, tabular, deep, search);
criterion_main!(benches);
