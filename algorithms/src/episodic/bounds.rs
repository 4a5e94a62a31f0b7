//! Upper and lower confidence bounds of values, from counts.

use assay_theory::confidence::{BernsteinBonus, Bonus};
use ndarray::{Array3, s};

use super::{Counts, Problem};

/// U_h(s) and L_h(s) for h = 0 … H: bounds of what a policy is worth from step h on; 0 at step H.
#[derive(Clone, Debug, PartialEq)]
pub struct Bounds {
    states: usize,
    /// Step by step.
    upper: Vec<f64>,
    lower: Vec<f64>,
}

impl Bounds {
    /// U_h, by state.
    pub fn upper(&self, step: usize) -> &[f64] {
        &self.upper[step * self.states..(step + 1) * self.states]
    }

    /// L_h, by state.
    pub fn lower(&self, step: usize) -> &[f64] {
        &self.lower[step * self.states..(step + 1) * self.states]
    }
}

/// The backward recursion of BPI-UCBVI (Ménard et al. 2021, arXiv 2007.13442), for a given policy:
///
/// ```text
/// U_H = L_H = 0
/// QU_h(s, a) = min{H − h, r_h(s, a) + P̂_h U_{h+1}(s, a) + b_h(s, a)}
/// QL_h(s, a) = max{0,     r_h(s, a) + P̂_h L_{h+1}(s, a) − b_h(s, a)}
/// U_h(s) = Σ_a π_h(a|s) QU_h(s, a),    L_h(s) = Σ_a π_h(a|s) QL_h(s, a)
/// ```
///
/// with steps from 0, the bonus b of [`Bonus`], and QU = H − h, QL = 0 for pairs never visited. The
/// bounds of a policy need that policy's own recursion. In a terminal state both are what is known:
/// resting until H.
#[derive(Clone, Copy, Debug)]
pub struct ConfidenceBounds<'a> {
    problem: &'a Problem,
    counts: &'a Counts,
    bonus: BernsteinBonus,
}

impl<'a> ConfidenceBounds<'a> {
    /// Bounds that hold together with probability 1 − `delta` where the bonus has its paper's
    /// constants.
    pub fn new(problem: &'a Problem, counts: &'a Counts, bonus: &Bonus, delta: f64) -> Self {
        ConfidenceBounds { problem, counts, bonus: bonus.for_problem(problem.size, delta) }
    }

    /// QU_h(s, a) and QL_h(s, a) from U and L of the next step.
    fn of_action(
        &self,
        step: usize,
        state: usize,
        action: usize,
        upper: &[f64],
        lower: &[f64],
    ) -> (f64, f64) {
        let most = (self.problem.size.horizon - step) as f64;
        let visits = self.counts.visits(step, state, action);
        if visits == 0.0 {
            return (most, 0.0);
        }
        let (mut u, mut squares, mut l) = (0.0, 0.0, 0.0);
        for ((&n, &upper), &lower) in self.counts.successors(step, state, action).iter().zip(upper).zip(lower)
        {
            u += n * upper;
            squares += n * upper * upper;
            l += n * lower;
        }
        let (u, squares, l) = (u / visits, squares / visits, l / visits);
        let variance = f64::max(squares - u * u, 0.0);
        let bonus = self.bonus.width(visits, variance, u - l);
        let reward = self.problem.rewards[[step, state, action]];
        (f64::min(most, reward + u + bonus), f64::max(0.0, reward + l - bonus))
    }

    /// Nothing computed yet: zero at every step, as is right at step H.
    pub fn at_the_end(&self) -> Bounds {
        let states = self.problem.size.states;
        let length = (self.problem.size.horizon + 1) * states;
        Bounds { states, upper: vec![0.0; length], lower: vec![0.0; length] }
    }

    /// One step of the recursion for `policy` (H × states × actions): fills in step `step` of the
    /// bounds from the next one.
    pub fn step_back(&self, step: usize, policy: &Array3<f64>, bounds: &mut Bounds) {
        self.back(step, bounds, |state, of_action| {
            let mut sums = (0.0, 0.0);
            for (action, &p) in
                policy.slice(s![step, state, ..]).iter().enumerate().filter(|(_, p)| **p > 0.0)
            {
                let (upper, lower) = of_action(action);
                sums = (sums.0 + p * upper, sums.1 + p * lower);
            }
            sums
        });
    }

    /// Fills in one step of the bounds: `combine(state, of_action)` makes those of a state from those
    /// of its actions.
    fn back(
        &self,
        step: usize,
        bounds: &mut Bounds,
        mut combine: impl FnMut(usize, &dyn Fn(usize) -> (f64, f64)) -> (f64, f64),
    ) {
        let states = self.problem.size.states;
        let (upper, next_upper) = bounds.upper.split_at_mut((step + 1) * states);
        let (lower, next_lower) = bounds.lower.split_at_mut((step + 1) * states);
        let (next_upper, next_lower) = (&next_upper[..states], &next_lower[..states]);
        for state in 0..states {
            let (u, l) = if self.problem.terminal[state] {
                let rest = self.problem.resting(step);
                (rest, rest)
            } else {
                combine(state, &|action| self.of_action(step, state, action, next_upper, next_lower))
            };
            upper[step * states + state] = u;
            lower[step * states + state] = l;
        }
    }

    /// The bounds of `policy` (H × states × actions).
    pub fn of_policy(&self, policy: &Array3<f64>) -> Bounds {
        let mut bounds = self.at_the_end();
        (0..self.problem.size.horizon).rev().for_each(|step| self.step_back(step, policy, &mut bounds));
        bounds
    }

    /// The policy that is greedy on QU, the first of several actions, and its bounds: U bounds the
    /// optimal value, too.
    pub fn optimistic(&self) -> (Array3<f64>, Bounds) {
        self.greedy(|bounds, best, _| bounds.0 > best.0)
    }

    /// The policy that is greedy on QL, and its bounds: value iteration with lower confidence bounds
    /// (VI-LCB; Rashidinejad et al. 2021, arXiv 2103.12021). Of equally good actions it takes the
    /// one that was visited most.
    pub fn pessimistic(&self) -> (Array3<f64>, Bounds) {
        self.greedy(|bounds, best, more_visited| bounds.1 > best.1 || (bounds.1 == best.1 && more_visited))
    }

    /// The policy that takes the best action by `better(its bounds, the best one's, whether it was
    /// visited more)`.
    fn greedy(&self, better: impl Fn((f64, f64), (f64, f64), bool) -> bool) -> (Array3<f64>, Bounds) {
        let size = self.problem.size;
        let mut bounds = self.at_the_end();
        let mut policy = Array3::zeros((size.horizon, size.states, size.actions));
        for step in (0..size.horizon).rev() {
            let mut chosen = vec![0; size.states];
            self.back(step, &mut bounds, |state, of_action| {
                let mut best = of_action(0);
                for action in 1..size.actions {
                    let candidate = of_action(action);
                    let visits = |action| self.counts.visits(step, state, action);
                    if better(candidate, best, visits(action) > visits(chosen[state])) {
                        (best, chosen[state]) = (candidate, action);
                    }
                }
                best
            });
            for (state, action) in chosen.into_iter().enumerate() {
                policy[[step, state, action]] = 1.0;
            }
        }
        (policy, bounds)
    }

    /// U at the start of an episode.
    pub fn start_upper(&self, bounds: &Bounds) -> f64 {
        self.problem.at_start(bounds.upper(0))
    }

    /// L at the start of an episode.
    pub fn start_lower(&self, bounds: &Bounds) -> f64 {
        self.problem.at_start(bounds.lower(0))
    }
}
