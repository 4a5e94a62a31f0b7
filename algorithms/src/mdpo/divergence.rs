//! Divergences between the new and the old policy, and the exact mirror step that each of them
//! leads to.
//!
//! Everything here is about the action probabilities of one state, in `f64`. Learners with
//! networks have the same divergences in closed form between their distributions; this module is
//! what they are compared with.

use assay_environments::parameters::{ParameterError, require};
use serde::{Deserialize, Serialize};

/// The divergence B(π, πₖ) that keeps the new policy π near the old policy πₖ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Divergence {
    /// KL(π, πₖ) = Σₐ π(a) log(π(a)/πₖ(a)): the new policy first, as in the paper.
    #[default]
    ReverseKl,
    /// KL(πₖ, π) = Σₐ πₖ(a) log(πₖ(a)/π(a)): the old policy first, as in TRPO's constraint.
    ForwardKl,
    /// The Bregman divergence of ψ(p) = Σₐ p(a) log_q p(a),
    /// B(π, πₖ) = Σₐ π (log_q π − q log_q πₖ) − 1 + Σₐ πₖ^q. With q = 1 it is KL(π, πₖ), with
    /// q = 2 the squared Euclidean distance.
    Tsallis {
        /// The order, from 1 to 2.
        q: f64,
    },
}

impl Divergence {
    /// Errors when the order of the Tsallis divergence is outside [1, 2].
    pub fn validate(&self) -> Result<(), ParameterError> {
        match *self {
            Divergence::ReverseKl | Divergence::ForwardKl => Ok(()),
            Divergence::Tsallis { q } => require("divergence.q", q, (1.0..=2.0).contains(&q), "from 1 to 2"),
        }
    }

    /// B(`new`, `old`) of two probability vectors of the same length, in nats for both KL orders;
    /// infinite where a KL divergence needs mass that is not there.
    pub fn between(&self, new: &[f64], old: &[f64]) -> f64 {
        debug_assert_eq!(new.len(), old.len());
        match *self {
            Divergence::ReverseKl => kl(new, old),
            Divergence::ForwardKl => kl(old, new),
            Divergence::Tsallis { q: 1.0 } => kl(new, old),
            Divergence::Tsallis { q } => {
                // Written as a sum over actions of ψ's own Bregman terms, which are never negative;
                // the textbook form above cancels when `new` is near `old`.
                let term = |p: f64, k: f64| p * (log_q(p, q) - log_q(k, q)) - (p - k) * k.powf(q - 1.0);
                new.iter().zip(old).map(|(&p, &k)| term(p, k)).sum()
            }
        }
    }

    /// ∂B(`new`, `old`)/∂`new`(a) for every action, up to a constant, which does not matter where
    /// the probabilities sum to one. All probabilities are positive.
    pub fn gradient(&self, new: &[f64], old: &[f64], gradient: &mut [f64]) {
        debug_assert!(new.len() == old.len() && new.len() == gradient.len());
        for ((gradient, &p), &k) in gradient.iter_mut().zip(new).zip(old) {
            *gradient = match *self {
                Divergence::ReverseKl => (p / k).ln(),
                Divergence::ForwardKl => -k / p,
                Divergence::Tsallis { q } => q * (log_q(p, q) - log_q(k, q)),
            };
        }
    }

