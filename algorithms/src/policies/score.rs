//! Scores ∇ log π of actions that were taken, and the derivatives of those.

use super::{
    Policy, categorical, diagonal_gaussian,
    policy::{Head, LOG_STD_BOUNDS},
};
use crate::tensor::{Device, Parameters};

/// Weighted sums of scores over the rows of a batch, from host to host, and products of their
/// derivatives with a vector. Buffers are reused from one to the next.
///
/// Throughout, `observations` are rows × features, `actions` rows × action features, and there is
/// one weight per row. Vectors in parameter space are flat: the modules of [`Policy::parameters`]
/// one after the other.
///
/// # Panics
/// Policies with [`StateDependentNoise`](super::StateDependentNoise) have no scores here.
#[derive(Debug, Default)]
pub struct Score {
    outputs: Vec<f32>,
    gradients: Vec<f32>,
}

impl Score {
    /// Writes the log-probability (or log-density) of every row's action.
    pub fn log_probs<D: Device>(
        &mut self,
        policy: &Policy<D>,
        observations: &[f32],
        actions: &[f32],
        log_probs: &mut [f32],
    ) {
        let columns = policy.network.outputs();
        self.outputs.resize(log_probs.len() * columns, 0.0);
        policy.network.infer(observations, &mut self.outputs);
        let free = FreeDeviation::of(policy, &[]);
        let width = actions.len() / log_probs.len();
        let rows = self.outputs.chunks_exact(columns).zip(actions.chunks_exact(width));
        for ((outputs, action), log_prob) in rows.zip(log_probs) {
            *log_prob = 0.0;
            match &policy.head {
                Head::Categorical { sizes } => {
                    for part in categorical::parts(sizes) {
                        *log_prob += categorical::log_prob(&outputs[part.clone()], &action[part]);
                    }
                }
                Head::GaussianWithNoise { .. } => without_scores(),
                Head::Gaussian { width } | Head::GaussianWithStd { width } => {
                    for j in 0..*width {
                        let (log_std, _) = free.log_std(outputs, j, *width);
                        *log_prob += diagonal_gaussian::log_density(outputs[j], log_std, action[j]);
                    }
                }
            }
        }
    }

    /// Writes Σ_t w_t ∇ log π(a_t|s_t) to `gradient`.
    pub fn gradient<D: Device>(
        &mut self,
        policy: &Policy<D>,
        (observations, actions): (&[f32], &[f32]),
        weights: &[f32],
        gradient: &mut [f32],
    ) {
        let columns = policy.network.outputs();
        let size = weights.len() * columns;
        self.outputs.resize(size, 0.0);
        self.gradients.resize(size, 0.0);
        policy.network.infer(observations, &mut self.outputs);
        let (of_network, of_log_std) = gradient.split_at_mut(policy.network.parameters().len());
        of_log_std.fill(0.0);
        let free = FreeDeviation::of(policy, &[]);
        let width = actions.len() / weights.len();
        let rows = self.outputs.chunks_exact(columns).zip(self.gradients.chunks_exact_mut(columns));
        for (((outputs, gradients), action), &weight) in rows.zip(actions.chunks_exact(width)).zip(weights) {
            match &policy.head {
                Head::Categorical { sizes } => {
                    for part in categorical::parts(sizes) {
                        let (logits, action) = (&outputs[part.clone()], &action[part.clone()]);
                        categorical::score(logits, action, weight, &mut gradients[part]);
                    }
                }
                Head::GaussianWithNoise { .. } => without_scores(),
                Head::Gaussian { width } | Head::GaussianWithStd { width } => {
                    for j in 0..*width {
                        let (log_std, inside) = free.log_std(outputs, j, *width);
                        let score = diagonal_gaussian::score(outputs[j], log_std, action[j]);
                        gradients[j] = weight * score.mean;
                        let slope = weight * score.log_std;
                        match of_log_std.get_mut(j) {
                            Some(sum) => *sum += slope,
                            None => gradients[width + j] = if inside { slope } else { 0.0 },
                        }
                    }
                }
            }
        }
        policy.network.pullback(observations, &self.gradients, of_network);
    }

