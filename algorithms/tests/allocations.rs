//! What an update asks of the allocator after the first ones: nothing beyond what the tensor
//! crate's own operations do.

use assay_algorithms::{
    networks::{DenseConfig, DenseStack, Ensemble},
    on_policy::{ActorCritic, Settings},
    optimisers::{Adam, AdamConfig, Sgd, SgdConfig},
    policies::{NetworkConfig, StateDependentNoise},
    tensor::{
        Cpu, Device, Matrix, MatrixOperations, Operations, Parameters, Record, Recording, ScalarOperations,
        VectorOperations, backward,
    },
};
use assay_environments::{catalogue::make, random::Seed};

const BATCH: usize = 64;
const OBSERVATION: usize = 11;
const ACTION: usize = 3;

/// Allocations of one run of `work`, after some that fill the buffers.
fn allocations(mut work: impl FnMut()) -> u64 {
    (0..3).for_each(|_| work());
    allocation_counter::measure(work).count_total
}

struct Parts {
    device: Cpu,
    policy: DenseStack<Cpu>,
    value: DenseStack<Cpu>,
    critics: Ensemble<Cpu>,
    log_deviation: Parameters<Cpu>,
    rows: Vec<f32>,
}

fn parts() -> Parts {
    let device = Cpu::open().unwrap();
    let mut rng = Seed::new(1).stream("test");
    let config = DenseConfig::default();
    Parts {
        policy: DenseStack::new(&device, "policy", OBSERVATION, ACTION, &config, &mut rng).unwrap(),
        value: DenseStack::new(&device, "value", OBSERVATION, 1, &config, &mut rng).unwrap(),
        critics: Ensemble::new(&device, "critics", 2, OBSERVATION, 1, &config, &mut rng).unwrap(),
        log_deviation: Parameters::free(&device, "log_deviation", &[0.0; ACTION]).unwrap(),
        rows: (0..BATCH * OBSERVATION).map(|i| (i as f32).sin()).collect(),
        device,
    }
}

#[test]
fn acting_tangents_and_pullbacks_allocate_nothing() {
    let Parts { policy, critics, rows, .. } = parts();
    let mut actions = vec![0.0; BATCH * ACTION];
    assert_eq!(allocations(|| policy.infer(&rows, &mut actions)), 0);
    assert_eq!(allocations(|| policy.infer(&rows[..OBSERVATION], &mut actions[..ACTION])), 0);
    let mut values = vec![0.0; 2 * BATCH];
    assert_eq!(allocations(|| critics.infer(&rows, &mut values)), 0);

    let direction = policy.parameters().values().to_vec();
    let (mut tangents, mut gradient) = (actions.clone(), direction.clone());
    assert_eq!(
        allocations(|| {
            policy.forward_tangent(&rows, &direction, &mut actions, &mut tangents);
            policy.pullback(&rows, &tangents, &mut gradient);
        }),
        0
    );
}

#[test]
fn optimisers_and_soft_updates_allocate_nothing() {
    let Parts { device, mut policy, mut value, rows, .. } = parts();
    let data = device.matrix(&rows, BATCH, OBSERVATION).unwrap();
    let loss = policy.record(data.clone()).unwrap().square().mean_all()
        + value.record(data).unwrap().square().mean_all();
    let (_, mut gradients) = backward(loss, "loss").unwrap();

    let settings = AdamConfig { max_gradient_norm: Some(0.5), ..AdamConfig::default() };
    let mut adam = Adam::new(settings, &[policy.parameters(), value.parameters()]).unwrap();
    let mut step = || {
        let parameters = &mut [policy.parameters_mut(), value.parameters_mut()];
        adam.step(parameters, &mut gradients, 1e-3).unwrap();
    };
    assert_eq!(allocations(&mut step), 0);

    let mut sgd =
        Sgd::new(SgdConfig { momentum: 0.9, ..SgdConfig::default() }, &[policy.parameters()]).unwrap();
    assert_eq!(
        allocations(|| {
            sgd.step(&mut [policy.parameters_mut()], &mut gradients, 1e-3).unwrap();
        }),
        0
    );
    let mut target = policy.duplicate("target").unwrap();
    assert_eq!(allocations(|| target.parameters_mut().blend(policy.parameters(), 0.01).unwrap()), 0);
}

