//! Generalised advantage estimation and standardisation.

/// Generalised advantage estimates (Schulman et al. 2016, arXiv 1506.02438, equation 16), computed
/// backwards in one pass:
///
/// δ_t = r_t + γ V(s_{t+1}) − V(s_t),  Â_t = δ_t + γ λ Â_{t+1}.
///
/// The slices are in time-major order: step t of copy i stands at `t * copies + i`. An episode
/// that *terminated* has no value after its last step: `next_values` is not read there. One that
/// was *truncated* has: `next_values` must hold the value of its final observation. In both cases
/// the sum ends there, because what follows belongs to another episode. Where the slices end, the
/// sum is cut in the same way as by a truncation.
///
/// `discount` is γ and `lambda` is λ, both in [0, 1]. λ = 0 gives the one-step temporal difference,
/// λ = 1 the discounted sum of rewards minus the value.
///
/// # Panics
/// When the slices have different lengths, or lengths that are no multiple of `copies`.
pub fn generalised_advantages(
    steps: Steps<'_>,
    copies: usize,
    discount: f64,
    lambda: f64,
    advantages: &mut [f32],
) {
    let Steps { rewards, values, next_values, terminated, truncated } = steps;
    let count = advantages.len();
    assert!(copies > 0 && count.is_multiple_of(copies), "{count} steps of {copies} copies");
    assert!(
        [rewards.len(), values.len(), next_values.len(), terminated.len(), truncated.len()] == [count; 5],
        "the slices must have one element per advantage",
    );
    let (discount, decay) = (discount as f32, (discount * lambda) as f32);
    for i in (0..count).rev() {
        let next_value = if terminated[i] { 0.0 } else { next_values[i] };
        let temporal_difference = rewards[i] + discount * next_value - values[i];
        let cut = terminated[i] || truncated[i] || i + copies >= count;
        let rest = if cut { 0.0 } else { decay * advantages[i + copies] };
        advantages[i] = temporal_difference + rest;
    }
}

/// The discounted sums of rewards to the end of each episode, or to the end of the data or an
/// interruption, after which nothing is counted:
///
/// R_t = r_t + γ R_{t+1}.
///
/// The slices are in time-major order, as in [`generalised_advantages`].
///
/// # Panics
/// When `sums` has another length than `rewards`.
pub fn discounted_sums(
    rewards: &[f32],
    done: impl Fn(usize) -> bool,
    copies: usize,
    discount: f64,
    sums: &mut [f32],
) {
    assert_eq!(rewards.len(), sums.len(), "rewards and their sums");
    for i in (0..rewards.len()).rev() {
        let goes_on = !done(i) && i + copies < rewards.len();
        sums[i] = rewards[i] + if goes_on { discount as f32 * sums[i + copies] } else { 0.0 };
    }
}

/// What advantages are computed from; see [`generalised_advantages`].
#[derive(Clone, Copy, Debug)]
pub struct Steps<'a> {
    /// The rewards r_t.
    pub rewards: &'a [f32],
    /// The values V(s_t) of the states acted in.
    pub values: &'a [f32],
    /// The values V(s_{t+1}) of the states that the actions led to.
    pub next_values: &'a [f32],
    /// Whether the episode ended by the task's own rules at this step.
    pub terminated: &'a [bool],
    /// Whether the episode was cut off at this step.
    pub truncated: &'a [bool],
}

/// Shifts and scales to mean 0 and standard deviation 1, (x − mean) / (deviation + 10⁻⁸), with the
/// deviation over n − 1 as in common implementations of PPO. Fewer than two numbers stay as they
/// are.
pub fn standardise(values: &mut [f32]) {
    if values.len() < 2 {
        return;
    }
    let count = values.len() as f64;
    let mean = values.iter().map(|&x| f64::from(x)).sum::<f64>() / count;
    let variance = values.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / (count - 1.0);
    let scale = 1.0 / (variance.sqrt() + 1e-8);
    values.iter_mut().for_each(|x| *x = ((f64::from(*x) - mean) * scale) as f32);
}

