//! States with a real action, whose expectations over normally distributed actions are known.

use ndarray::{Array1, Array2};
use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::{Action, Environment, Error, Outcome, Space, parameters::require, random::Seed, random::Stream};

/// An environment of finitely many states (observed as a number) and one real action, whose
/// expected rewards and transitions are known in closed form where the action is drawn from a normal
/// distribution.
///
/// [`Environment::normal_actions`] tells whether an environment is one.
pub trait NormalActions {
    /// The decision chain that the environment becomes with the action of state s drawn from
    /// N(`means[s]`, `deviation`²), and how it changes with the means. Panics unless there is one
    /// mean per state.
    fn normal_tables(&self, means: &[f64], deviation: f64) -> NormalTables;
}

/// Expectations over normally distributed actions.
#[derive(Clone, Debug, PartialEq)]
pub struct NormalTables {
    /// Probability of each state at the start.
    pub initial: Vec<f64>,
    /// Expected reward of each state.
    pub rewards: Array1<f64>,
    /// Its derivative with respect to the mean of that state's action.
    pub reward_slopes: Array1<f64>,
    /// Transition probabilities (state × next state).
    pub transitions: Array2<f64>,
    /// Their derivatives with respect to the mean of the first state's action.
    pub transition_slopes: Array2<f64>,
}

/// A stair of hills: in every state the reward is a hill over the real action, and so is the
/// probability of climbing to the next state, with its top elsewhere.
///
/// With action a in state s the reward is h_s exp(−(a − p_s)²/(2w²)), where the height h_s rises
/// evenly to 1. With probability exp(−(a − g_s)²/(2w²)) the next state is s + 1 (the last state is
/// its own next), else state 0. Tops p_s and g_s are uniform in [−1, 1].
///
/// It is made for policy-gradient theory. Rewards are in [0, 1]. A Gaussian policy with a mean per
/// state and a fixed deviation σ has the Fisher information diag d(s)/σ² ≥ (1 − γ)/(n σ²) wherever
/// its means are, because an episode starts in every state with equal probability; and its
/// objective and gradient are known exactly ([`NormalActions`]). With w² + σ² ≥ 1 no two tops are far
/// enough apart to make two hills of one.
///
/// **Start**: uniform over all states. **End**: never.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Hills {
    /// Number of states; at least 1.
    pub states: usize,
    /// w, positive.
    pub width: f64,
    /// What determines the tops.
    pub seed: u64,
}

impl Default for Hills {
    fn default() -> Self {
        Hills { states: 4, width: 0.9, seed: 0 }
    }
}

impl Hills {
    /// The environment. Errors when a parameter is out of range.
    pub fn build(&self) -> Result<HillClimb, Error> {
        let Hills { states, width, seed } = *self;
        require("states", states, (1..=1_000_000).contains(&states), "1 to 1000000")?;
        require("width", width, width > 0.0 && width.is_finite(), "above 0")?;
        let mut rng = Seed::new(seed).stream("hills");
        let tops = (0..states).map(|_| [rng.random_range(-1.0..=1.0), rng.random_range(-1.0..=1.0)]);
        Ok(HillClimb { tops: tops.collect(), width, state: 0 })
    }
}

/// The environment that [`Hills`] describes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HillClimb {
    /// The top of the reward and that of the way up, of each state.
    tops: Vec<[f64; 2]>,
    width: f64,
    state: usize,
}

impl HillClimb {
    fn height(&self, state: usize) -> f64 {
        (state + 1) as f64 / self.tops.len() as f64
    }

    fn next(&self, state: usize) -> usize {
        (state + 1).min(self.tops.len() - 1)
    }
}

impl Environment for HillClimb {
    fn observation_space(&self) -> Space {
        Space::discrete(self.tops.len())
    }

    fn action_space(&self) -> Space {
        Space::symmetric(1, f32::INFINITY)
    }

    fn reset(&mut self, rng: &mut Stream, observation: &mut [f32]) -> Result<(), Error> {
        self.state = rng.random_range(0..self.tops.len());
        observation[0] = self.state as f32;
        Ok(())
    }

