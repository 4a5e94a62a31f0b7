//! Plans where moves are reliable.

use std::collections::HashSet;

use assay_environments::submodular::{Submodular, VisitedSet};

use super::{check_reliable, optimal_set};
use crate::Error;

/// A sequence of actions, and where it leads.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// H actions.
    pub actions: Vec<usize>,
    /// H + 1 places, the start first.
    pub path: Vec<usize>,
    /// F of the path.
    pub value: f64,
}

/// The plan that takes the largest gain at every step, the first of equal ones: what a policy that looks
/// one step ahead does. Errors when moves are not reliable.
pub fn greedy_plan(problem: &dyn Submodular) -> Result<Plan, Error> {
    check_reliable("a greedy plan", problem)?;
    let mut node = Node::start(problem);
    for _ in 0..problem.horizon() {
        let mut best = (f64::NEG_INFINITY, 0);
        for action in 0..problem.moves().actions() {
            let next = problem.moves().next(node.place(), action);
            let gain = node.visited.gain(problem.set_function(), next);
            if gain > best.0 {
                best = (gain, action);
            }
        }
        node.go(problem, best.1);
    }
    Ok(node.plan())
}

/// The best plan of a search that keeps the `width` best beginnings at every step: a lower bound of the
/// optimum, and a good one for wide beams. Beginnings that end at the same place with the same set count
/// once. Errors when moves are not reliable.
pub fn beam_plan(problem: &dyn Submodular, width: usize) -> Result<Plan, Error> {
    check_reliable("a beam search", problem)?;
    let mut beam = vec![Node::start(problem)];
    for _ in 0..problem.horizon() {
        let mut next: Vec<Node> = Vec::with_capacity(beam.len() * problem.moves().actions());
        let mut seen = HashSet::new();
        for node in &beam {
            for action in 0..problem.moves().actions() {
                let mut child = node.clone();
                child.go(problem, action);
                if seen.insert((child.place(), child.visited.indicator().to_vec())) {
                    next.push(child);
                }
            }
        }
        // A stable sort: of equally good beginnings the first found stays, so results are reproducible.
        next.sort_by(|a, b| b.visited.value().total_cmp(&a.visited.value()));
        next.truncate(width.max(1));
        beam = next;
    }
    Ok(beam.swap_remove(0).plan())
}

/// The best plan, by branch and bound over at most `limit` beginnings.
///
/// By submodularity a path from A gains at most the sum of F(s|A) over its places. That relaxation, with
/// zero for staying and for going straight back, is solved by dynamic programming at every beginning; a
/// second bound adds the largest gains within reach. Where every place can always be reached the order
/// does not matter, and the best set is searched instead. Errors when moves are not reliable, and with
/// [`Error::NoConvergence`] when the limit does not suffice, whose residual is the distance of the best
/// plan found from the bound.
pub fn optimal_plan(problem: &dyn Submodular, limit: usize) -> Result<Plan, Error> {
    check_reliable("an optimal plan", problem)?;
    if problem.moves().is_free() {
        let count = problem.horizon();
        let (set, value) = optimal_set(problem.set_function(), &[problem.start()], count, limit)?;
        let mut path = set;
        path.resize(count + 1, problem.start());
        return Ok(Plan { actions: path[1..].to_vec(), path, value });
    }
    let incumbent = beam_plan(problem, 200)?;
    let mut search = Search { bound: Relaxation::new(problem), problem, best: incumbent, nodes: 0, limit };
    let start = Node::start(problem);
    let root = search.bound.of(problem, &start);
    if search.explore(start) {
        return Ok(search.best);
    }
    Err(Error::NoConvergence {
        what: "branch and bound",
        iterations: search.nodes,
        residual: root - search.best.value,
    })
}

/// The beginning of a plan.
#[derive(Clone)]
struct Node {
    actions: Vec<usize>,
    path: Vec<usize>,
    visited: VisitedSet,
}

impl Node {
    fn start(problem: &dyn Submodular) -> Self {
        let mut visited = VisitedSet::new(problem.set_function(), problem.horizon() + 1);
        visited.add(problem.set_function(), problem.start());
        Node { actions: Vec::new(), path: vec![problem.start()], visited }
    }

    fn place(&self) -> usize {
        self.path[self.path.len() - 1]
    }

    fn go(&mut self, problem: &dyn Submodular, action: usize) {
        let next = problem.moves().next(self.place(), action);
        self.actions.push(action);
        self.path.push(next);
        self.visited.add(problem.set_function(), next);
    }