/// A loss over what `outputs` makes of recorded rows.
fn loss(rows: Matrix<Cpu>, outputs: impl Fn(Matrix<Cpu, Recording<Cpu>>) -> Matrix<Cpu, Recording<Cpu>>) {
    backward(outputs(rows.recorded()).square().mean_all(), "loss").unwrap();
}

#[test]
fn a_whole_network_allocates_on_the_tape_as_much_as_two_elementwise_operations() {
    let Parts { device, policy, rows, .. } = parts();
    let data = device.matrix(&rows, BATCH, OBSERVATION).unwrap();
    let network = allocations(|| loss(data.clone(), |x| policy.forward(x).unwrap()));
    let elementwise = allocations(|| loss(data.clone(), |x| x.tanh().tanh()));
    assert!(network <= elementwise, "{network} for a network, {elementwise} for two operations");
}

/// PPO's whole update on a minibatch of 64 (Gaussian policy and value of 2 × 64 units, clipped
/// objective, entropy, Adam), and the number of operations on its tape.
#[test]
fn a_ppo_sized_update_allocates_a_constant_number_of_times() {
    let Parts { device, mut policy, mut value, mut log_deviation, rows, .. } = parts();
    let settings = AdamConfig { max_gradient_norm: Some(0.5), ..AdamConfig::default() };
    let mut adam = Adam::new(settings, &[policy.parameters(), &log_deviation, value.parameters()]).unwrap();
    let (actions, numbers) = (&rows[..BATCH * ACTION], &rows[..BATCH]);
    let mut update = || {
        let observations = device.matrix(&rows, BATCH, OBSERVATION).unwrap();
        let actions = device.matrix(actions, BATCH, ACTION).unwrap();
        let [old_log_probs, advantages, returns] = [0, 1, 2].map(|_| device.vector(numbers).unwrap());
        let means = policy.record(observations.clone()).unwrap();
        let log_std = log_deviation.record();
        let entropy = log_std.branch().sum_all();
        let inverse = log_std.branch().negate().exp().repeat_rows(BATCH);
        let half_squares = ((means - actions) * inverse).square().sum_columns() * -0.5;
        let ratio = (half_squares - log_std.sum_all().repeat(BATCH) - old_log_probs).exp();
        let unclipped = ratio.branch() * advantages.clone();
        let policy_loss = (ratio.clamp(0.8, 1.2) * advantages).minimum(unclipped).mean_all().negate();
        let values = value.record(observations).unwrap().only_column();
        let value_loss = (values - returns).square().mean_all();
        let loss = policy_loss + value_loss * 0.5 - entropy * 0.01;
        let (_, mut gradients) = backward(loss, "loss").unwrap();
        let parameters = &mut [policy.parameters_mut(), &mut log_deviation, value.parameters_mut()];
        adam.step(parameters, &mut gradients, 3e-4).unwrap();
    };
    let first = allocations(&mut update);
    let second = allocations(&mut update);
    assert_eq!(first, second, "the number does not grow");
    println!("{first} allocations in a PPO-sized update");
    assert!(first <= 100, "{first} allocations");
}

#[test]
fn collecting_a_rollout_allocates_nothing() {
    // Episodes of a fixed length: what grows with the number of episodes has grown by the third.
    let noise = StateDependentNoise {
        initial_log_std: -1.0,
        redraw_every: Some(7),
        learn_features: false,
        mean_bound: None,
    };
    let noisy = NetworkConfig { state_dependent_noise: Some(noise), ..NetworkConfig::default() };
    let plain = NetworkConfig::default();
    for (environment, network) in [("Pendulum-v1", &plain), ("Pendulum-v1", &noisy), ("Acrobot-v1", &plain)] {
        let environment = make(environment, &toml::Table::new(), 4, Seed::new(0)).unwrap();
        let settings = Settings {
            steps: 1000,
            discount: 0.99,
            lambda: 0.95,
            normalise_observations: true,
            normalise_rewards: true,
            network,
        };
        let mut agent = ActorCritic::new(settings, environment, Seed::new(0), Cpu::open().unwrap()).unwrap();
        assert_eq!(allocations(|| agent.collect().unwrap()), 0);
    }
}