    /// The exact mirror step of one state,
    /// argmax_p ⟨p, `advantages`⟩ − B(p, πₖ)/`step_size` over the simplex.
    ///
    /// Probabilities go in and out as their logarithms, so that what has become too unlikely for a
    /// floating-point number is not lost. `advantages` may be action values: a constant added to
    /// all of them changes nothing. `step_size` is positive. All slices have one number per action.
    ///
    /// - Reverse KL: p ∝ πₖ exp(t A), the update of natural policy gradient with softmax logits.
    /// - Forward KL: p = πₖ/(t (x − A)) with x > max A such that p sums to one.
    /// - Tsallis: p = exp_q(log_q πₖ + (t A − ν)/q) with ν such that p sums to one; with q = 2 the
    ///   Euclidean projection of πₖ + t A/2 onto the simplex.
    pub fn mirror_step(&self, log_old: &[f64], advantages: &[f64], step_size: f64, log_new: &mut [f64]) {
        debug_assert!(log_old.len() == advantages.len() && log_old.len() == log_new.len());
        match *self {
            Divergence::ReverseKl | Divergence::Tsallis { q: 1.0 } => {
                for ((new, old), advantage) in log_new.iter_mut().zip(log_old).zip(advantages) {
                    *new = old + step_size * advantage;
                }
            }
            Divergence::ForwardKl => forward_kl_step(log_old, advantages, step_size, log_new),
            Divergence::Tsallis { q } => tsallis_step(log_old, advantages, step_size, q, log_new),
        }
        // One after the other: their sum would lose the digits of the second.
        let largest = maximum(log_new.iter().copied());
        log_new.iter_mut().for_each(|l| *l -= largest);
        let log_total = log_new.iter().map(|l| l.exp()).sum::<f64>().ln();
        log_new.iter_mut().for_each(|l| *l -= log_total);
    }
}

/// log_q x = (x^(q−1) − 1)/(q − 1), and its limit ln x at q = 1.
pub fn log_q(x: f64, q: f64) -> f64 {
    log_q_of_exp(x.ln(), q)
}

/// log_q of exp(`log_x`).
fn log_q_of_exp(log_x: f64, q: f64) -> f64 {
    if q == 1.0 { log_x } else { ((q - 1.0) * log_x).exp_m1() / (q - 1.0) }
}

/// The inverse of [`log_q`]: exp_q y = max(0, 1 + (q − 1) y)^(1/(q−1)), and exp y at q = 1.
pub fn exp_q(y: f64, q: f64) -> f64 {
    ln_exp_q(y, q).exp()
}

/// The natural logarithm of [`exp_q`].
fn ln_exp_q(y: f64, q: f64) -> f64 {
    let base = (q - 1.0) * y;
    match q {
        1.0 => y,
        _ if base <= -1.0 => f64::NEG_INFINITY,
        _ => base.ln_1p() / (q - 1.0),
    }
}

/// KL(p, q) = Σ p log(p/q), with 0 log 0 = 0.
fn kl(p: &[f64], q: &[f64]) -> f64 {
    p.iter().zip(q).filter(|(p, _)| **p > 0.0).map(|(&p, &q)| p * (p / q).ln()).sum()
}

fn maximum(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(f64::NEG_INFINITY, f64::max)
}

/// Solves Σ πₖ/(t (x − A)) = 1 for y = x − max A > 0. The sum is convex and decreasing in y, so
/// Newton's method from a point left of the root climbs to it without overshooting.
fn forward_kl_step(log_old: &[f64], advantages: &[f64], t: f64, log_new: &mut [f64]) {
    let best = maximum(advantages.iter().copied());
    let terms = || log_old.iter().zip(advantages).map(|(k, a)| (k.exp() / t, best - a));
    let support = || terms().filter(|(weight, _)| *weight > 0.0);
    // The largest y at which a single summand alone is one.
    let start = maximum(support().map(|(weight, gap)| weight - gap)).max(0.0);
    let y = climb_to_root(start, |y| {
        support().fold((-1.0, 0.0), |(value, slope), (weight, gap)| {
            let p = weight / (y + gap);
            (value + p, slope - p / (y + gap))
        })
    });
    for ((new, k), a) in log_new.iter_mut().zip(log_old).zip(advantages) {
        *new = k - (t * (y + (best - a))).ln();
    }
    // An action that the old policy never takes costs nothing in KL(old, ·). If it is the best
    // one, the others cannot reach a sum of one, and it takes what they leave.
    if y == 0.0
        && let Some(i) = terms().position(|(weight, gap)| weight == 0.0 && gap == 0.0)
    {
        let others: f64 = support().map(|(weight, gap)| weight / gap).sum();
        log_new[i] = (1.0 - others).ln();
    }
}