/// The share of the targets' variance that the predictions explain,
/// 1 − Var(target − prediction) / Var(target): 1 is perfect, 0 is no better than a constant,
/// negative is worse. NaN when the targets do not vary.
pub fn explained_variance(predictions: &[f32], targets: &[f32]) -> f64 {
    let variance = |values: &mut dyn Iterator<Item = f64>| {
        let (mut count, mut mean, mut squares) = (0.0, 0.0, 0.0);
        for x in values {
            count += 1.0;
            let deviation = x - mean;
            mean += deviation / count;
            squares += deviation * (x - mean);
        }
        squares / count
    };
    let residual = variance(&mut targets.iter().zip(predictions).map(|(&t, &p)| f64::from(t) - f64::from(p)));
    let total = variance(&mut targets.iter().map(|&t| f64::from(t)));
    if total > 0.0 { 1.0 - residual / total } else { f64::NAN }
}

#[cfg(test)]
mod tests {
    use assay_environments::random::Seed;
    use proptest::prelude::*;
    use rand::Rng;

    use super::*;

    struct Example {
        rewards: Vec<f32>,
        values: Vec<f32>,
        next_values: Vec<f32>,
        terminated: Vec<bool>,
        truncated: Vec<bool>,
    }

    impl Example {
        fn random(seed: u64, steps: usize, copies: usize) -> Self {
            let mut rng = Seed::new(seed).stream("advantage");
            let count = steps * copies;
            let mut numbers = || (0..count).map(|_| rng.random_range(-2.0..2.0)).collect::<Vec<f32>>();
            let (rewards, values, mut next_values) = (numbers(), numbers(), numbers());
            let mut flags = || (0..count).map(|_| rng.random_bool(0.15)).collect::<Vec<bool>>();
            let (terminated, truncated) = (flags(), flags());
            // While an episode runs, the next value is the value of the next step.
            for i in 0..count.saturating_sub(copies) {
                if !terminated[i] && !truncated[i] {
                    next_values[i] = values[i + copies];
                }
            }
            Example { rewards, values, next_values, terminated, truncated }
        }

        fn advantages(&self, copies: usize, discount: f64, lambda: f64) -> Vec<f32> {
            let mut advantages = vec![f32::NAN; self.rewards.len()];
            let steps = Steps {
                rewards: &self.rewards,
                values: &self.values,
                next_values: &self.next_values,
                terminated: &self.terminated,
                truncated: &self.truncated,
            };
            generalised_advantages(steps, copies, discount, lambda, &mut advantages);
            advantages
        }

        /// The k-step temporal differences from step `start` on, up to the end of the episode or
        /// of the data: Σ_{j<k} γ^j r + γ^k V − V.
        fn k_step(&self, copies: usize, discount: f64, start: usize) -> Vec<f64> {
            let (mut reward, mut factor, mut estimates) = (0.0, 1.0, Vec::new());
            for i in (start..self.rewards.len()).step_by(copies) {
                reward += factor * f64::from(self.rewards[i]);
                factor *= discount;
                let next = if self.terminated[i] { 0.0 } else { f64::from(self.next_values[i]) };
                estimates.push(reward + factor * next - f64::from(self.values[start]));
                if self.terminated[i] || self.truncated[i] {
                    break;
                }
            }
            estimates
        }
    }

    #[test]
    fn a_terminated_episode_agrees_with_the_sums_done_by_hand() {
        let example = Example {
            rewards: vec![1.0, 2.0, 3.0],
            values: vec![0.5, 1.0, 2.0],
            next_values: vec![1.0, 2.0, 100.0],
            terminated: vec![false, false, true],
            truncated: vec![false; 3],
        };
        // δ = 1 + 0.5·1 − 0.5, 2 + 0.5·2 − 1, 3 + 0 − 2, and γλ = 0.25.
        let (d0, d1, d2) = (1.0, 2.0, 1.0);
        let expected = [d0 + 0.25 * (d1 + 0.25 * d2), d1 + 0.25 * d2, d2];
        assert_eq!(example.advantages(1, 0.5, 0.5), expected);
    }

