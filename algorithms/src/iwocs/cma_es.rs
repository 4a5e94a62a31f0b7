//! Covariance matrix adaptation in a unit cube.
//!
//! The (μ/μ_w, λ) strategy with the constants of Hansen (2016), "The CMA evolution strategy: a tutorial",
//! arXiv 1604.00772, without negative weights. Candidates are clipped to the cube, and the distribution is
//! adapted to where they were evaluated. It is small enough to be here: crates for it draw their own random
//! numbers or evaluate candidates one by one, where a generation here is one batch of rollouts.

use assay_environments::random::Stream;
use nalgebra::{DMatrix, DVector, SymmetricEigen};
use rand::Rng;
use rand_distr::StandardNormal;

/// The search distribution N(mean, deviation² covariance), and how it got there.
#[derive(Clone, Debug)]
pub struct CmaEs {
    population: usize,
    mean: DVector<f64>,
    /// The step size σ.
    deviation: f64,
    covariance: DMatrix<f64>,
    /// p_σ and p_c, the evolution paths of σ and of the covariance.
    step_path: DVector<f64>,
    path: DVector<f64>,
    generation: i32,
    constants: Constants,
}

/// What depends on dimension and population alone.
#[derive(Clone, Debug)]
struct Constants {
    /// Recombination weights of the best candidates, decreasing, of sum one.
    weights: Vec<f64>,
    /// μ_eff.
    effective: f64,
    /// c_σ and d_σ.
    step_rate: f64,
    damping: f64,
    /// c_c, c₁ and c_μ.
    path_rate: f64,
    rank_one: f64,
    rank_many: f64,
    /// The expected length of a standard normal vector.
    normal_length: f64,
}

impl Constants {
    fn new(n: f64, population: usize) -> Self {
        let parents = population / 2;
        let raw: Vec<f64> =
            (1..=parents).map(|i| ((population as f64 + 1.0) / 2.0).ln() - (i as f64).ln()).collect();
        let total: f64 = raw.iter().sum();
        let weights: Vec<f64> = raw.iter().map(|w| w / total).collect();
        let effective = 1.0 / weights.iter().map(|w| w * w).sum::<f64>();
        let step_rate = (effective + 2.0) / (n + effective + 5.0);
        let rank_one = 2.0 / ((n + 1.3).powi(2) + effective);
        let rank_many = 2.0 * (effective - 2.0 + 1.0 / effective) / ((n + 2.0).powi(2) + effective);
        Constants {
            damping: 1.0 + 2.0 * (((effective - 1.0) / (n + 1.0)).sqrt() - 1.0).max(0.0) + step_rate,
            path_rate: (4.0 + effective / n) / (n + 4.0 + 2.0 * effective / n),
            rank_many: rank_many.min(1.0 - rank_one),
            normal_length: n.sqrt() * (1.0 - 1.0 / (4.0 * n) + 1.0 / (21.0 * n * n)),
            weights,
            effective,
            step_rate,
            rank_one,
        }
    }
}

impl CmaEs {
    /// A strategy that starts from N(`mean`, `deviation`² I) with `population` (4 or more) candidates in a
    /// generation.
    pub fn new(mean: &[f64], deviation: f64, population: usize) -> Self {
        let n = mean.len();
        CmaEs {
            population,
            mean: DVector::from_column_slice(mean),
            deviation,
            covariance: DMatrix::identity(n, n),
            step_path: DVector::zeros(n),
            path: DVector::zeros(n),
            generation: 0,
            constants: Constants::new(n as f64, population),
        }
    }

    /// The mean of the search distribution.
    pub fn mean(&self) -> &[f64] {
        self.mean.as_slice()
    }

    /// The candidates of a generation, clipped to the unit cube.
    pub fn ask(&mut self, rng: &mut Stream) -> Vec<Vec<f64>> {
        let (axes, lengths) = self.axes();
        let mut candidate = || {
            let normal = DVector::from_fn(self.mean.len(), |_, _| rng.sample(StandardNormal));
            let step = &axes * normal.component_mul(&lengths);
            (&self.mean + step * self.deviation).iter().map(|x: &f64| x.clamp(0.0, 1.0)).collect()
        };
        (0..self.population).map(|_| candidate()).collect()
    }

    /// Principal axes of the covariance and the square roots of its eigenvalues.
    fn axes(&self) -> (DMatrix<f64>, DVector<f64>) {
        let eigen = SymmetricEigen::new(self.covariance.clone());
        // Rounding may leave an eigenvalue below zero.
        (eigen.eigenvectors, eigen.eigenvalues.map(|value| value.max(1e-20).sqrt()))
    }