    fn plan(self) -> Plan {
        Plan { actions: self.actions, path: self.path, value: self.visited.value() }
    }
}

struct Search<'a> {
    problem: &'a dyn Submodular,
    bound: Relaxation,
    best: Plan,
    nodes: usize,
    limit: usize,
}

impl Search<'_> {
    /// Looks for a better plan that begins like `node`; false when the limit was reached.
    fn explore(&mut self, node: Node) -> bool {
        self.nodes += 1;
        if self.nodes > self.limit {
            return false;
        }
        if node.actions.len() == self.problem.horizon() {
            if node.visited.value() > self.best.value {
                self.best = node.plan();
            }
            return true;
        }
        let mut children: Vec<(f64, Node)> = Vec::new();
        let mut places = Vec::new();
        for action in 0..self.problem.moves().actions() {
            let mut child = node.clone();
            child.go(self.problem, action);
            if places.contains(&child.place()) {
                continue;
            }
            places.push(child.place());
            children.push((self.bound.of(self.problem, &child), child));
        }
        children.sort_by(|a, b| b.0.total_cmp(&a.0));
        for (bound, child) in children {
            // Rounding must not keep equally good plans alive.
            if bound <= self.best.value * (1.0 + 1e-12) + 1e-12 {
                break;
            }
            if !self.explore(child) {
                return false;
            }
        }
        true
    }
}

/// Upper bounds on what a beginning can become; buffers are kept.
struct Relaxation {
    /// Steps between any two places, or more than the horizon.
    distances: Vec<Vec<usize>>,
    gains: Vec<f64>,
    /// By place and action taken there: what the steps after it can bring.
    values: Vec<f64>,
    before: Vec<f64>,
    largest: Vec<f64>,
}

impl Relaxation {
    fn new(problem: &dyn Submodular) -> Self {
        let places = problem.moves().places();
        let edges = places * problem.moves().actions();
        Relaxation {
            distances: (0..places).map(|place| distances(problem, place)).collect(),
            gains: vec![0.0; places],
            values: vec![0.0; edges],
            before: vec![0.0; edges],
            largest: Vec::with_capacity(places),
        }
    }

    fn of(&mut self, problem: &dyn Submodular, node: &Node) -> f64 {
        let left = problem.horizon() - node.actions.len();
        let moves = problem.moves();
        let (places, actions) = (moves.places(), moves.actions());
        let mut visited = node.visited.clone();
        let distances = &self.distances[node.place()];
        self.largest.clear();
        for (place, (gain, distance)) in self.gains.iter_mut().zip(distances).enumerate() {
            *gain = if *distance <= left { visited.gain(problem.set_function(), place) } else { 0.0 };
        }
        self.largest.extend_from_slice(&self.gains);
        self.largest.sort_by(|a, b| b.total_cmp(a));
        let largest: f64 = self.largest.iter().take(left).sum();

        self.values.fill(0.0);
        for remaining in 1..left {
            std::mem::swap(&mut self.values, &mut self.before);
            for from in (0..places).filter(|&from| distances[from] + remaining <= left) {
                for action in 0..actions {
                    let place = moves.next(from, action);
                    let mut best = 0.0;
                    for onward in 0..actions {
                        let next = moves.next(place, onward);
                        let gain = if next == place || next == from { 0.0 } else { self.gains[next] };
                        best = f64::max(best, gain + self.before[place * actions + onward]);
                    }
                    self.values[from * actions + action] = best;
                }
            }
        }
        let place = node.place();
        let path = (0..actions)
            .map(|action| self.gains[moves.next(place, action)] + self.values[place * actions + action])
            .fold(0.0, f64::max);
        node.visited.value() + if left == 0 { 0.0 } else { path.min(largest) }
    }
}

/// Fewest steps from `start` to every place.
fn distances(problem: &dyn Submodular, start: usize) -> Vec<usize> {
    let moves = problem.moves();
    let mut distances = vec![usize::MAX / 2; moves.places()];
    distances[start] = 0;
    let mut frontier = vec![start];
    for distance in 1.. {
        let mut next = Vec::new();
        for &place in &frontier {
            for successor in moves.successors(place) {
                if distances[successor] > distance {
                    distances[successor] = distance;
                    next.push(successor);
                }
            }
        }
        if next.is_empty() {
            break;
        }
        frontier = next;
    }
    distances
}