    #[test]
    fn a_truncated_episode_bootstraps_and_a_terminated_one_does_not() {
        let mut example = Example {
            rewards: vec![1.0, 1.0],
            values: vec![0.0, 0.0],
            next_values: vec![10.0, 0.0],
            terminated: vec![false, false],
            truncated: vec![true, false],
        };
        // Step 1 belongs to the next episode: it must not leak into step 0.
        example.rewards[1] = 1000.0;
        assert_eq!(example.advantages(1, 0.9, 0.95)[0], 1.0 + 0.9 * 10.0);
        example.terminated[0] = true;
        assert_eq!(example.advantages(1, 0.9, 0.95)[0], 1.0);
    }

    proptest! {
        #[test]
        fn one_pass_agrees_with_the_exponentially_weighted_definition(
            seed in any::<u64>(), steps in 1usize..40, copies in 1usize..4,
            discount in 0.0f64..=1.0, lambda in 0.0f64..0.99,
        ) {
            let example = Example::random(seed, steps, copies);
            let advantages = example.advantages(copies, discount, lambda);
            for (i, &advantage) in advantages.iter().enumerate() {
                // (1 − λ) Σ_k λ^{k−1} Â^(k), where beyond the end every Â^(k) equals the last.
                let estimates = example.k_step(copies, discount, i);
                let (last, inner) = estimates.split_last().unwrap();
                let weighted: f64 =
                    inner.iter().enumerate().map(|(k, a)| (1.0 - lambda) * lambda.powi(k as i32) * a).sum();
                let expected = weighted + lambda.powi(inner.len() as i32) * last;
                prop_assert!((f64::from(advantage) - expected).abs() < 1e-3, "{advantage} {expected}");
            }
        }

        #[test]
        fn the_limits_of_lambda_are_the_temporal_difference_and_the_return(
            seed in any::<u64>(), copies in 1usize..4, discount in 0.0f64..=1.0,
        ) {
            let example = Example::random(seed, 20, copies);
            let one_step = example.advantages(copies, discount, 0.0);
            let monte_carlo = example.advantages(copies, discount, 1.0);
            for i in 0..one_step.len() {
                let estimates = example.k_step(copies, discount, i);
                prop_assert!((f64::from(one_step[i]) - estimates[0]).abs() < 1e-4);
                prop_assert!((f64::from(monte_carlo[i]) - estimates.last().unwrap()).abs() < 1e-3);
            }
        }

        #[test]
        fn standardised_numbers_have_mean_zero_and_deviation_one(seed in any::<u64>(), n in 2usize..300) {
            let mut values = Example::random(seed, n, 1).rewards;
            let order = |v: &[f32]| v[0] < v[1];
            let before = order(&values);
            standardise(&mut values);
            let mean = values.iter().sum::<f32>() / n as f32;
            let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / (n - 1) as f32;
            prop_assert!(mean.abs() < 1e-5 && (variance - 1.0).abs() < 1e-3);
            prop_assert_eq!(order(&values), before);
        }
    }

    #[test]
    fn discounted_sums_are_those_done_by_hand_and_stop_where_an_episode_does() {
        // Two copies; the first ends after its second step.
        let rewards = [1.0, 10.0, 2.0, 20.0, 4.0, 40.0];
        let mut sums = [f32::NAN; 6];
        discounted_sums(&rewards, |i| i == 2, 2, 0.5, &mut sums);
        assert_eq!(sums, [1.0 + 0.5 * 2.0, 10.0 + 0.5 * 40.0, 2.0, 20.0 + 0.5 * 40.0, 4.0, 40.0]);
    }

    #[test]
    fn constant_and_single_values_are_standardised_to_finite_numbers() {
        let mut values = [3.0; 5];
        standardise(&mut values);
        assert_eq!(values, [0.0; 5]);
        let mut single = [3.0];
        standardise(&mut single);
        assert_eq!(single, [3.0]);
    }

    #[test]
    fn explained_variance_is_one_for_perfect_and_zero_for_constant_predictions() {
        let targets = [1.0, 2.0, 4.0];
        assert_eq!(explained_variance(&targets, &targets), 1.0);
        assert!(explained_variance(&[7.0; 3], &targets).abs() < 1e-12);
        // Predicting −x doubles the residual: 1 − 4.
        assert!((explained_variance(&[-1.0, -2.0, -4.0], &targets) + 3.0).abs() < 1e-12);
        assert!(explained_variance(&targets, &[2.0; 3]).is_nan());
    }
}