    /// Moves the distribution towards the candidates with the smallest values.
    pub fn tell(&mut self, candidates: &[Vec<f64>], values: &[f64]) {
        let n = self.mean.len() as f64;
        let Constants { weights, effective, step_rate, damping, path_rate, rank_one, rank_many, .. } =
            &self.constants;
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
        let steps: Vec<DVector<f64>> = order[..weights.len()]
            .iter()
            .map(|&i| (DVector::from_column_slice(&candidates[i]) - &self.mean) / self.deviation)
            .collect();
        let zero = DVector::zeros(self.mean.len());
        let step = steps.iter().zip(weights).fold(zero, |sum, (step, weight)| sum + step * *weight);
        self.mean += &step * self.deviation;

        // C^(−1/2) of the step, for its length alone.
        let (axes, lengths) = self.axes();
        let whitened = &axes * (axes.transpose() * &step).component_div(&lengths);
        let keep = (step_rate * (2.0 - step_rate) * effective).sqrt();
        self.step_path = &self.step_path * (1.0 - step_rate) + whitened * keep;
        self.generation += 1;
        let faded = 1.0 - (1.0 - step_rate).powi(2 * self.generation);
        let length = self.step_path.norm() / self.constants.normal_length;
        let stalled = length / faded.sqrt() >= 1.4 + 2.0 / (n + 1.0);

        let keep = (path_rate * (2.0 - path_rate) * effective).sqrt();
        self.path *= 1.0 - path_rate;
        if !stalled {
            self.path += &step * keep;
        }
        let lost = if stalled { rank_one * path_rate * (2.0 - path_rate) } else { 0.0 };
        self.covariance *= 1.0 + lost - rank_one - rank_many;
        self.covariance += &self.path * self.path.transpose() * *rank_one;
        for (step, weight) in steps.iter().zip(weights) {
            self.covariance += step * step.transpose() * (rank_many * weight);
        }
        // In a cube of side one nothing is gained by looking further, or nearer than this.
        let factor = (step_rate / damping * (length - 1.0)).exp();
        self.deviation = (self.deviation * factor).clamp(1e-12, 1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use assay_environments::random::Seed;

    /// The least value after so many generations.
    fn minimum(function: impl Fn(&[f64]) -> f64, dimensions: usize, generations: usize, seed: u64) -> f64 {
        let mut strategy = CmaEs::new(&vec![0.2; dimensions], 0.3, 12);
        let mut rng = Seed::new(seed).stream("cma-es");
        let mut least = f64::INFINITY;
        for _ in 0..generations {
            let candidates = strategy.ask(&mut rng);
            assert!(candidates.iter().flatten().all(|x| (0.0..=1.0).contains(x)));
            let values: Vec<f64> = candidates.iter().map(|c| function(c)).collect();
            least = values.iter().copied().fold(least, f64::min);
            strategy.tell(&candidates, &values);
        }
        least
    }

    #[test]
    fn standard_functions_are_minimised() {
        let centred = |x: &[f64]| -> Vec<f64> { x.iter().map(|x| 4.0 * (x - 0.6)).collect() };
        let sphere = |x: &[f64]| centred(x).iter().map(|x| x * x).sum::<f64>();
        let ellipsoid = |x: &[f64]| {
            let y = centred(x);
            let turned = [y[0] + y[1], y[0] - y[1], y[2]];
            turned.iter().zip([1.0, 1e4, 1e2]).map(|(x, scale)| scale * x * x).sum::<f64>()
        };
        // The valley's minimum is at y = (1, 1), which is x = 0.85.
        let rosenbrock = |x: &[f64]| {
            let y = centred(x);
            100.0 * (y[1] - y[0] * y[0]).powi(2) + (1.0 - y[0]).powi(2)
        };
        for seed in 0..10 {
            assert!(minimum(sphere, 5, 150, seed) < 1e-12);
            assert!(minimum(ellipsoid, 3, 200, seed) < 1e-10);
            assert!(minimum(rosenbrock, 2, 250, seed) < 1e-8);
        }
    }

    #[test]
    fn a_minimum_in_a_corner_is_found_and_the_first_generation_has_the_given_spread() {
        for seed in 0..10 {
            assert!(minimum(|x| x.iter().sum(), 3, 60, seed) < 1e-6);
        }
        let mut strategy = CmaEs::new(&[0.5; 2], 0.05, 2000);
        let candidates = strategy.ask(&mut Seed::new(0).stream("cma-es"));
        let squares: f64 = candidates.iter().flatten().map(|x| (x - 0.5).powi(2)).sum();
        assert!(((squares / 4000.0).sqrt() - 0.05).abs() < 0.002);
        assert_eq!(strategy.mean(), [0.5, 0.5]);
    }

    #[test]
    fn weights_sum_to_one_and_the_learning_rates_keep_the_covariance() {
        for (n, population) in [(1.0, 4), (2.0, 100), (3.0, 10), (50.0, 20)] {
            let constants = Constants::new(n, population);
            assert!((constants.weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            assert!(constants.weights.is_sorted_by(|a, b| a >= b) && constants.weights[0] > 0.0);
            assert!(constants.rank_one + constants.rank_many <= 1.0);
            assert!(constants.rank_one > 0.0 && constants.rank_many >= 0.0);
        }
    }
}
