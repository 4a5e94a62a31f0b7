//! What the tests of several learners need.

use assay_environments::{
    Batch, BatchedEnvironment,
    classic::Pendulum,
    random::{Seed, Stream},
    wrappers::TimeLimit,
};
use rand::Rng;

use crate::{
    policies::Policy,
    replay::{Minibatch, Transition, TransitionBatch},
    tensor::{Cpu, Gradients},
};

/// Copies of Pendulum-v1.
pub(crate) fn pendulum(copies: usize, seed: u64) -> Box<dyn BatchedEnvironment> {
    let environment = TimeLimit::new(Pendulum::new(), 200).expect("200 steps are a limit");
    Box::new(Batch::new(environment, copies, Seed::new(seed)).expect("the pendulum has features"))
}

/// Numbers within ±1.
pub(crate) fn uniform(count: usize, rng: &mut Stream) -> Vec<f32> {
    (0..count).map(|_| rng.random_range(-1.0..1.0)).collect()
}

/// Random transitions, every third of which terminates.
pub(crate) fn transitions(features: usize, width: usize, rows: usize, rng: &mut Stream) -> TransitionBatch {
    let mut batch = TransitionBatch::default();
    for row in 0..rows {
        batch.push(Transition {
            observation: &uniform(features, rng),
            action: &uniform(width, rng),
            reward: rng.random_range(-1.0..1.0),
            next_observation: &uniform(features, rng),
            terminated: row % 3 == 0,
        });
    }
    batch
}

/// The same on the device.
pub(crate) fn minibatch(device: &Cpu, batch: &TransitionBatch) -> Minibatch<Cpu> {
    Minibatch::upload(device, batch).expect("the processor has memory")
}

/// All parameters of a policy in a vector of their own.
pub(crate) fn flat_parameters(policy: &Policy<Cpu>) -> Vec<f32> {
    let mut flat = Vec::new();
    policy.flat_parameters(&mut flat);
    flat
}

/// The gradient with respect to all parameters of a policy in a vector of its own.
pub(crate) fn flat_gradient(policy: &Policy<Cpu>, gradients: &mut Gradients<Cpu>) -> Vec<f32> {
    let mut flat = Vec::new();
    policy.flat_gradient(gradients, &mut flat).expect("the processor has memory");
    flat
}

/// Asserts that `gradient` is the derivative of `loss` at `values`, along several random
/// directions. Losses are in single precision, so the step is wide, the difference of fourth order,
/// and the comparison loose.
pub(crate) fn assert_gradient(
    what: &str,
    values: &[f32],
    gradient: &[f32],
    mut loss: impl FnMut(&[f32]) -> f32,
) {
    let mut rng = Seed::new(5).stream("directions");
    let scale = gradient.iter().map(|g| g * g).sum::<f32>().sqrt();
    assert!(scale > 0.0, "{what}: the gradient is zero");
    for _ in 0..5 {
        let direction = uniform(values.len(), &mut rng);
        let mut at = |step: f32| {
            let moved: Vec<f32> = values.iter().zip(&direction).map(|(x, d)| x + step * d).collect();
            f64::from(loss(&moved))
        };
        let step = 1e-2;
        let near = at(step) - at(-step);
        let far = at(2.0 * step) - at(-2.0 * step);
        let numeric = (8.0 * near - far) / (12.0 * f64::from(step));
        let exact: f64 = gradient.iter().zip(&direction).map(|(g, d)| f64::from(*g) * f64::from(*d)).sum();
        let tolerance = 5e-3 * (f64::from(scale) + exact.abs());
        assert!((numeric - exact).abs() < tolerance, "{what}: {exact} and {numeric} (norm {scale})");
    }
}
