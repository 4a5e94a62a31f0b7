//! Optimal policies under constraints: linear programs over occupancy measures.
//!
//! In a problem with a horizon, a policy's occupancy q_h(s, a) = P(s_h = s, a_h = a) is any
//! non-negative solution of the flow equations
//!
//! ```text
//! Σ_a q_0(s, a) = initial(s),    Σ_a q_{h+1}(s′, a) = Σ_{s, a} q_h(s, a) P_h(s′|s, a),
//! ```
//!
//! and every expected sum over an episode is linear in it (Altman 1999, *Constrained Markov Decision
//! Processes*). So the best policy whose expected utility is at least some number is a linear
//! program, solved here by the simplex method. Where the transitions are only known to lie in a box
//! around an estimate, z_h(s, a, s′) = q_h(s, a) P′_h(s′|s, a) takes the place of q
//! ([`optimistic_optimum`]).

use assay_environments::tabular::FiniteMdp;
use microlp::{ComparisonOp, OptimizationDirection, Problem, Variable};
use ndarray::{Array3, Array4, ArrayRef3, ArrayRef4, ArrayViewD, Axis, s};

use crate::{
    Error,
    bellman::horizon,
    policy::{check_rows, check_shape},
};

/// The transitions of a problem with a horizon, with a start. They may be estimates.
#[derive(Clone, Debug, PartialEq)]
pub struct Transitions {
    /// Probability of each state at the start.
    pub initial: Vec<f64>,
    /// P_h(s′|s, a) (H × states × actions × states). Rows may sum to less than one: what is missing
    /// leaves the problem, with nothing to come.
    pub probabilities: Array4<f64>,
}

impl Transitions {
    /// Those of `mdp`. Errors when it has no horizon.
    pub fn of(mdp: &FiniteMdp) -> Result<Self, Error> {
        let horizon = horizon(mdp, "a program over occupancies")?;
        let (states, actions) = (mdp.states(), mdp.actions());
        let mut probabilities = Array4::zeros((horizon, states, actions, states));
        for (step, mut table) in probabilities.axis_iter_mut(Axis(0)).enumerate() {
            table.assign(&mdp.dense_transitions(step));
        }
        Ok(Transitions { initial: mdp.initial().to_vec(), probabilities })
    }

    /// Errors unless the shapes fit together.
    fn check(&self) -> Result<(), Error> {
        let (horizon, states, actions, _) = self.probabilities.dim();
        let shape = self.probabilities.shape();
        if self.initial.len() != states || shape[3] != states {
            return Err(Error::Shape {
                what: "transitions",
                given: shape.to_vec(),
                expected: vec![horizon, self.initial.len(), actions, self.initial.len()],
            });
        }
        Ok(())
    }
}

/// The expected sum of `utilities` (H × states × actions) over an episode is at least `at_least`.
#[derive(Clone, Debug, PartialEq)]
pub struct Constraint {
    /// u_h(s, a).
    pub utilities: Array3<f64>,
    /// The least expected sum allowed.
    pub at_least: f64,
}

/// The best occupancy under constraints.
#[derive(Clone, Debug, PartialEq)]
pub struct ConstrainedOptimum {
    /// The largest expected sum of the rewards.
    pub value: f64,
    /// q_h(s, a) (H × states × actions).
    pub occupancy: Array3<f64>,
}

impl ConstrainedOptimum {
    /// The policy with this occupancy (H × states × actions); `otherwise` in states that it never
    /// visits. Errors when `otherwise` is no policy of the same shape.
    pub fn policy(&self, otherwise: &ArrayRef3<f64>) -> Result<Array3<f64>, Error> {
        check_shape("policy's probabilities", otherwise, self.occupancy.shape())?;
        check_rows("policy", otherwise)?;
        let mut policy = otherwise.to_owned();
        for (mut row, pairs) in policy.rows_mut().into_iter().zip(self.occupancy.rows()) {
            let total = pairs.sum();
            if total > NOTHING {
                row.assign(&(&pairs / total));
            }
        }
        Ok(policy)
    }
}

/// Occupancies below this are rounding of the solver, whose tolerance is 1e-7.
const NOTHING: f64 = 1e-6;

/// The occupancy that maximises the expected sum of `rewards` (H × states × actions) among those that
/// keep all constraints; `None` where none does.
///
/// Errors when shapes disagree, or the solver fails.
pub fn constrained_optimum(
    transitions: &Transitions,
    rewards: &ArrayRef3<f64>,
    constraints: &[Constraint],
) -> Result<Option<ConstrainedOptimum>, Error> {
    transitions.check()?;
    let (horizon, states, actions, _) = transitions.probabilities.dim();
    check_shape("rewards", rewards, &[horizon, states, actions])?;
    let mut program = Problem::new(OptimizationDirection::Maximize);
    let q = rewards.map(|reward| program.add_var(*reward, (0.0, f64::INFINITY)));
    for step in 0..horizon {
        for state in 0..states {
            let mut flow: Vec<(Variable, f64)> =
                q.slice(s![step, state, ..]).iter().map(|q| (*q, 1.0)).collect();
            if step > 0 {
                let before = transitions.probabilities.slice(s![step - 1, .., .., state]);
                let arrives = before.iter().zip(q.slice(s![step - 1, .., ..])).filter(|(p, _)| **p > 0.0);
                flow.extend(arrives.map(|(p, q)| (*q, -p)));
            }
            let start = if step == 0 { transitions.initial[state] } else { 0.0 };
            program.add_constraint(flow, ComparisonOp::Eq, start);
        }
    }
    for constraint in constraints {
        check_shape("utilities", &constraint.utilities, &[horizon, states, actions])?;
        let sum = q.iter().zip(&constraint.utilities).map(|(q, u)| (*q, *u));
        program.add_constraint(sum, ComparisonOp::Ge, constraint.at_least);
    }
    solve(&program, |value| q.map(|q| value(*q).max(0.0)))
}

