//! How long the numerical heart of the learners takes, on one thread: networks fused and composed,
//! whole updates of the sizes that PPO and TD3 have, and acting.
//!
//! `cargo bench --bench tensor`. `comparison/tensor.py` measures the same workloads in PyTorch.

use std::hint::black_box;

use assay_algorithms::{
    Error,
    networks::{Activation, DenseConfig, DenseStack, Ensemble, Initialisation},
    optimisers::{Adam, AdamConfig},
    tensor::{
        Cpu, Device, MatrixOperations, Operations, Parameters, Record, ScalarOperations, VectorOperations,
        backward, join_columns,
    },
};
use assay_environments::random::{Seed, Stream};
use criterion::{Criterion, criterion_group, criterion_main};
use rand::Rng;

fn config(hidden: usize, activation: Activation) -> DenseConfig {
    DenseConfig { hidden: vec![hidden; 2], activation, ..DenseConfig::default() }
}

fn uniform(count: usize, rng: &mut Stream) -> Vec<f32> {
    (0..count).map(|_| rng.random_range(-1.0..1.0)).collect()
}

/// Forward and backward through one stack, fused and composed of the device's operations.
fn stacks(criterion: &mut Criterion) {
    let device = Cpu::open().expect("the CPU");
    let mut rng = Seed::new(0).stream("benchmark");
    for (name, hidden, inputs, outputs, batch) in
        [("11-64-64-3 × 64", 64, 11, 3, 64), ("14-256-256-1 × 256", 256, 14, 1, 256)]
    {
        let config = config(hidden, Activation::Tanh);
        let stack = DenseStack::new(&device, "stack", inputs, outputs, &config, &mut rng).expect("memory");
        let data = device.matrix(&uniform(batch * inputs, &mut rng), batch, inputs).expect("memory");
        let mut group = criterion.benchmark_group(format!("forward and backward {name}"));
        group.bench_function("fused", |b| {
            b.iter(|| {
                let outputs = stack.record(data.clone()).expect("memory");
                backward(outputs.square().mean_all(), "loss").expect("finite")
            });
        });
        group.bench_function("composed", |b| {
            b.iter(|| {
                let outputs = stack.forward_composed(data.clone().recorded()).expect("memory");
                backward(outputs.square().mean_all(), "loss").expect("finite")
            });
        });
        group.finish();
    }
}

/// PPO's update on one minibatch of 64: a Gaussian policy and a value, the clipped objective,
/// entropy, value loss, Adam with a limited global norm.
struct Ppo {
    device: Cpu,
    policy: DenseStack<Cpu>,
    log_deviation: Parameters<Cpu>,
    value: DenseStack<Cpu>,
    adam: Adam<Cpu>,
    observations: Vec<f32>,
    actions: Vec<f32>,
    log_probs: Vec<f32>,
    advantages: Vec<f32>,
    returns: Vec<f32>,
}

const BATCH: usize = 64;
const OBSERVATION: usize = 11;
const ACTION: usize = 3;

impl Ppo {
    fn new() -> Result<Self, Error> {
        let device = Cpu::open()?;
        let mut rng = Seed::new(0).stream("benchmark");
        let config = config(64, Activation::Tanh);
        let policy = DenseStack::new(&device, "policy", OBSERVATION, ACTION, &config, &mut rng)?;
        let value = DenseStack::new(&device, "value", OBSERVATION, 1, &config, &mut rng)?;
        let log_deviation = Parameters::free(&device, "log_deviation", &[0.0; ACTION])?;
        let settings = AdamConfig { epsilon: 1e-5, max_gradient_norm: Some(0.5), ..AdamConfig::default() };
        let adam = Adam::new(settings, &[policy.parameters(), &log_deviation, value.parameters()])?;
        Ok(Ppo {
            observations: uniform(BATCH * OBSERVATION, &mut rng),
            actions: uniform(BATCH * ACTION, &mut rng),
            log_probs: uniform(BATCH, &mut rng).iter().map(|x| x - 3.5).collect(),
            advantages: uniform(BATCH, &mut rng),
            returns: uniform(BATCH, &mut rng),
            device,
            policy,
            log_deviation,
            value,
            adam,
        })
    }

    fn update(&mut self) -> Result<f32, Error> {
        let device = &self.device;
        let observations = device.matrix(&self.observations, BATCH, OBSERVATION)?;
        let actions = device.matrix(&self.actions, BATCH, ACTION)?;
        let old_log_probs = device.vector(&self.log_probs)?;
        let advantages = device.vector(&self.advantages)?;
        let returns = device.vector(&self.returns)?;

        let means = self.policy.record(observations.clone())?;
        let log_deviation = self.log_deviation.record();
        let entropy = log_deviation.branch().sum_all();
        let inverse = log_deviation.branch().negate().exp().repeat_rows(BATCH);
        let standardised = (means - actions) * inverse;
        let constant = 0.5 * (2.0 * std::f32::consts::PI).ln() * ACTION as f32;
        let half_squares = standardised.square().sum_columns() * -0.5;
        let log_probs = half_squares - log_deviation.sum_all().repeat(BATCH) - constant;
        let ratio = (log_probs - old_log_probs).exp();
        let unclipped = ratio.branch() * advantages.clone();
        let clipped = ratio.clamp(0.8, 1.2) * advantages;
        let policy_loss = clipped.minimum(unclipped).mean_all().negate();

        let values = self.value.record(observations)?.only_column();
        let value_loss = (values - returns).square().mean_all();
        let loss = policy_loss + value_loss * 0.5 - entropy * 0.01;
        let (loss, mut gradients) = backward(loss, "loss")?;
        let parameters =
            &mut [self.policy.parameters_mut(), &mut self.log_deviation, self.value.parameters_mut()];
        self.adam.step(parameters, &mut gradients, 3e-4)?;
        Ok(loss)
    }
}

