//! What each action's log-probability is weighted by.

use serde::{Deserialize, Serialize};

/// The weights w_h of a gradient estimate Σ_h ∇ log π(a_h|h, s_h) w_h.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Estimator {
    /// Theorem 2: w_h = Σ_{j≥h} F(s_{j+1}|τ_{0:j}), the gains from here on. Unbiased.
    #[default]
    Full,
    /// The released code: w_h = F(τ_{0:h+1}), the value so far. In expectation it is the next gain
    /// alone, so it cannot plan beyond one step.
    Myopic,
    /// REINFORCE: w_h = F(τ), the whole return at every step. Unbiased, with more variance.
    TotalReturn,
}

impl Estimator {
    /// Writes the weights of a trajectory from F({s_0}) and its gains F(s_{h+1}|τ_{0:h}), one each per
    /// step.
    pub fn weights(self, initial: f64, gains: &[f64], weights: &mut [f64]) {
        match self {
            Estimator::Full => {
                let mut rest = 0.0;
                for (weight, gain) in weights.iter_mut().zip(gains).rev() {
                    rest += gain;
                    *weight = rest;
                }
            }
            Estimator::Myopic => {
                let mut value = initial;
                for (weight, gain) in weights.iter_mut().zip(gains) {
                    value += gain;
                    *weight = value;
                }
            }
            Estimator::TotalReturn => weights.fill(initial + gains.iter().sum::<f64>()),
        }
    }
}

/// What is subtracted from the weights of a batch of trajectories.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Baseline {
    /// Nothing, as in the released code.
    #[default]
    None,
    /// The mean weight of the other trajectories at the same step. It does not depend on the
    /// trajectory itself, so it leaves the expectation as it is.
    LeaveOneOut,
}

impl Baseline {
    /// Subtracts the baseline from `weights`: one row of `horizon` numbers per trajectory.
    pub fn subtract(self, horizon: usize, weights: &mut [f64]) {
        let trajectories = weights.len() / horizon;
        if self == Baseline::None || trajectories < 2 {
            return;
        }
        for step in 0..horizon {
            let mean = weights.iter().skip(step).step_by(horizon).sum::<f64>() / trajectories as f64;
            // w − (n mean − w)/(n − 1) = n (w − mean)/(n − 1).
            let correction = trajectories as f64 / (trajectories - 1) as f64;
            weights.iter_mut().skip(step).step_by(horizon).for_each(|w| *w = (*w - mean) * correction);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_what_their_names_say() {
        let gains = [3.0, 2.0, 0.5];
        let weights = |estimator: Estimator| {
            let mut weights = [f64::NAN; 3];
            estimator.weights(10.0, &gains, &mut weights);
            weights
        };
        assert_eq!(weights(Estimator::Full), [5.5, 2.5, 0.5]);
        assert_eq!(weights(Estimator::Myopic), [13.0, 15.0, 15.5]);
        assert_eq!(weights(Estimator::TotalReturn), [15.5; 3]);
    }

    #[test]
    fn a_baseline_left_one_out_is_the_mean_of_the_others() {
        let mut weights = [1.0, 10.0, 2.0, 20.0, 6.0, 60.0];
        Baseline::LeaveOneOut.subtract(2, &mut weights);
        assert_eq!(weights, [-3.0, -30.0, -1.5, -15.0, 4.5, 45.0]);
        let mut alone = [1.0, 2.0];
        Baseline::LeaveOneOut.subtract(2, &mut alone);
        assert_eq!(alone, [1.0, 2.0]);
        Baseline::None.subtract(2, &mut weights);
        assert_eq!(weights[0], -3.0);
    }
}
