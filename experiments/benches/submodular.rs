//! Time of submodular exploration: increments beside the definition, steps, and whole iterations.
//!
//! `cargo bench --bench submodular`. `increments` adds the places of a random walk one after the other;
//! `definition` evaluates F of every prefix from nothing, which is what a learner without increments
//! does. `comparison/submodular.py` has the same workloads in NumPy.

use std::hint::black_box;

use assay_algorithms::{
    Learner,
    subpo::{Baseline, Config, PolicyForm, SubPo},
    tensor::{Cpu, Device},
};
use assay_environments::{
    Actions, Batch, BatchedEnvironment, BatchedStep, Environment,
    random::Seed,
    submodular::{GridCoverage, InformativePath, ItemGrid, Submodular, VisitedSet},
};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rand::Rng;

/// Places of a random walk with the problem's horizon.
fn walk(problem: &dyn Submodular) -> Vec<usize> {
    let mut rng = Seed::new(0).stream("walk");
    let mut path = vec![problem.start()];
    for h in 0..problem.horizon() {
        let action = rng.random_range(0..problem.moves().actions());
        path.push(problem.moves().next(path[h], action));
    }
    path
}

fn gains(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("submodular/gain");
    let coverage = GridCoverage::default().build().unwrap();
    let items = ItemGrid::default().build().unwrap();
    let information = InformativePath::default().build().unwrap();
    let problems: [(&str, &dyn Submodular); 3] =
        [("coverage", &coverage), ("items", &items), ("information", &information)];
    for (name, problem) in problems {
        let (function, path) = (problem.set_function(), walk(problem));
        group.throughput(Throughput::Elements(path.len() as u64));
        group.bench_function(BenchmarkId::new("increments", name), |bencher| {
            let mut set = VisitedSet::new(function, path.len());
            bencher.iter(|| {
                set.clear();
                path.iter().map(|&place| set.add(function, black_box(place))).sum::<f64>()
            });
        });
        group.bench_function(BenchmarkId::new("definition", name), |bencher| {
            bencher.iter(|| (1..=path.len()).map(|end| function.value(black_box(&path[..end]))).sum::<f64>());
        });
    }
    group.finish();
}

/// 20 copies with random actions.
fn steps(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("submodular/step");
    let mut bench = |name: &str, mut environment: Box<dyn BatchedEnvironment>| {
        let mut step = BatchedStep::new(&*environment);
        let mut actions = Actions::zeros(environment.action_space(), environment.copies());
        environment.action_space().clone().sample(&mut Seed::new(0).stream("actions"), &mut actions);
        environment.reset(&mut step.observations).unwrap();
        group.throughput(Throughput::Elements(environment.copies() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| environment.step(black_box(&actions), &mut step).unwrap());
        });
    };
    bench("coverage", batch(GridCoverage::default().build().unwrap()));
    bench("items", batch(ItemGrid::default().build().unwrap()));
    bench("information", batch(InformativePath::default().build().unwrap()));
    group.finish();
}

fn batch<E: Environment>(environment: E) -> Box<dyn BatchedEnvironment> {
    Box::new(Batch::new(environment, 20, Seed::new(0)).unwrap())
}

/// One iteration of SubPO on 30 × 30 coverage: 200 trajectories of 39 steps, and the update.
fn iterations(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("submodular/iteration");
    group.sample_size(10);
    group.throughput(Throughput::Elements(200 * 39));
    for (name, policy) in [("tabular", PolicyForm::Tabular), ("network", PolicyForm::Network)] {
        let config =
            Config { policy, trajectories: 200, baseline: Baseline::LeaveOneOut, ..Config::default() };
        let environment = batch(GridCoverage::default().build().unwrap());
        let mut learner = SubPo::new(config, environment, Seed::new(0), Cpu::open().unwrap()).unwrap();
        group.bench_function(name, |bencher| bencher.iter(|| learner.advance().unwrap()));
    }
    group.finish();
}

criterion_group!(benches, gains, steps, iterations);
criterion_main!(benches);
