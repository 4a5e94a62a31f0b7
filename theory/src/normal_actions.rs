//! Exact objective, gradient and Fisher information of Gaussian policies with a mean for each state
//! and a fixed deviation, where expectations over normal actions are known in closed form.

use assay_environments::{
    hills::{NormalActions, NormalTables},
    tabular::FiniteMdp,
};
use ndarray::{Array1, Array2, Axis};

use crate::{Error, evaluation::evaluate, occupancy::state_occupancy, policy::uniform};

/// What a Gaussian policy is worth, and how that changes with its means.
#[derive(Clone, Debug, PartialEq)]
pub struct NormalObjective {
    /// J = E Σ γᵗ rₜ.
    pub expected_return: f64,
    /// ∂J/∂m(s) = d(s)/(1 − γ) · (r′(s) + γ Σ P′(s'|s) V(s')): (states).
    pub gradient: Array1<f64>,
    /// V(s): (states).
    pub values: Array1<f64>,
    /// The discounted occupancy d(s). The Fisher information is diag d(s)/σ².
    pub occupancy: Array1<f64>,
}

/// The exact objective of the policy N(`means[s]`, `deviation`²).
///
/// `discount` is from 0 to below 1. Errors when it is not. Panics unless there is one mean per state.
pub fn objective(
    problem: &dyn NormalActions,
    means: &[f64],
    deviation: f64,
    discount: f64,
) -> Result<NormalObjective, Error> {
    let tables = problem.normal_tables(means, deviation);
    let chain = chain(&tables)?;
    let only = uniform(means.len(), 1);
    let evaluation = evaluate(&chain, &only, discount)?;
    let occupancy = state_occupancy(&chain, &only, discount)?;
    let slopes = &tables.reward_slopes + &(tables.transition_slopes.dot(&evaluation.values) * discount);
    Ok(NormalObjective {
        expected_return: evaluation.expected_return(&chain),
        gradient: slopes * &occupancy / (1.0 - discount),
        values: evaluation.values,
        occupancy,
    })
}

/// The means of the best Gaussian policy with this deviation: a decision process whose actions are
/// the means, solved by policy iteration. Means are sought within ± `bound`, on a grid that is then
/// refined.
///
/// `discount` is from 0 to below 1. Errors when it is not, or when the iteration does not end.
pub fn best_means(
    problem: &dyn NormalActions,
    states: usize,
    deviation: f64,
    discount: f64,
    bound: f64,
) -> Result<Vec<f64>, Error> {
    const SWEEPS: usize = 100;
    const POINTS: usize = 201;
    const REFINEMENTS: usize = 12;
    let mut means = vec![0.0; states];
    let mut moved = f64::INFINITY;
    for _ in 0..SWEEPS {
        let values = objective(problem, &means, deviation, discount)?.values;
        // What every state would be worth with the same mean in all of them, then V.
        let look_ahead = |mean: f64| {
            let tables = problem.normal_tables(&vec![mean; states], deviation);
            &tables.rewards + &(tables.transitions.dot(&values) * discount)
        };
        let mut best: Vec<f64> = means.clone();
        let mut spacing = 2.0 * bound / (POINTS - 1) as f64;
        let mut highest = Array1::from_elem(states, f64::NEG_INFINITY);
        for point in 0..POINTS {
            let mean = -bound + spacing * point as f64;
            for (state, &value) in look_ahead(mean).iter().enumerate() {
                if value > highest[state] {
                    (highest[state], best[state]) = (value, mean);
                }
            }
        }
        for state in 0..states {
            for _ in 0..REFINEMENTS {
                let centre = best[state];
                for point in -5..=5 {
                    let mean = centre + spacing * f64::from(point) / 5.0;
                    let value = look_ahead(mean)[state];
                    if value > highest[state] {
                        (highest[state], best[state]) = (value, mean);
                    }
                }
                spacing /= 5.0;
            }
            spacing = 2.0 * bound / (POINTS - 1) as f64;
        }
        moved = means.iter().zip(&best).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        means = best;
        if moved < 1e-7 {
            return Ok(means);
        }
    }
    Err(Error::NoConvergence { what: "policy iteration over means", iterations: SWEEPS, residual: moved })
}

/// The chain as a process with a single action.
fn chain(tables: &NormalTables) -> Result<FiniteMdp, Error> {
    let transitions = tables.transitions.view().insert_axis(Axis(1));
    let rewards: Array2<f64> = tables.rewards.clone().insert_axis(Axis(1));
    Ok(FiniteMdp::from_arrays(transitions, rewards.view(), &tables.initial)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use assay_environments::{hills::Hills, random::Seed};
    use rand::Rng;

    const DISCOUNT: f64 = 0.8;
    const DEVIATION: f64 = 0.5;

    #[test]
    fn the_gradient_is_the_derivative_of_the_objective() {
        let mut rng = Seed::new(0).stream("test");
        for seed in 0..10 {
            let hills = Hills { seed, ..Hills::default() }.build().unwrap();
            let means: Vec<f64> = (0..4).map(|_| rng.random_range(-1.5..1.5)).collect();
            let exact = objective(&hills, &means, DEVIATION, DISCOUNT).unwrap();
            for state in 0..4 {
                let value = |by: f64| {
                    let mut means = means.clone();
                    means[state] += by;
                    objective(&hills, &means, DEVIATION, DISCOUNT).unwrap().expected_return
                };
                let slope = (value(1e-5) - value(-1e-5)) / 2e-5;
                assert!((slope - exact.gradient[state]).abs() < 1e-8, "{slope} {}", exact.gradient[state]);
            }
        }
    }

    #[test]
    fn the_best_means_are_stationary_and_no_ascent_ends_above_or_below_them() {
        for seed in 0..10 {
            let hills = Hills { seed, ..Hills::default() }.build().unwrap();
            let best = best_means(&hills, 4, DEVIATION, DISCOUNT, 3.0).unwrap();
            let optimum = objective(&hills, &best, DEVIATION, DISCOUNT).unwrap();
            assert!(optimum.gradient.iter().all(|g| g.abs() < 1e-5), "{:?}", optimum.gradient);
            for start in [-1.0, 0.0, 1.0] {
                let mut means = vec![start; 4];
                for _ in 0..4000 {
                    let gradient = objective(&hills, &means, DEVIATION, DISCOUNT).unwrap().gradient;
                    means.iter_mut().zip(&gradient).for_each(|(m, g)| *m += 0.2 * g);
                }
                let reached = objective(&hills, &means, DEVIATION, DISCOUNT).unwrap().expected_return;
                assert!((optimum.expected_return - reached).abs() < 1e-6, "{seed} from {start}: {reached}");
            }
        }
    }
}
