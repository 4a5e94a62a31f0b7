//! Time of episodic tabular learning: steps with their counts, and planning by size.
//!
//! `cargo bench --bench episodic`. Problems are Garnets with an equal number of successors; a step is
//! one environment step through the whole loop of a learner: draw an action, step, decode, count.
//! Planning is one choice of a policy from counts in which every pair was visited. Its cost is
//! O(S²AH): doubling the states must cost four times as much, doubling actions or steps twice.

use std::hint::black_box;

use assay_algorithms::{
    dope,
    episodic::{ConfidenceBounds, Constraint, Counts, Episodic, Strategy},
    optpess_lp,
    stepmix::{Config, EpsMix, EpsMixConfig, StepMix},
};
use assay_environments::{BatchedEnvironment, catalogue, random::Seed};
use assay_theory::confidence::Bonus;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

const SCALED: Bonus = Bonus { scale: 0.01, variance: 3.0, range: 14.0, spread: 1.0 };

fn environment(states: usize, actions: usize, horizon: usize) -> Box<dyn BatchedEnvironment> {
    let parameters = format!("states = {states}\nactions = {actions}\nhorizon = {horizon}\nbranching = 3");
    catalogue::make("Garnet", &parameters.parse().unwrap(), 1, Seed::new(0)).unwrap()
}

fn step_mix() -> StepMix {
    StepMix::new(Config { bonus: SCALED, ..Config::default() }).unwrap()
}

fn learner(states: usize, actions: usize, horizon: usize) -> Episodic<StepMix> {
    let environment = environment(states, actions, horizon);
    Episodic::new(step_mix(), &Constraint::default(), 0.0, environment, Seed::new(0)).unwrap()
}

/// Steps and the update of the counts, without planning.
fn episodes(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("episodic/steps");
    for (states, actions, horizon) in [(3, 3, 3), (20, 4, 10), (100, 4, 10)] {
        let mut learner = learner(states, actions, horizon);
        group.throughput(Throughput::Elements(horizon as u64));
        let name = BenchmarkId::from_parameter(format!("S={states} A={actions} H={horizon}"));
        group.bench_function(name, |bencher| bencher.iter(|| learner.play_episode().unwrap()));
    }
    group.finish();
}

/// One recursion of bounds: the optimistic policy.
fn planning(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("episodic/optimistic policy");
    let sizes = [(10, 4, 10), (20, 4, 10), (40, 4, 10), (80, 4, 10), (20, 8, 10), (20, 4, 20)];
    for (states, actions, horizon) in sizes {
        let learner = learner(states, actions, horizon);
        let counts = Counts::exact(learner.mdp(), 1e3).unwrap();
        group.throughput(Throughput::Elements((states * states * actions * horizon) as u64));
        let name = BenchmarkId::from_parameter(format!("S={states} A={actions} H={horizon}"));
        group.bench_function(name, |bencher| {
            let bounds = ConfidenceBounds::new(learner.problem(), black_box(&counts), &SCALED, 0.1);
            bencher.iter(|| black_box(bounds.optimistic()));
        });
    }
    group.finish();
}

/// A whole choice of a policy, algorithm by algorithm.
fn choices(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("episodic/choice");
    group.sample_size(10);
    let learner_of = |states, horizon| {
        let learner = learner(states, 4, horizon);
        let counts = Counts::exact(learner.mdp(), 100.0).unwrap();
        (learner, counts)
    };
    for (states, horizon) in [(5, 5), (20, 10)] {
        let (learner, counts) = learner_of(states, horizon);
        let problem = learner.problem();
        let mut bench = |name: &str, choose: &dyn Fn()| {
            let name = BenchmarkId::new(name, format!("S={states} A=4 H={horizon}"));
            group.bench_function(name, |bencher| bencher.iter(choose));
        };
        let strategy = step_mix();
        bench("StepMix", &|| drop(black_box(strategy.choose(problem, &counts, 0).unwrap())));
        let strategy = EpsMix::new(EpsMixConfig { bonus: SCALED, ..EpsMixConfig::default() }).unwrap();
        bench("EpsMix", &|| drop(black_box(strategy.choose(problem, &counts, 0).unwrap())));
        let config = optpess_lp::Config { scale: 1e-4, ..optpess_lp::Config::default() };
        let strategy = optpess_lp::OptPessLp::new(config).unwrap();
        bench("OptPess-LP", &|| drop(black_box(strategy.choose(problem, &counts, 0).unwrap())));
        if states == 5 {
            let config = dope::Config { scale: 0.03, ..dope::Config::default() };
            let strategy = dope::Dope::new(config).unwrap();
            bench("DOPE", &|| drop(black_box(strategy.choose(problem, &counts, 0).unwrap())));
        }
    }
    group.finish();
}

criterion_group!(benches, episodes, planning, choices);
criterion_main!(benches);
