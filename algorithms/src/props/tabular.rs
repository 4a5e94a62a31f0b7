//! Sampling error in tables, and the rules that reduce it there: what can be said exactly.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2};

/// The sampling error of a data set, Σ_s d_D(s) KL(π_D(·|s), π(·|s)), in nats: `counts` and `policy` are
/// N(s, a) and π(a|s), states × actions; π_D(a|s) = N(s, a)/N(s) and d_D(s) = N(s)/N. Zero without data,
/// infinite where an action was taken that the policy never takes.
///
/// # Panics
/// When the tables have different shapes.
pub fn sampling_error(counts: ArrayView2<f64>, policy: ArrayView2<f64>) -> f64 {
    assert_eq!(counts.dim(), policy.dim(), "counts and policy");
    let total = counts.sum();
    let mut error = 0.0;
    for (counts, policy) in counts.rows().into_iter().zip(policy.rows()) {
        let visits = counts.sum();
        for (&count, &probability) in counts.iter().zip(policy).filter(|(count, _)| **count > 0.0) {
            error += count / total * (count / (visits * probability)).ln();
        }
    }
    error
}

/// The expected sampling error of `samples` independent actions in one state, exactly: the sum over
/// actions of E[ (N/n) log(N/(n π)) ] for a binomial N. About (actions − 1)/(2 n) for many samples.
pub fn expected_sampling_error(policy: ArrayView1<f64>, samples: usize) -> f64 {
    let n = samples as f64;
    let mut error = 0.0;
    for &p in policy.iter().filter(|p| **p > 0.0 && **p < 1.0) {
        // The probability of k, from that of k − 1.
        let mut log_probability = n * (1.0 - p).ln();
        for k in 1..=samples {
            let count = k as f64;
            log_probability += ((n - count + 1.0) / count * p / (1.0 - p)).ln();
            error += log_probability.exp() * count / n * (count / (n * p)).ln();
        }
    }
    error
}

/// The action that is taken least, relative to its probability: argmax_a ( n π(a) − N(a) ), the first one
/// of several, for the counts N of n samples in one state. The oracle of adaptive sampling: where actions
/// are chosen by it, no count ever exceeds n π(a) by more than 1 − π(a), and the sampling error falls as
/// 1/n², not as 1/n.
pub fn least_sampled(policy: ArrayView1<f64>, counts: ArrayView1<f64>) -> usize {
    let samples = counts.sum();
    let deficit = |action: usize| samples * policy[action] - counts[action];
    (1..policy.len()).fold(0, |best, action| if deficit(action) > deficit(best) { action } else { best })
}

/// The behaviour policy of ROS for softmax policies in a table: one step of size `step` down the
/// gradient of the data's mean log-likelihood, z(s, a) ← z(s, a) − step · d_D(s) (π_D(a|s) − π(a|s)), from
/// the policy's logits z. States × actions. With larger steps it approaches [`least_sampled`].
pub fn ros_policy(logits: ArrayView2<f64>, counts: ArrayView2<f64>, step: f64) -> Array2<f64> {
    let total = counts.sum().max(1.0);
    let mut moved = logits.to_owned();
    for ((mut row, logits), counts) in moved.rows_mut().into_iter().zip(logits.rows()).zip(counts.rows()) {
        let visits = counts.sum();
        let policy = softmax(logits);
        for ((z, count), probability) in row.iter_mut().zip(counts).zip(&policy) {
            *z -= step * (count - visits * probability) / total;
        }
        let probabilities = softmax(row.view());
        row.assign(&probabilities);
    }
    moved
}

/// The distribution with these logits.
pub fn softmax(logits: ArrayView1<f64>) -> Array1<f64> {
    let largest = logits.fold(f64::NEG_INFINITY, |largest, z| largest.max(*z));
    let weights = logits.mapv(|z| (z - largest).exp());
    let total = weights.sum();
    weights / total
}

#[cfg(test)]
mod tests {
    use assay_environments::random::{Seed, Stream};
    use ndarray::{Axis, arr1, arr2};
    use rand::Rng;

    use super::*;

    fn draw(policy: ArrayView1<f64>, rng: &mut Stream) -> usize {
        let mut rest: f64 = rng.random();
        for (action, p) in policy.iter().enumerate() {
            rest -= p;
            if rest < 0.0 {
                return action;
            }
        }
        policy.len() - 1
    }

    fn random_policy(actions: usize, rng: &mut Stream) -> Array1<f64> {
        softmax(Array1::from_shape_fn(actions, |_| rng.random_range(-2.0..2.0)).view())
    }

    /// Counts after `samples` actions in one state, each drawn from what `behaviour` makes of the counts
    /// so far.
    fn sample(
        actions: usize,
        samples: usize,
        mut behaviour: impl FnMut(ArrayView2<f64>) -> usize,
    ) -> Array2<f64> {
        let mut counts = Array2::zeros((1, actions));
        for _ in 0..samples {
            let action = behaviour(counts.view());
            counts[[0, action]] += 1.0;
        }
        counts
    }

