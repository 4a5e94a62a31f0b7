//! The maximum-likelihood policy: what a policy would be if its last layer were fitted to actions.
//!
//! The layers before the last one stay as they are, so the fit is a linear regression for Gaussian
//! policies and a softmax regression for categorical ones: both have one optimum, which is found here,
//! not approached by a number of gradient steps.

use nalgebra::{Cholesky, DMatrix, DVector};

use super::{Policy, categorical, diagonal_gaussian::LOG_SQRT_TAU, policy::Head};
use crate::{
    Error,
    tensor::{Device, Parameters},
};

/// Newton steps of a softmax regression at most; it needs about ten.
const NEWTON_STEPS: usize = 50;
/// The regression stops where a step promises less than this, nats per sample.
const PROMISE: f64 = 1e-10;
/// Weight of the squared change of a softmax's weights, per sample: keeps them finite where actions can
/// be told apart without error.
const RIDGE: f64 = 1e-6;

impl<D: Device> Policy<D> {
    /// By how much the policy with the most likely last layer makes actions more likely: the mean of
    /// log π_D(a|s) − log π(a|s) over the rows of `observations` (rows × features) and `actions` (rows ×
    /// action features), in nats, at least 0 up to rounding. A Gaussian's standard deviations are fitted
    /// with its mean.
    ///
    /// # Errors
    /// [`Error::Unsupported`] when standard deviations are functions of the state; [`Error::NonFinite`]
    /// when the network's outputs are not finite.
    pub fn likelihood_gain(&self, observations: &[f32], actions: &[f32]) -> Result<f64, Error> {
        let network = self.network.duplicate_with_features("maximum_likelihood")?;
        let rows = observations.len() / network.inputs();
        let (columns, outputs) = (network.outputs(), self.network.outputs());
        let mut values = vec![0.0; rows * columns];
        network.infer(observations, &mut values);
        crate::error::require_finite("output of the policy", &values)?;
        // The features and a one for the bias.
        let width = columns - outputs + 1;
        let features = DMatrix::from_fn(rows, width, |row, column| {
            if column + 1 == width { 1.0 } else { f64::from(values[row * columns + outputs + column]) }
        });
        let output = |row: usize, column: usize| f64::from(values[row * columns + column]);
        match (&self.head, self.log_std.as_ref().map(Parameters::values)) {
            (Head::Categorical { sizes }, _) => {
                let total: usize = sizes.iter().sum();
                let gains = categorical::parts(sizes).map(|part| {
                    let logits = DMatrix::from_fn(rows, part.len(), |r, c| output(r, part.start + c));
                    let codes = DMatrix::from_fn(rows, part.len(), |r, c| {
                        f64::from(actions[r * total + part.start + c])
                    });
                    softmax_gain(&features, &logits, &codes)
                });
                Ok(gains.sum())
            }
            (Head::Gaussian { width: dimensions }, Some(log_std)) => {
                let residuals = DMatrix::from_fn(rows, *dimensions, |r, c| {
                    f64::from(actions[r * dimensions + c]) - output(r, c)
                });
                Ok(gaussian_gain(&features, &residuals, &log_std))
            }
            _ => Err(Error::Unsupported {
                algorithm: "the maximum-likelihood policy",
                needed: "standard deviations that are not functions of the state".into(),
                found: "others".into(),
            }),
        }
    }
}

/// The gain of a linear regression of `residuals` (rows × dimensions) on `features` (rows × width), with
/// deviations of its own instead of exp(`log_std`).
fn gaussian_gain(features: &DMatrix<f64>, residuals: &DMatrix<f64>, log_std: &[f32]) -> f64 {
    let rows = features.nrows() as f64;
    let mut gram = features.tr_mul(features);
    let weights = solve(&mut gram, &features.tr_mul(residuals));
    let errors = residuals - features * weights;
    let gain = |(dimension, log_std): (usize, &f32)| {
        let log_std = f64::from(*log_std);
        let mean_square = |x: &DMatrix<f64>| x.column(dimension).norm_squared() / rows;
        let fitted = mean_square(&errors).max(f64::MIN_POSITIVE);
        let log_density = |square: f64, log_std: f64| {
            -0.5 * square * (-2.0 * log_std).exp() - log_std - f64::from(LOG_SQRT_TAU)
        };
        log_density(fitted, 0.5 * fitted.ln()) - log_density(mean_square(residuals), log_std)
    };
    log_std.iter().enumerate().map(gain).sum()
}