/// TD3's update on one batch of 256: twin critics, actor and targets, all three updated.
struct Td3 {
    device: Cpu,
    actor: DenseStack<Cpu>,
    critics: Ensemble<Cpu>,
    target_actor: DenseStack<Cpu>,
    target_critics: Ensemble<Cpu>,
    actor_adam: Adam<Cpu>,
    critic_adam: Adam<Cpu>,
    observations: Vec<f32>,
    actions: Vec<f32>,
    next_observations: Vec<f32>,
    noise: Vec<f32>,
    rewards: Vec<f32>,
}

const ROWS: usize = 256;

impl Td3 {
    fn new() -> Result<Self, Error> {
        let device = Cpu::open()?;
        let mut rng = Seed::new(0).stream("benchmark");
        let config = DenseConfig { initialisation: Initialisation::FanIn, ..config(256, Activation::Relu) };
        let bounded = DenseConfig { output_activation: Activation::Tanh, ..config.clone() };
        let actor = DenseStack::new(&device, "actor", OBSERVATION, ACTION, &bounded, &mut rng)?;
        let critics = Ensemble::new(&device, "critics", 2, OBSERVATION + ACTION, 1, &config, &mut rng)?;
        Ok(Td3 {
            target_actor: actor.duplicate("target_actor")?,
            target_critics: critics.duplicate("target_critics")?,
            actor_adam: Adam::new(AdamConfig::default(), &[actor.parameters()])?,
            critic_adam: Adam::new(AdamConfig::default(), &[critics.parameters()])?,
            observations: uniform(ROWS * OBSERVATION, &mut rng),
            actions: uniform(ROWS * ACTION, &mut rng),
            next_observations: uniform(ROWS * OBSERVATION, &mut rng),
            noise: uniform(ROWS * ACTION, &mut rng).iter().map(|x| 0.2 * x).collect(),
            rewards: uniform(ROWS, &mut rng),
            device,
            actor,
            critics,
        })
    }

    fn update(&mut self) -> Result<f32, Error> {
        let device = &self.device;
        let observations = device.matrix(&self.observations, ROWS, OBSERVATION)?;
        let actions = device.matrix(&self.actions, ROWS, ACTION)?;
        let next_observations = device.matrix(&self.next_observations, ROWS, OBSERVATION)?;
        let noise = device.matrix(&self.noise, ROWS, ACTION)?;
        let rewards = device.vector(&self.rewards)?;

        let next_actions = (self.target_actor.forward(next_observations.clone())? + noise).clamp(-1.0, 1.0);
        let next_values = self.target_critics.values(join_columns(next_observations, next_actions)?)?;
        let targets = rewards + next_values.min_rows() * 0.99;
        let values = self.critics.record_values(join_columns(observations.clone(), actions)?)?;
        let loss = (values - targets.repeat_rows(2)).square().mean_all() * 2.0;
        let (loss, mut gradients) = backward(loss, "critic loss")?;
        self.critic_adam.step(&mut [self.critics.parameters_mut()], &mut gradients, 3e-4)?;

        let actions = self.actor.record(observations.clone())?;
        let values = self.critics.member_values_frozen(0, join_columns(observations, actions)?)?;
        let (_, mut gradients) = backward(values.mean_all().negate(), "actor loss")?;
        self.actor_adam.step(&mut [self.actor.parameters_mut()], &mut gradients, 3e-4)?;

        self.target_actor.parameters_mut().blend(self.actor.parameters(), 0.005)?;
        self.target_critics.parameters_mut().blend(self.critics.parameters(), 0.005)?;
        Ok(loss)
    }
}

fn updates(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("update");
    let mut ppo = Ppo::new().expect("memory");
    group.bench_function("ppo", |b| b.iter(|| ppo.update().expect("finite")));
    let mut td3 = Td3::new().expect("memory");
    group.bench_function("td3", |b| b.iter(|| td3.update().expect("finite")));
    group.finish();
}

fn acting(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("infer 11-64-64-3");
    let ppo = Ppo::new().expect("memory");
    for rows in [1, 16] {
        let observations = &ppo.observations[..rows * OBSERVATION];
        let mut actions = vec![0.0; rows * ACTION];
        group.bench_function(format!("{rows} rows"), |b| {
            b.iter(|| {
                ppo.policy.infer(black_box(observations), &mut actions);
                actions[0]
            });
        });
    }
    group.finish();
}

criterion_group!(benches, stacks, updates, acting);
criterion_main!(benches);