    #[test]
    fn the_sampling_error_is_the_divergence_of_frequencies_done_by_hand() {
        let counts = arr2(&[[3.0, 1.0], [0.0, 4.0], [0.0, 0.0]]);
        let policy = arr2(&[[0.5, 0.5], [0.25, 0.75], [1.0, 0.0]]);
        let expected = 0.5 * (0.75 * 1.5_f64.ln() + 0.25 * 0.5_f64.ln()) + 0.5 * (4.0_f64 / 3.0).ln();
        assert!((sampling_error(counts.view(), policy.view()) - expected).abs() < 1e-12);
        let same = arr2(&[[2.0, 2.0], [1.0, 3.0], [5.0, 0.0]]);
        assert!(sampling_error(same.view(), policy.view()).abs() < 1e-12);
        assert_eq!(sampling_error(arr2(&[[1.0, 1.0]]).view(), arr2(&[[1.0, 0.0]]).view()), f64::INFINITY);
    }

    #[test]
    fn the_expected_error_of_independent_sampling_is_its_mean_and_half_the_free_actions_per_sample() {
        let uniform = arr1(&[0.25; 4]);
        let expected = expected_sampling_error(uniform.view(), 200);
        assert!((expected - 3.0 / 400.0).abs() < 1e-4 && (expected - 0.00753).abs() < 1e-5, "{expected}");
        let mut rng = Seed::new(1).stream("test");
        for actions in [2, 5] {
            let policy = random_policy(actions, &mut rng);
            let table = policy.clone().insert_axis(Axis(0));
            let repeats = 2000;
            let errors: Vec<f64> = (0..repeats)
                .map(|_| {
                    let counts = sample(actions, 50, |_| draw(policy.view(), &mut rng));
                    sampling_error(counts.view(), table.view())
                })
                .collect();
            let mean = errors.iter().sum::<f64>() / f64::from(repeats);
            let variance = errors.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / f64::from(repeats);
            let expected = expected_sampling_error(policy.view(), 50);
            assert!((mean - expected).abs() < 4.0 * (variance / f64::from(repeats)).sqrt());
            let many = expected_sampling_error(policy.view(), 20_000);
            let limit = (actions - 1) as f64 / 40_000.0;
            assert!((many / limit - 1.0).abs() < 0.01, "{many} {limit}");
        }
    }

    #[test]
    fn the_least_sampled_action_keeps_counts_within_one_and_a_half_of_the_policys() {
        let mut rng = Seed::new(2).stream("test");
        for actions in 2..=30 {
            let policy = random_policy(actions, &mut rng);
            let table = policy.clone().insert_axis(Axis(0));
            let mut counts = Array2::zeros((1, actions));
            for samples in 1..=1000 {
                let action = least_sampled(policy.view(), counts.row(0));
                counts[[0, action]] += 1.0;
                let n = f64::from(samples);
                for (count, p) in counts.row(0).iter().zip(&policy) {
                    // Never more than 1 − p too many (an action is taken only where it is due), and, what
                    // is only observed, never 1.5 too few.
                    assert!(count - n * p <= 1.0 - p + 1e-9, "{actions}: {count} of {}", n * p);
                    assert!(n * p - count < 1.5, "{actions}: {count} of {}", n * p);
                }
                // KL ≤ χ²: with counts that near, the error is of the order of 1/n².
                let bound: f64 = policy.iter().map(|p| (1.5 / n).powi(2) / p).sum();
                assert!(sampling_error(counts.view(), table.view()) <= bound);
            }
        }
    }

    #[test]
    fn ros_has_less_sampling_error_the_larger_its_step() {
        let policy = arr1(&[0.5, 0.3, 0.15, 0.05]);
        let (table, logits) = (policy.clone().insert_axis(Axis(0)), policy.ln().insert_axis(Axis(0)));
        let mut rng = Seed::new(3).stream("test");
        let mut mean_error = |step: f64| {
            let errors = (0..400).map(|_| {
                let counts =
                    sample(4, 200, |counts| draw(ros_policy(logits.view(), counts, step).row(0), &mut rng));
                sampling_error(counts.view(), table.view())
            });
            errors.sum::<f64>() / 400.0
        };
        // Computed independently, to about two digits.
        let steps = [(0.0, 0.0080), (1.0, 0.0055), (10.0, 0.0017), (100.0, 0.0003)];
        for (step, expected) in steps {
            let found = mean_error(step);
            assert!((found / expected - 1.0).abs() < 0.2, "{step}: {found}, expected {expected}");
        }
    }

    #[test]
    fn ros_leaves_the_policy_alone_where_the_data_are_exactly_on_policy() {
        let logits = arr2(&[[0.0, 0.0], [0.0, 3.0_f64.ln()]]);
        let counts = arr2(&[[5.0, 5.0], [1.0, 3.0]]);
        let found = ros_policy(logits.view(), counts.view(), 100.0);
        let expected = arr2(&[[0.5, 0.5], [0.25, 0.75]]);
        assert!((found - expected).iter().all(|x| x.abs() < 1e-12));
    }
}
