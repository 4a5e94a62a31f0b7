//! Time of trajectories, gradients and Hessian-vector products, and of whole steps of the methods.
//!
//! `cargo bench --bench policy_gradients`. A Hessian-vector product comes with its gradient; it
//! should cost no more than four gradients.

use std::hint::black_box;

use assay_algorithms::{
    catalogue::{self, DeviceKind},
    networks::Activation,
    policies::NetworkConfig,
    tensor::Cpu,
    trajectory_gradient::{
        BaselineForm, Estimator, NetworkPolicy, PolicyConfig, PolicyForm, Sampler, ScorePolicy, Trajectory,
    },
};
use assay_environments::{
    Batch, BatchedEnvironment,
    classic::{CartPole, Pendulum},
    hills::Hills,
    random::Seed,
    tabular::Garnet,
    wrappers::TimeLimit,
};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

const SEED: Seed = Seed::new(0);

fn garnet() -> Box<dyn BatchedEnvironment> {
    let mdp = Garnet { states: 20, actions: 4, branching: 3, seed: 0 }.build().unwrap();
    Box::new(Batch::new(TimeLimit::new(mdp, 10).unwrap(), 1, SEED).unwrap())
}

fn hills() -> Box<dyn BatchedEnvironment> {
    let hills = Hills::default().build().unwrap();
    Box::new(Batch::new(TimeLimit::new(hills, 40).unwrap(), 1, SEED).unwrap())
}

fn cart_pole() -> Box<dyn BatchedEnvironment> {
    Box::new(Batch::new(TimeLimit::new(CartPole::default(), 200).unwrap(), 8, SEED).unwrap())
}

fn pendulum() -> Box<dyn BatchedEnvironment> {
    Box::new(Batch::new(TimeLimit::new(Pendulum::default(), 200).unwrap(), 8, SEED).unwrap())
}

fn policy(environment: &dyn BatchedEnvironment, form: PolicyForm, hidden: &[usize]) -> Box<dyn ScorePolicy> {
    let network =
        NetworkConfig { hidden: hidden.to_vec(), activation: Activation::Tanh, ..NetworkConfig::default() };
    let config = PolicyConfig { form, network, ..PolicyConfig::default() };
    if form == PolicyForm::Network {
        let (observations, actions) = (environment.observation_space(), environment.action_space());
        return Box::new(NetworkPolicy::new(&Cpu::default(), observations, actions, &config, SEED).unwrap());
    }
    config.policy(environment, SEED, Cpu::default()).unwrap()
}

/// A problem, a form of policy, and the hidden layers of a network.
type Case = (&'static str, Box<dyn BatchedEnvironment>, PolicyForm, &'static [usize]);

fn cases() -> Vec<Case> {
    vec![
        ("tabular softmax, Garnet", garnet(), PolicyForm::TabularSoftmax, &[]),
        ("linear Gaussian, Hills", hills(), PolicyForm::LinearGaussian, &[]),
        ("network 8-8, CartPole", cart_pole(), PolicyForm::Network, &[8, 8]),
        ("network 64-64, CartPole", cart_pole(), PolicyForm::Network, &[64, 64]),
        ("network 64-64, Pendulum", pendulum(), PolicyForm::Network, &[64, 64]),
    ]
}

fn batch(sampler: &mut Sampler, policy: &dyn ScorePolicy) -> Vec<Trajectory> {
    let (mut batch, mut episodes) = (Vec::new(), Vec::new());
    sampler.sample(policy, 1, 200, &mut batch, &mut episodes).unwrap();
    batch
}

/// Time per environment step of playing trajectories, with a table of S = 20, A = 4, H = 10 first.
fn trajectories(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("trajectories");
    for (name, environment, form, hidden) in cases() {
        let policy = policy(&*environment, form, hidden);
        let mut sampler = Sampler::new(environment, SEED);
        let (mut trajectories, mut episodes) = (Vec::new(), Vec::new());
        let before = sampler.steps();
        sampler.sample(&*policy, 100, 200, &mut trajectories, &mut episodes).unwrap();
        group.throughput(Throughput::Elements((sampler.steps() - before) / 100));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                episodes.clear();
                sampler.sample(&*policy, 1, 200, &mut trajectories, &mut episodes).unwrap();
            });
        });
    }
}

/// A gradient, and a Hessian-vector product, over the same trajectories.
fn derivatives(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("derivatives");
    for (name, environment, form, hidden) in cases() {
        let mut policy = policy(&*environment, form, hidden);
        let mut sampler = Sampler::new(environment, SEED);
        let trajectories = batch(&mut sampler, &*policy);
        let size = policy.dimension();
        let direction: Vec<f64> = (0..size).map(|i| (i as f64).sin()).collect();
        let mut result = vec![0.0; size];
        let mut estimator = Estimator::new(0.99, BaselineForm::None);
        group.bench_function(BenchmarkId::new("gradient", name), |bencher| {
            bencher.iter(|| estimator.gradient(&mut *policy, black_box(&trajectories), &mut result));
        });
        group.bench_function(BenchmarkId::new("Hessian-vector product", name), |bencher| {
            bencher.iter(|| {
                estimator.hessian_product(&mut *policy, black_box(&trajectories), &direction, &mut result);
            });
        });
    }
}

/// One iteration of every method: trajectories, estimates and the step.
fn methods(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("iteration on a Garnet");
    let parameters = "trajectories = { horizon = 10, discount = 0.9 }".parse().unwrap();
    for name in ["n-harpg", "n-pg-igt", "n-mpg", "storm-pg", "srvr-pg", "hapg", "is-mbpg"] {
        let mut learner = catalogue::make(name, &parameters, garnet(), SEED, DeviceKind::Cpu).unwrap();
        group.bench_function(name, |bencher| bencher.iter(|| learner.advance().unwrap()));
    }
}

criterion_group!(benches, trajectories, derivatives, methods);
criterion_main!(benches);
