//! Environment steps per second of whole iterations of the on-policy learners, collecting and
//! updating together, on CartPole-v1.
//!
//! `cargo bench --bench on_policy`. "default" is each algorithm as configured by default on one copy
//! of the environment: for PPO these are Stable-Baselines3's settings (2048 steps, minibatches of 64,
//! 10 epochs, two layers of 64 units). "8 copies" collects as many steps from eight copies.
//! "collect" is what experience alone costs, with a policy that is not updated; the rest of an
//! iteration is its update. "lot-sizing" compares PDPPO with PPO on the 15 x 5 plant, with the same
//! networks, as many samples in every epoch and as many epochs; PDPPO has three networks, PPO two.
//! "adaptive sampling" compares PROPS with PPO, with and without a buffer.

use std::{hint::black_box, time::Duration};

use assay_algorithms::{
    catalogue::{self, DeviceKind},
    on_policy::{ActorCritic, Settings},
    policies::NetworkConfig,
    tensor::{Cpu, Device},
};
use assay_environments::{BatchedEnvironment, catalogue::make, random::Seed};
use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};

const STEPS: usize = 2048;

fn cart_pole(copies: usize) -> Box<dyn BatchedEnvironment> {
    make("CartPole-v1", &toml::Table::new(), copies, Seed::new(0)).expect("CartPole-v1")
}

fn iteration(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("on-policy iteration");
    group.sampling_mode(SamplingMode::Flat).sample_size(10).measurement_time(Duration::from_secs(3));
    group.throughput(Throughput::Elements(STEPS as u64));
    for algorithm in ["reinforce", "ppo", "trpo", "mdpo-on-policy"] {
        for copies in [1, 8] {
            let parameters: toml::Table = [("steps".to_owned(), (STEPS / copies) as i64)]
                .map(|(name, value)| (name, toml::Value::Integer(value)))
                .into_iter()
                .collect();
            let learner =
                catalogue::make(algorithm, &parameters, cart_pole(copies), Seed::new(0), DeviceKind::Cpu);
            let mut learner = learner.expect("a valid configuration");
            let setting = if copies == 1 { "default" } else { "8 copies" };
            group.bench_function(format!("{algorithm}, {setting}"), |bencher| {
                bencher.iter(|| black_box(learner.advance().expect("an iteration")));
            });
        }
    }
}

fn collect(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("on-policy collect");
    group.throughput(Throughput::Elements(STEPS as u64));
    for copies in [1, 8] {
        let settings = Settings {
            steps: STEPS / copies,
            discount: 0.99,
            lambda: 0.95,
            normalise_observations: false,
            normalise_rewards: false,
            network: &NetworkConfig::default(),
        };
        let device = Cpu::open().expect("the CPU");
        let agent = ActorCritic::new(settings, cart_pole(copies), Seed::new(0), device);
        let mut agent = agent.expect("a valid configuration");
        group.bench_function(format!("{copies} copies"), |bencher| {
            bencher.iter(|| agent.collect().expect("a rollout"));
        });
    }
}

fn lot_sizing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("lot-sizing iteration");
    group.sampling_mode(SamplingMode::Flat).sample_size(10).measurement_time(Duration::from_secs(3));
    group.throughput(Throughput::Elements(STEPS as u64));
    let common = format!("steps = {}\nepochs = 10\nnetwork = {{ hidden = [64, 64] }}", STEPS / 8);
    for (algorithm, own) in [
        ("ppo", format!("minibatch_size = {STEPS}")),
        ("pdppo", "chunks = 1\ncritic_network = { hidden = [64, 64] }".to_owned()),
    ] {
        let parameters = format!("{common}\n{own}").parse().expect("TOML");
        let plants = make("LotSizing", &toml::Table::new(), 8, Seed::new(0)).expect("LotSizing");
        let learner = catalogue::make(algorithm, &parameters, plants, Seed::new(0), DeviceKind::Cpu);
        let mut learner = learner.expect("a valid configuration");
        group.bench_function(algorithm, |bencher| {
            bencher.iter(|| black_box(learner.advance().expect("an iteration")));
        });
    }
}

/// "PPO" learns from 2048 steps at a time. With a buffer it learns from 4096, half of them old, and PROPS
/// besides adapts its behaviour policy twice, with the settings of its authors.
fn adaptive_sampling(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("adaptive sampling iteration");
    group.sampling_mode(SamplingMode::Flat).sample_size(10).measurement_time(Duration::from_secs(3));
    group.throughput(Throughput::Elements(STEPS as u64));
    for (name, algorithm, parameters) in [
        ("ppo", "ppo", "minibatch_size = 64"),
        ("ppo with a buffer", "props", "epochs = 0\nsampling_error = false\nppo = { minibatch_size = 128 }"),
        ("props", "props", "sampling_error = false\nppo = { minibatch_size = 128 }"),
        ("props, sampling error measured", "props", "ppo = { minibatch_size = 128 }"),
    ] {
        let parameters = parameters.parse().expect("TOML");
        let learner = catalogue::make(algorithm, &parameters, cart_pole(1), Seed::new(0), DeviceKind::Cpu);
        let mut learner = learner.expect("a valid configuration");
        // Until the buffer is full.
        for _ in 0..2 {
            learner.advance().expect("an iteration");
        }
        group.bench_function(name, |bencher| {
            bencher.iter(|| black_box(learner.advance().expect("an iteration")));
        });
    }
}

criterion_group!(benches, iteration, collect, lot_sizing, adaptive_sampling);
criterion_main!(benches);