/// The gain of a softmax regression of one-hot `codes` on `features`, on top of `logits` (both rows ×
/// actions). Newton's method with a line search; the last action's weights stay zero, because a softmax
/// does not feel what is added to all logits.
fn softmax_gain(features: &DMatrix<f64>, logits: &DMatrix<f64>, codes: &DMatrix<f64>) -> f64 {
    let (rows, width, free) = (features.nrows(), features.ncols(), logits.ncols() - 1);
    let share = 1.0 / rows as f64;
    let start = mean_log_prob(logits, codes);
    let mut weights = DMatrix::zeros(width, free);
    // The objective to maximise and the logits at some weights.
    let evaluate = |weights: &DMatrix<f64>| {
        let mut moved = logits.clone();
        let mut part = moved.columns_mut(0, free);
        part += features * weights;
        let log_prob = mean_log_prob(&moved, codes);
        (log_prob - 0.5 * RIDGE * weights.norm_squared(), log_prob, moved)
    };
    let (mut objective, mut log_prob, mut moved) = evaluate(&weights);
    for _ in 0..NEWTON_STEPS {
        let probabilities = softmax(&moved);
        let slope = features.tr_mul(&(codes - &probabilities).columns(0, free)) * share - &weights * RIDGE;
        let mut curvature = DMatrix::from_diagonal_element(width * free, width * free, RIDGE);
        for a in 0..free {
            for b in a..free {
                let weighted = DMatrix::from_fn(rows, width, |row, column| {
                    let (p, q) = (probabilities[(row, a)], probabilities[(row, b)]);
                    share * p * (f64::from(u8::from(a == b)) - q) * features[(row, column)]
                });
                let block = features.tr_mul(&weighted);
                let mut upper = curvature.view_mut((a * width, b * width), (width, width));
                upper += &block;
                if a != b {
                    let mut lower = curvature.view_mut((b * width, a * width), (width, width));
                    lower += &block;
                }
            }
        }
        let slope_column = DMatrix::from_column_slice(width * free, 1, slope.as_slice());
        let step = solve(&mut curvature, &slope_column);
        let promise = slope_column.dot(&step);
        if promise < PROMISE {
            break;
        }
        let step = DMatrix::from_column_slice(width, free, step.as_slice());
        let improved = (0..30).map(|halvings| 0.5_f64.powi(halvings)).find_map(|size| {
            let candidate = &weights + &step * size;
            let (value, likelihood, moved) = evaluate(&candidate);
            (value >= objective + 1e-4 * size * promise).then_some((candidate, value, likelihood, moved))
        });
        let Some(better) = improved else { break };
        (weights, objective, log_prob, moved) = better;
    }
    log_prob - start
}

fn softmax(logits: &DMatrix<f64>) -> DMatrix<f64> {
    let mut probabilities = logits.clone();
    for mut row in probabilities.row_iter_mut() {
        let largest = row.max();
        row.apply(|x| *x = (*x - largest).exp());
        let total = row.sum();
        row /= total;
    }
    probabilities
}

/// Mean over the rows of the log-probability of the action that is coded there.
fn mean_log_prob(logits: &DMatrix<f64>, codes: &DMatrix<f64>) -> f64 {
    let log_prob = |(logits, code): (nalgebra::RowDVector<f64>, nalgebra::RowDVector<f64>)| {
        let largest = logits.max();
        logits.dot(&code) - largest - logits.iter().map(|x| (x - largest).exp()).sum::<f64>().ln()
    };
    let rows = logits.row_iter().zip(codes.row_iter());
    rows.map(|(l, c)| log_prob((l.into_owned(), c.into_owned()))).sum::<f64>() / logits.nrows() as f64
}

/// Solves a symmetric system that is not negative. What features cannot tell apart gets equal weights:
/// the diagonal is raised by a part in 10¹⁰, and by more where rounding asks for it.
fn solve(matrix: &mut DMatrix<f64>, right: &DMatrix<f64>) -> DMatrix<f64> {
    let scale: DVector<f64> = matrix.diagonal();
    let mut raise = 1e-10 * scale.max().max(f64::MIN_POSITIVE);
    loop {
        for i in 0..matrix.nrows() {
            matrix[(i, i)] = scale[i] + raise;
        }
        if let Some(factors) = Cholesky::new(matrix.clone()) {
            return factors.solve(right);
        }
        raise *= 100.0;
    }
}

#[cfg(test)]
mod tests {
    use assay_environments::{
        Actions, Space,
        random::{Seed, Stream},
    };
    use rand::Rng;

    use super::*;
    use crate::{
        Mode,
        networks::Initialisation,
        policies::{NetworkConfig, StateDependentNoise},
        tensor::Cpu,
    };

    /// A policy with five features in its last layer and clearly different actions in every state.
    fn policy(actions: &Space, seed: Seed) -> Policy<Cpu> {
        let network = NetworkConfig {
            hidden: vec![5],
            initialisation: Some(Initialisation::Orthogonal { hidden_gain: 1.5, output_gain: 1.0 }),
            ..NetworkConfig::default()
        };
        let device = Cpu::open().unwrap();
        Policy::new(&device, &Space::symmetric(3, 1.0), actions, &network, seed).unwrap()
    }