/// The same with the best transitions P′ in the box |P′_h(s′|s, a) − P_h(s′|s, a)| ≤ `widths`
/// (H × states × actions × states), chosen together with the policy: the *extended* linear program
/// over z_h(s, a, s′), which has a variable for every transition that is possible within the box.
///
/// Errors as [`constrained_optimum`].
pub fn optimistic_optimum(
    transitions: &Transitions,
    widths: &ArrayRef4<f64>,
    rewards: &ArrayRef3<f64>,
    constraints: &[Constraint],
) -> Result<Option<ConstrainedOptimum>, Error> {
    transitions.check()?;
    let (horizon, states, actions, _) = transitions.probabilities.dim();
    check_shape("rewards", rewards, &[horizon, states, actions])?;
    check_shape("widths", widths, transitions.probabilities.shape())?;
    for constraint in constraints {
        check_shape("utilities", &constraint.utilities, &[horizon, states, actions])?;
    }
    let most = &transitions.probabilities + &widths.view();
    let least = &transitions.probabilities - &widths.view();
    let mut program = Problem::new(OptimizationDirection::Maximize);
    let mut z: Array4<Option<Variable>> = Array4::from_elem(most.dim(), None);
    for ((step, state, action, next), z) in z.indexed_iter_mut() {
        if most[[step, state, action, next]] > 0.0 {
            *z = Some(program.add_var(rewards[[step, state, action]], (0.0, f64::INFINITY)));
        }
    }
    let terms = |z: ArrayViewD<'_, Option<Variable>>, weight: f64| -> Vec<(Variable, f64)> {
        z.into_iter().flatten().map(|z| (*z, weight)).collect()
    };
    for step in 0..horizon {
        for state in 0..states {
            let mut flow = terms(z.slice(s![step, state, .., ..]).into_dyn(), 1.0);
            if step > 0 {
                flow.extend(terms(z.slice(s![step - 1, .., .., state]).into_dyn(), -1.0));
            }
            let start = if step == 0 { transitions.initial[state] } else { 0.0 };
            program.add_constraint(flow, ComparisonOp::Eq, start);
        }
    }
    // least · Σ_y z(s, a, y) ≤ z(s, a, s′) ≤ most · Σ_y z(s, a, y), where it says anything.
    for ((step, state, action, next), one) in z.indexed_iter() {
        let Some(one) = one else { continue };
        let index = [step, state, action, next];
        for (bound, operator) in [(least[index], ComparisonOp::Ge), (most[index], ComparisonOp::Le)] {
            let says_something = match operator {
                ComparisonOp::Ge => bound > 0.0,
                _ => bound < 1.0,
            };
            if says_something {
                let mut row = terms(z.slice(s![step, state, action, ..]).into_dyn(), -bound);
                row.iter_mut().filter(|(z, _)| z == one).for_each(|(_, weight)| *weight += 1.0);
                program.add_constraint(row, operator, 0.0);
            }
        }
    }
    for constraint in constraints {
        let sum = z.indexed_iter().filter_map(|((step, state, action, _), z)| {
            z.map(|z| (z, constraint.utilities[[step, state, action]]))
        });
        program.add_constraint(sum.collect::<Vec<_>>(), ComparisonOp::Ge, constraint.at_least);
    }
    solve(&program, |value| {
        let z = z.map(|z| z.map_or(0.0, |z| value(z).max(0.0)));
        z.sum_axis(Axis(3))
    })
}

/// Solves the program; `occupancy` reads it from the values of the variables.
fn solve(
    program: &Problem,
    occupancy: impl FnOnce(&dyn Fn(Variable) -> f64) -> Array3<f64>,
) -> Result<Option<ConstrainedOptimum>, Error> {
    let failed = |reason: String| Error::LinearProgram { reason };
    let solution = match program.solve() {
        Ok(outcome) => outcome.into_solution().map_err(|_| failed("it was interrupted".into()))?,
        Err(microlp::Error::Infeasible) => return Ok(None),
        Err(error) => return Err(failed(error.to_string())),
    };
    let occupancy = occupancy(&|variable| solution.var_value(variable));
    Ok(Some(ConstrainedOptimum { value: solution.objective(), occupancy }))
}
