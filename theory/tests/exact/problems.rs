//! Random problems and policies for the tests.

use assay_environments::{
    random::{Seed, Stream},
    tabular::{FiniteMdp, LayeredRandom, Transition},
};
use ndarray::{Array1, Array2, Array3, ArrayRef, Dimension};
use rand::Rng;
use rand_distr::{Distribution, Exp1};

/// A problem with a policy and a discount.
pub(crate) struct Problem {
    pub(crate) mdp: FiniteMdp,
    pub(crate) discount: f64,
    pub(crate) rng: Stream,
}

/// A number of random problems without a horizon: 1 to 7 states and 1 to 4 actions, sparse and
/// dense rows, rewards in [−1, 1], a random start; a third of them with a terminal state.
pub(crate) fn random_problems(count: u64) -> impl Iterator<Item = Problem> {
    (0..count).map(|seed| {
        let mut rng = Seed::new(seed).stream("problem");
        let states = rng.random_range(1..8);
        let actions = rng.random_range(1..5);
        let terminal: &[usize] = if states > 1 && seed % 3 == 0 { &[0] } else { &[] };
        let mut initial = distribution(states, &mut rng);
        if !terminal.is_empty() {
            initial[0] = 0.0;
            initial /= initial.sum();
        }
        let branching = rng.random_range(1..=states);
        let mdp = FiniteMdp::new(states, actions, initial.as_slice().unwrap(), terminal, |_, _| {
            let row = distribution(branching, &mut rng);
            let successors = rand::seq::index::sample(&mut rng, states, branching);
            successors
                .iter()
                .zip(row)
                .map(|(next, probability)| Transition {
                    probability,
                    next,
                    reward: rng.random_range(-1.0..1.0),
                })
                .collect()
        });
        let discount = [0.0, 0.5, 0.9, 0.99][rng.random_range(0..4)];
        Problem { mdp: mdp.unwrap(), discount, rng }
    })
}

/// A number of random problems with a horizon and tables of their own at every step.
pub(crate) fn random_horizon_problems(count: u64) -> impl Iterator<Item = Problem> {
    (0..count).map(|seed| {
        let mut rng = Seed::new(seed).stream("horizon problem");
        let layered = LayeredRandom {
            states: rng.random_range(1..5),
            actions: rng.random_range(1..4),
            horizon: rng.random_range(1..6),
            concentration: 0.5,
            seed,
        };
        let mdp = layered.build().unwrap();
        let initial = distribution(mdp.states(), &mut rng);
        let mdp = mdp.with_initial(initial.as_slice().unwrap()).unwrap();
        let discount = [0.0, 0.7, 1.0][rng.random_range(0..3)];
        Problem { mdp, discount, rng }
    })
}

impl Problem {
    /// A random policy, uniform on the simplex in each state.
    pub(crate) fn policy(&mut self) -> Array2<f64> {
        let mut policy = Array2::zeros((self.mdp.states(), self.mdp.actions()));
        for mut row in policy.rows_mut() {
            row.assign(&distribution(self.mdp.actions(), &mut self.rng));
        }
        policy
    }

    /// The same for every step before the horizon.
    pub(crate) fn staged_policy(&mut self) -> Array3<f64> {
        let shape = (self.mdp.horizon().unwrap(), self.mdp.states(), self.mdp.actions());
        let mut policy = Array3::zeros(shape);
        for mut step in policy.outer_iter_mut() {
            step.assign(&self.policy());
        }
        policy
    }

    /// Random logits in ±2.
    pub(crate) fn logits(&mut self) -> Array2<f64> {
        let shape = (self.mdp.states(), self.mdp.actions());
        Array2::from_shape_simple_fn(shape, || self.rng.random_range(-2.0..2.0))
    }
}

/// Uniform on the simplex.
pub(crate) fn distribution(n: usize, rng: &mut Stream) -> Array1<f64> {
    let weights = Array1::from_shape_simple_fn(n, || -> f64 { Exp1.sample(rng) });
    let total = weights.sum();
    weights / total
}

/// The largest absolute difference of two arrays of the same shape.
pub(crate) fn largest_gap<D: Dimension>(a: &ArrayRef<f64, D>, b: &ArrayRef<f64, D>) -> f64 {
    assert_eq!(a.shape(), b.shape());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}