    /// States and the actions that the policy takes there.
    fn experience(
        policy: &Policy<Cpu>,
        space: &Space,
        rows: usize,
        rng: &mut Stream,
    ) -> (Vec<f32>, Vec<f32>) {
        let observations: Vec<f32> = (0..3 * rows).map(|_| rng.random_range(-1.0..1.0)).collect();
        let mut actions = Actions::zeros(space, rows);
        policy.act(&observations, Mode::Sample, rng, &mut actions, None, &mut Vec::new()).unwrap();
        let mut features = vec![0.0; rows * space.features()];
        for (row, code) in features.chunks_exact_mut(space.features()).enumerate() {
            space.encode_action(actions.row(row), code);
        }
        (observations, features)
    }

    #[test]
    fn the_gain_on_a_policys_own_actions_is_that_of_as_many_free_parameters_by_wilks_theorem() {
        // Twice the gain of n samples is χ² with one degree of freedom for each parameter.
        let multi = Space::MultiDiscrete { sizes: vec![3, 2] };
        for (space, parameters) in
            [(Space::discrete(3), 12.0), (multi, 18.0), (Space::symmetric(2, 1.0), 14.0)]
        {
            let policy = policy(&space, Seed::new(1));
            let mut rng = Seed::new(2).stream("test");
            let (rows, repeats) = (500, 100);
            let gains: Vec<f64> = (0..repeats)
                .map(|_| {
                    let (observations, actions) = experience(&policy, &space, rows, &mut rng);
                    policy.likelihood_gain(&observations, &actions).unwrap()
                })
                .collect();
            assert!(gains.iter().all(|gain| *gain > 0.0));
            let mean = gains.iter().sum::<f64>() / repeats as f64;
            let expected = parameters / (2.0 * rows as f64);
            // Four standard errors of the mean, and the term of second order in 1/n.
            let tolerance = expected * (4.0 * (2.0 / parameters / repeats as f64).sqrt() + 0.05);
            assert!((mean - expected).abs() < tolerance, "{space}: {mean}, expected {expected}");
        }
    }

    #[test]
    fn actions_of_another_last_layer_are_fitted_by_it() {
        for space in [Space::discrete(3), Space::symmetric(2, 1.0)] {
            let policy = policy(&space, Seed::new(3));
            let mut other = policy.duplicate("other").unwrap();
            let mut parameters = Vec::new();
            other.flat_parameters(&mut parameters);
            // The last layer and the log standard deviations: what comes after 3·5 weights and 5 biases.
            let mut rng = Seed::new(4).stream("test");
            parameters[20..].iter_mut().for_each(|x| *x += rng.random_range(-1.0..1.0));
            other.set_flat_parameters(&parameters);
            let (observations, actions) = experience(&other, &space, 4000, &mut rng);
            let log_probs = |policy: &Policy<Cpu>| {
                let mut log_probs = vec![0.0; 4000];
                let mut score = crate::policies::Score::default();
                score.log_probs(policy, &observations, &actions, &mut log_probs);
                log_probs.iter().map(|x| f64::from(*x)).sum::<f64>() / 4000.0
            };
            let gain = policy.likelihood_gain(&observations, &actions).unwrap();
            let known = log_probs(&other) - log_probs(&policy);
            assert!(known > 0.05 && gain >= known - 1e-6, "{gain} {known}");
            assert!(gain < known + 20.0 / 4000.0, "{gain} {known}");
            // Of its own actions nothing is left to gain but noise.
            assert!(other.likelihood_gain(&observations, &actions).unwrap() < 20.0 / 4000.0);
        }
    }

    #[test]
    fn actions_that_can_be_told_apart_without_error_have_a_finite_gain() {
        let space = Space::discrete(2);
        let policy = policy(&space, Seed::new(5));
        let mut rng = Seed::new(6).stream("test");
        let (observations, _) = experience(&policy, &space, 100, &mut rng);
        let always_the_first = [1.0, 0.0].repeat(100);
        let gain = policy.likelihood_gain(&observations, &always_the_first).unwrap();
        assert!(gain.is_finite() && gain > 0.0, "{gain}");
    }

    #[test]
    fn deviations_that_are_functions_of_the_state_are_an_error() {
        let noise = StateDependentNoise {
            initial_log_std: -1.0,
            redraw_every: None,
            learn_features: false,
            mean_bound: None,
        };
        let noisy = NetworkConfig { state_dependent_noise: Some(noise), ..NetworkConfig::default() };
        let with_std = NetworkConfig { state_dependent_std: true, ..NetworkConfig::default() };
        for network in [noisy, with_std] {
            let (device, space) = (Cpu::open().unwrap(), Space::symmetric(1, 1.0));
            let policy = Policy::new(&device, &space, &space, &network, Seed::new(7)).unwrap();
            let error = policy.likelihood_gain(&[0.0], &[0.0]).unwrap_err();
            assert!(error.to_string().contains("not functions of the state"), "{error}");
        }
    }
}