    /// Writes Σ_t w_t ∇ log π(a_t|s_t) to `gradient` and Σ_t w_t ∇² log π(a_t|s_t) v to `product`,
    /// where v is the direction; returns ⟨Σ_t ∇ log π(a_t|s_t), v⟩, without weights. Exact, by the
    /// R-operator, at about three times the cost of the gradient alone.
    pub fn curvature<D: Device>(
        &mut self,
        policy: &Policy<D>,
        (observations, actions): (&[f32], &[f32]),
        weights: &[f32],
        direction: &[f32],
        gradient: &mut [f32],
        product: &mut [f32],
    ) -> f64 {
        let columns = policy.network.outputs();
        let parameters = policy.network.parameters().len();
        let (direction, log_std_direction) = direction.split_at(parameters);
        let (gradient, log_std_gradient) = gradient.split_at_mut(parameters);
        let (product, log_std_product) = product.split_at_mut(parameters);
        log_std_gradient.fill(0.0);
        log_std_product.fill(0.0);
        let free = FreeDeviation::of(policy, log_std_direction);
        let width = actions.len() / weights.len();
        let mut slope = 0.0;
        policy.network.curvature(
            observations,
            direction,
            |outputs, gradients| {
                let from = outputs.values.chunks_exact(columns).zip(outputs.tangents.chunks_exact(columns));
                let to = gradients.values.chunks_exact_mut(columns);
                let to = to.zip(gradients.tangents.chunks_exact_mut(columns));
                let rows = from.zip(to).zip(actions.chunks_exact(width)).zip(weights);
                for ((((outputs, tangents), (first, second)), action), &weight) in rows {
                    slope += f64::from(match &policy.head {
                        Head::Categorical { sizes } => categorical::parts(sizes)
                            .map(|part| {
                                categorical::score(
                                    &outputs[part.clone()],
                                    &action[part.clone()],
                                    weight,
                                    &mut first[part.clone()],
                                );
                                categorical::curvature(
                                    &outputs[part.clone()],
                                    &tangents[part.clone()],
                                    &action[part.clone()],
                                    weight,
                                    &mut second[part],
                                )
                            })
                            .sum::<f32>(),
                        Head::GaussianWithNoise { .. } => without_scores(),
                        Head::Gaussian { width } | Head::GaussianWithStd { width } => {
                            let mut slope = 0.0;
                            for j in 0..*width {
                                let (log_std, inside) = free.log_std(outputs, j, *width);
                                let moved = [tangents[j], free.tangent(tangents, j, *width, inside)];
                                let score = diagonal_gaussian::score(outputs[j], log_std, action[j]);
                                let bend =
                                    diagonal_gaussian::curvature(outputs[j], log_std, action[j], moved);
                                slope += score.mean * moved[0] + score.log_std * moved[1];
                                (first[j], second[j]) = (weight * score.mean, weight * bend.mean);
                                let of_log_std = [weight * score.log_std, weight * bend.log_std];
                                match log_std_gradient.get_mut(j) {
                                    Some(sum) => {
                                        *sum += of_log_std[0];
                                        log_std_product[j] += of_log_std[1];
                                    }
                                    None => {
                                        let keep = if inside { 1.0 } else { 0.0 };
                                        first[width + j] = keep * of_log_std[0];
                                        second[width + j] = keep * of_log_std[1];
                                    }
                                }
                            }
                            slope
                        }
                    });
                }
            },
            gradient,
            product,
        );
        slope
    }
}

fn without_scores() -> ! {
    unreachable!("whoever takes scores refuses state-dependent noise in its configuration")
}

/// Where a Gaussian policy's log standard deviations come from: free parameters, with a direction,
/// or the network's outputs after the means.
struct FreeDeviation<'a> {
    values: Option<std::sync::Arc<Vec<f32>>>,
    direction: &'a [f32],
}

impl<'a> FreeDeviation<'a> {
    fn of<D: Device>(policy: &Policy<D>, direction: &'a [f32]) -> Self {
        FreeDeviation { values: policy.log_std.as_ref().map(Parameters::values), direction }
    }

    /// log σ of dimension j, and whether it depends on the parameters there: not where it is at a
    /// bound.
    fn log_std(&self, outputs: &[f32], j: usize, width: usize) -> (f32, bool) {
        match &self.values {
            Some(values) => (values[j], true),
            None => {
                let (low, high) = LOG_STD_BOUNDS;
                let raw = outputs[width + j];
                (raw.clamp(low, high), (low..=high).contains(&raw))
            }
        }
    }

    /// The derivative of log σ of dimension j along the direction.
    fn tangent(&self, tangents: &[f32], j: usize, width: usize, inside: bool) -> f32 {
        match self.values {
            Some(_) => self.direction[j],
            None if inside => tangents[width + j],
            None => 0.0,
        }
    }
}