/// Solves Σ exp_q(log_q πₖ + (t A − ν)/q) = 1 for ν, by the same climb: for 1 < q ≤ 2 every summand
/// is convex and decreasing in ν.
fn tsallis_step(log_old: &[f64], advantages: &[f64], t: f64, q: f64, log_new: &mut [f64]) {
    for ((new, k), a) in log_new.iter_mut().zip(log_old).zip(advantages) {
        *new = log_q_of_exp(*k, q) + t * a / q;
    }
    // At ν = q · largest, the largest summand alone is one.
    let largest = maximum(log_new.iter().copied());
    let shift = climb_to_root(largest, |shift| {
        log_new.iter().fold((-1.0, 0.0), |(value, slope), y| {
            let p = exp_q(y - shift, q);
            if p > 0.0 { (value + p, slope - p.powf(2.0 - q)) } else { (value, slope) }
        })
    });
    log_new.iter_mut().for_each(|y| *y = ln_exp_q(*y - shift, q));
}

/// The root of a convex decreasing function, by Newton's method from a `start` where the function
/// is not negative. `function` returns value and slope.
fn climb_to_root(start: f64, function: impl Fn(f64) -> (f64, f64)) -> f64 {
    let mut x = start;
    // Far fewer are taken: each doubles x or adds about one to it until it is near the root, and
    // there the number of correct digits doubles.
    for _ in 0..200 {
        let (value, slope) = function(x);
        let next = x - value / slope;
        if value <= 0.0 || next <= x {
            break;
        }
        x = next;
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;
    use assay_environments::random::{Seed, Stream};
    use rand::Rng;

    const ALL: [Divergence; 6] = [
        Divergence::ReverseKl,
        Divergence::ForwardKl,
        Divergence::Tsallis { q: 1.0 },
        Divergence::Tsallis { q: 1.0001 },
        Divergence::Tsallis { q: 1.5 },
        Divergence::Tsallis { q: 2.0 },
    ];

    fn distribution(actions: usize, rng: &mut Stream) -> Vec<f64> {
        let weights: Vec<f64> = (0..actions).map(|_| rng.random_range(0.01..1.0)).collect();
        let total: f64 = weights.iter().sum();
        weights.iter().map(|w| w / total).collect()
    }

    /// Calls `check` with random old policies, advantages and step sizes over six decades.
    fn for_random_steps(mut check: impl FnMut(&[f64], &[f64], f64, &mut Stream)) {
        let mut rng = Seed::new(11).stream("mirror steps");
        for _ in 0..2000 {
            let actions = rng.random_range(1..7);
            let old = distribution(actions, &mut rng);
            let advantages: Vec<f64> = (0..actions).map(|_| rng.random_range(-2.0..2.0)).collect();
            let step_size = 10f64.powf(rng.random_range(-3.0..3.0));
            check(&old, &advantages, step_size, &mut rng);
        }
    }

    fn step(divergence: Divergence, old: &[f64], advantages: &[f64], t: f64) -> Vec<f64> {
        let log_old: Vec<f64> = old.iter().map(|p| p.ln()).collect();
        let mut log_new = vec![f64::NAN; old.len()];
        divergence.mirror_step(&log_old, advantages, t, &mut log_new);
        log_new.iter().map(|l| l.exp()).collect()
    }

    fn objective(divergence: Divergence, new: &[f64], old: &[f64], advantages: &[f64], t: f64) -> f64 {
        let linear: f64 = new.iter().zip(advantages).map(|(p, a)| p * a).sum();
        t * linear - divergence.between(new, old)
    }

    fn largest_gap(a: &[f64], b: &[f64]) -> f64 {
        a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
    }

    #[test]
    fn log_q_and_exp_q_are_inverse_and_tend_to_the_logarithm_as_q_tends_to_one() {
        for x in [1e-9, 0.3, 1.0, 2.5] {
            for q in [1.0, 1.2, 1.5, 2.0] {
                assert!((exp_q(log_q(x, q), q) / x - 1.0).abs() < 1e-6, "x {x}, q {q}");
            }
            assert!((log_q(x, 1.0 + 1e-9) - x.ln()).abs() < 1e-6);
        }
        assert_eq!(log_q(0.0, 2.0), -1.0);
        assert_eq!(exp_q(-3.0, 2.0), 0.0);
        assert!((log_q(0.25, 2.0) + 0.75).abs() < 1e-15);
    }

    #[test]
    fn divergences_are_zero_at_the_old_policy_and_positive_elsewhere() {
        for_random_steps(|old, _, _, rng| {
            let other = distribution(old.len(), rng);
            for divergence in ALL {
                assert!(divergence.between(old, old).abs() < 1e-15);
                if largest_gap(old, &other) > 1e-3 {
                    assert!(divergence.between(&other, old) > 0.0, "{divergence:?}");
                }
            }
        });
    }

    /// B(p, k) = ψ(p) − ψ(k) − ⟨∇ψ(k), p − k⟩, and the form with −1 + Σ k^q.
    #[test]
    fn the_tsallis_divergence_is_the_bregman_divergence_of_the_negative_tsallis_entropy() {
        for_random_steps(|old, _, _, rng| {
            let new = distribution(old.len(), rng);
            for q in [1.0001, 1.2, 1.5, 2.0] {
                let psi = |p: &[f64]| p.iter().map(|&p| p * log_q(p, q)).sum::<f64>();
                let slope = |k: f64| (q * k.powf(q - 1.0) - 1.0) / (q - 1.0);
                let inner: f64 = new.iter().zip(old).map(|(p, &k)| slope(k) * (p - k)).sum();
                let expected = psi(&new) - psi(old) - inner;
                let found = Divergence::Tsallis { q }.between(&new, old);
                assert!((found - expected).abs() < 1e-9, "q {q}: {found} and {expected}");

                let power: f64 = old.iter().map(|k| k.powf(q)).sum();
                let cross: f64 =
                    new.iter().zip(old).map(|(&p, &k)| p * (log_q(p, q) - q * log_q(k, q))).sum();
                assert!((found - (cross - 1.0 + power)).abs() < 1e-11, "q {q}");
            }
        });
    }

    #[test]
    fn tsallis_is_kl_at_order_one_and_the_squared_euclidean_distance_at_order_two() {
        for_random_steps(|old, _, _, rng| {
            let new = distribution(old.len(), rng);
            let kl = Divergence::ReverseKl.between(&new, old);
            assert_eq!(Divergence::Tsallis { q: 1.0 }.between(&new, old), kl);
            assert!((Divergence::Tsallis { q: 1.0 + 1e-8 }.between(&new, old) - kl).abs() < 1e-6);
            let squared: f64 = new.iter().zip(old).map(|(p, k)| (p - k) * (p - k)).sum();
            assert!((Divergence::Tsallis { q: 2.0 }.between(&new, old) - squared).abs() < 1e-14);
        });
    }

    #[test]
    fn the_gradient_is_that_of_finite_differences_along_the_simplex() {
        for_random_steps(|old, _, _, rng| {
            let (new, towards) = (distribution(old.len(), rng), distribution(old.len(), rng));
            let along =
                |x: f64| -> Vec<f64> { new.iter().zip(&towards).map(|(p, d)| p + x * (d - p)).collect() };
            for divergence in ALL {
                let mut gradient = vec![f64::NAN; old.len()];
                divergence.gradient(&new, old, &mut gradient);
                let exact: f64 =
                    gradient.iter().zip(along(1.0)).zip(&new).map(|((g, d), p)| g * (d - p)).sum();
                let value = |x| divergence.between(&along(x), old);
                let width = 1e-5;
                let difference = (value(width) - value(-width)) / (2.0 * width);
                assert!((exact - difference).abs() < 1e-5 * (1.0 + exact.abs()), "{divergence:?}");
            }
        });
    }

    #[test]
    fn what_is_too_unlikely_for_a_number_comes_back_when_it_pays() {
        let (divergence, mut log_policy) = (Divergence::ReverseKl, vec![0.5f64.ln(); 2]);
        let mut next = log_policy.clone();
        for advantages in [[0.0, 10.0], [10.0, 0.0]] {
            for _ in 0..100 {
                divergence.mirror_step(&log_policy, &advantages, 1.0, &mut next);
                log_policy.copy_from_slice(&next);
            }
            if advantages[0] == 0.0 {
                assert_eq!(log_policy[0].exp(), 0.0);
            }
        }
        assert!((log_policy[0] - 0.5f64.ln()).abs() < 1e-9, "{log_policy:?}");
    }

    #[test]
    fn a_mirror_step_is_a_distribution_that_no_other_distribution_beats() {
        for_random_steps(|old, advantages, t, rng| {
            for divergence in ALL {
                let new = step(divergence, old, advantages, t);
                assert!(new.iter().all(|p| (0.0..=1.0).contains(p)), "{divergence:?}: {new:?}");
                assert!((new.iter().sum::<f64>() - 1.0).abs() < 1e-14);
                let best = objective(divergence, &new, old, advantages, t);
                for mixture in [1e-3, 0.03, 0.5] {
                    let towards = distribution(old.len(), rng);
                    let other: Vec<f64> =
                        new.iter().zip(&towards).map(|(p, d)| p + mixture * (d - p)).collect();
                    let value = objective(divergence, &other, old, advantages, t);
                    assert!(value <= best + 1e-12 * (1.0 + best.abs()), "{divergence:?}: {value} > {best}");
                }
            }
        });
    }

    #[test]
    fn a_constant_added_to_the_advantages_changes_no_step() {
        for_random_steps(|old, advantages, t, _| {
            let shifted: Vec<f64> = advantages.iter().map(|a| a + 0.7).collect();
            for divergence in ALL {
                let gap =
                    largest_gap(&step(divergence, old, advantages, t), &step(divergence, old, &shifted, t));
                assert!(gap < 1e-11, "{divergence:?}: {gap}");
            }
        });
    }

    #[test]
    fn the_reverse_kl_step_is_an_exponential_tilt() {
        let new = step(Divergence::ReverseKl, &[0.5, 0.5], &[1.0, 0.0], 2.0);
        let expected = 2f64.exp() / (2f64.exp() + 1.0);
        assert!((new[0] - expected).abs() < 1e-15);
        // Far beyond the range of exp.
        assert_eq!(step(Divergence::ReverseKl, &[0.5, 0.5], &[1.0, 0.0], 1e5), [1.0, 0.0]);
    }

    #[test]
    fn the_forward_kl_step_has_its_closed_form_for_two_actions() {
        // Σ k/(t(x − A)) = 1 is a quadratic in x.
        for_random_steps(|old, advantages, t, _| {
            if let ([k0, k1], [a0, a1]) = (old, advantages) {
                let (b, c) = (-(a0 + a1 + 1.0 / t), a0 * a1 + (k0 * a1 + k1 * a0) / t);
                let x = (-b + (b * b - 4.0 * c).max(0.0).sqrt()) / 2.0;
                let new = step(Divergence::ForwardKl, old, advantages, t);
                assert!(x > a0.max(*a1));
                // Away from the best action the quadratic's root loses no digits.
                let worst = usize::from(a0 > a1);
                let expected = old[worst] / (t * (x - advantages[worst]));
                assert!((new[worst] - expected).abs() < 1e-9, "{} and {expected}", new[worst]);
            }
        });
    }

    #[test]
    fn an_action_that_the_old_policy_never_takes_returns_where_the_divergence_allows_it() {
        let advantages = [0.0, 0.0, 1.0];
        let old = [0.5, 0.5, 0.0];
        assert_eq!(step(Divergence::ReverseKl, &old, &advantages, 3.0)[2], 0.0);
        // The others keep k/(t · 1) each, so the new one takes 1 − 1/3.
        let new = step(Divergence::ForwardKl, &old, &advantages, 3.0);
        assert!((new[2] - 2.0 / 3.0).abs() < 1e-15, "{new:?}");
        assert_eq!(step(Divergence::ForwardKl, &old, &advantages, 0.5)[2], 0.0);
        let new = step(Divergence::Tsallis { q: 2.0 }, &old, &advantages, 1.0);
        assert!((new[2] - 1.0 / 3.0).abs() < 1e-14, "{new:?}");
    }

    /// The projection by sorting of Held, Wolfe and Crowder (1974).
    fn project_onto_simplex(point: &[f64]) -> Vec<f64> {
        let mut sorted = point.to_vec();
        sorted.sort_by(|a, b| b.total_cmp(a));
        let mut sum = 0.0;
        let mut threshold = 0.0;
        for (i, x) in sorted.iter().enumerate() {
            sum += x;
            let candidate = (sum - 1.0) / (i + 1) as f64;
            if *x > candidate {
                threshold = candidate;
            }
        }
        point.iter().map(|x| (x - threshold).max(0.0)).collect()
    }

    #[test]
    fn the_tsallis_step_of_order_two_is_the_euclidean_projection_onto_the_simplex() {
        for_random_steps(|old, advantages, t, _| {
            let point: Vec<f64> = old.iter().zip(advantages).map(|(k, a)| k + t * a / 2.0).collect();
            let expected = project_onto_simplex(&point);
            let found = step(Divergence::Tsallis { q: 2.0 }, old, advantages, t);
            assert!(largest_gap(&found, &expected) < 1e-11 * (1.0 + t), "{found:?} and {expected:?}");
        });
    }

    #[test]
    fn the_tsallis_step_tends_to_the_exponential_tilt_as_q_tends_to_one() {
        for_random_steps(|old, advantages, t, _| {
            if t < 10.0 {
                let near = step(Divergence::Tsallis { q: 1.0 + 1e-7 }, old, advantages, t);
                let limit = step(Divergence::ReverseKl, old, advantages, t);
                assert!(largest_gap(&near, &limit) < 1e-4);
            }
        });
    }

    /// With Ã = A − E_k A: the reverse step is k (1 + tÃ + t²(Ã² − Var A)/2 + …), the forward step
    /// k (1 + tÃ + t²(Ã² − Var A) + …).
    #[test]
    fn the_steps_of_both_kl_orders_differ_by_half_the_second_order_term_at_small_step_sizes() {
        let t = 1e-3;
        for_random_steps(|old, advantages, _, _| {
            let reverse = step(Divergence::ReverseKl, old, advantages, t);
            let forward = step(Divergence::ForwardKl, old, advantages, t);
            let mean: f64 = old.iter().zip(advantages).map(|(k, a)| k * a).sum();
            let variance: f64 = old.iter().zip(advantages).map(|(k, a)| k * (a - mean).powi(2)).sum();
            for i in 0..old.len() {
                let centred = advantages[i] - mean;
                let expected = old[i] * t * t * (centred * centred - variance) / 2.0;
                // The remainder is of third order, and |Ã| is at most 4.
                assert!((forward[i] - reverse[i] - expected).abs() < 64.0 * t.powi(3) * old[i] + 1e-15);
            }
        });
    }

    #[test]
    fn orders_outside_one_to_two_are_errors_that_name_the_field() {
        for q in [0.9, 2.1, f64::NAN] {
            let message = Divergence::Tsallis { q }.validate().unwrap_err().to_string();
            assert!(message.contains("divergence.q"), "{message}");
        }
        for divergence in ALL {
            divergence.validate().unwrap();
        }
    }

    #[test]
    fn divergences_are_written_in_a_configuration_by_name() {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        struct Config {
            divergence: Divergence,
        }
        for (text, divergence) in [
            ("divergence = \"reverse-kl\"", Divergence::ReverseKl),
            ("divergence = \"forward-kl\"", Divergence::ForwardKl),
            ("divergence = { tsallis = { q = 1.5 } }", Divergence::Tsallis { q: 1.5 }),
        ] {
            assert_eq!(toml::from_str::<Config>(text).unwrap(), Config { divergence });
        }
    }
}