    fn step(
        &mut self,
        action: Action<'_>,
        rng: &mut Stream,
        observation: &mut [f32],
    ) -> Result<Outcome, Error> {
        let [a] = *action.continuous::<1>()?;
        let hill = |top: f64| (-0.5 * ((f64::from(a) - top) / self.width).powi(2)).exp();
        let [of_reward, of_way] = self.tops[self.state];
        let reward = self.height(self.state) * hill(of_reward);
        let climbs = rng.random::<f64>() < hill(of_way);
        self.state = if climbs { self.next(self.state) } else { 0 };
        observation[0] = self.state as f32;
        Ok(Outcome::running(reward))
    }

    fn normal_actions(&self) -> Option<&dyn NormalActions> {
        Some(self)
    }
}

impl NormalActions for HillClimb {
    /// E exp(−(a − t)²/(2w²)) = w/v · exp(−(m − t)²/(2v²)) with v² = w² + σ².
    fn normal_tables(&self, means: &[f64], deviation: f64) -> NormalTables {
        let states = self.tops.len();
        assert_eq!(means.len(), states, "one mean per state");
        let variance = self.width * self.width + deviation * deviation;
        let hill = |mean: f64, top: f64| {
            let value = self.width / variance.sqrt() * (-0.5 * (mean - top) * (mean - top) / variance).exp();
            (value, -(mean - top) / variance * value)
        };
        let mut tables = NormalTables {
            initial: vec![1.0 / states as f64; states],
            rewards: Array1::zeros(states),
            reward_slopes: Array1::zeros(states),
            transitions: Array2::zeros((states, states)),
            transition_slopes: Array2::zeros((states, states)),
        };
        for (state, (&mean, &[of_reward, of_way])) in means.iter().zip(&self.tops).enumerate() {
            let (reward, reward_slope) = hill(mean, of_reward);
            tables.rewards[state] = self.height(state) * reward;
            tables.reward_slopes[state] = self.height(state) * reward_slope;
            let (climbs, slope) = hill(mean, of_way);
            tables.transitions[[state, self.next(state)]] += climbs;
            tables.transitions[[state, 0]] += 1.0 - climbs;
            tables.transition_slopes[[state, self.next(state)]] += slope;
            tables.transition_slopes[[state, 0]] -= slope;
        }
        tables
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_distr::{Distribution, Normal};

    #[test]
    fn the_tables_are_the_means_of_what_the_environment_does() {
        let mut hills = Hills { states: 3, ..Hills::default() }.build().unwrap();
        let (means, deviation) = ([0.3, -0.5, 0.9], 0.6);
        let tables = hills.normal_tables(&means, deviation);
        let mut rng = Seed::new(1).stream("test");
        const DRAWS: usize = 40_000;
        for (state, mean) in means.into_iter().enumerate() {
            let normal = Normal::new(mean, deviation).unwrap();
            let (mut reward, mut visits) = (0.0, [0.0; 3]);
            for _ in 0..DRAWS {
                hills.state = state;
                let action = [normal.sample(&mut rng) as f32];
                let mut observation = [0.0];
                let outcome = hills.step(Action::Continuous(&action), &mut rng, &mut observation).unwrap();
                reward += outcome.reward / DRAWS as f64;
                visits[observation[0] as usize] += 1.0 / DRAWS as f64;
            }
            // Standard errors are below 0.5/√40000 = 0.0025.
            assert!((reward - tables.rewards[state]).abs() < 0.01, "{state}");
            for (next, visits) in visits.iter().enumerate() {
                assert!((visits - tables.transitions[[state, next]]).abs() < 0.01, "{state} to {next}");
            }
        }
    }

    #[test]
    fn slopes_are_derivatives() {
        let hills = Hills::default().build().unwrap();
        let means = [0.2, -0.4, 1.0, -2.0];
        let tables = hills.normal_tables(&means, 0.5);
        let step = 1e-5;
        for state in 0..4 {
            let shifted = |by: f64| {
                let mut means = means;
                means[state] += by;
                hills.normal_tables(&means, 0.5)
            };
            let (up, down) = (shifted(step), shifted(-step));
            let slope = (up.rewards[state] - down.rewards[state]) / (2.0 * step);
            assert!((slope - tables.reward_slopes[state]).abs() < 1e-9);
            for next in 0..4 {
                let at = [state, next];
                let slope = (up.transitions[at] - down.transitions[at]) / (2.0 * step);
                assert!((slope - tables.transition_slopes[at]).abs() < 1e-9);
            }
        }
        assert!(tables.transitions.rows().into_iter().all(|row| (row.sum() - 1.0).abs() < 1e-12));
    }
}
