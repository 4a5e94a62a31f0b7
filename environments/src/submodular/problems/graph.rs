//! Exploration of a graph.

use rand::Rng;
use serde::{Deserialize, Serialize};

use super::check_horizon;
use crate::{
    Error,
    parameters::require,
    random::Seed,
    submodular::{Coverage, Exploration, Moves, Observation, Reward},
};

/// See as many nodes as possible of a random graph.
///
/// Nodes lie in the unit square; each is joined to its nearest ones, and a chain of nearest pairs joins
/// what would otherwise fall apart. A visit sees the node and its neighbours. Action 0 stays, action i
/// goes to the i-th nearest neighbour.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GraphExploration {
    /// Number of nodes, 2 to 400.
    pub nodes: usize,
    /// To how many nearest nodes each is joined, at least 1.
    pub nearest: usize,
    /// Which of the random instances.
    pub instance: u64,
    /// The node to start in.
    pub start: usize,
    /// Actions of an episode, 1 to 1000.
    pub horizon: usize,
    /// Probability of a uniformly random action instead of the one chosen, 0 to 1.
    pub action_noise: f64,
    /// What is observed.
    pub observation: Observation,
    /// What is rewarded.
    pub reward: Reward,
}

impl Default for GraphExploration {
    fn default() -> Self {
        GraphExploration {
            nodes: 80,
            nearest: 3,
            instance: 0,
            start: 0,
            horizon: 20,
            action_noise: 0.0,
            observation: Observation::Place,
            reward: Reward::Gain,
        }
    }
}

impl GraphExploration {
    /// The environment. Errors when a parameter is out of range.
    pub fn build(&self) -> Result<Exploration<Coverage>, Error> {
        let nodes = self.nodes;
        require("nodes", nodes, (2..=400).contains(&nodes), "2 to 400")?;
        require("nearest", self.nearest, (1..nodes).contains(&self.nearest), "1 to `nodes` − 1")?;
        let mut rng = Seed::new(self.instance).stream("graph");
        let positions: Vec<[f64; 2]> = (0..nodes).map(|_| [rng.random(), rng.random()]).collect();
        let neighbours = nearest_neighbours(&positions, self.nearest);
        let region = |(node, neighbours): (usize, &Vec<usize>)| {
            std::iter::once(node).chain(neighbours.iter().copied()).collect()
        };
        let regions: Vec<Vec<usize>> = neighbours.iter().enumerate().map(region).collect();
        let function = Coverage::new(&regions, vec![1.0; nodes])?;
        check_horizon(self.horizon)?;
        let moves = Moves::graph(positions, &neighbours)?.with_noise(self.action_noise)?;
        let exploration = Exploration::new(moves, function, self.start, self.horizon)?;
        Ok(exploration.observing(self.observation).rewarding(self.reward))
    }
}

/// The undirected graph in which every point is joined to its `count` nearest, and the nearest pairs of
/// points in different parts are joined until there is one part. Neighbours are in order of distance.
fn nearest_neighbours(points: &[[f64; 2]], count: usize) -> Vec<Vec<usize>> {
    let distance = |a: usize, b: usize| (points[a][0] - points[b][0]).hypot(points[a][1] - points[b][1]);
    let nearest_first = |from: usize, to: &mut Vec<usize>| {
        to.sort_by(|&a, &b| distance(from, a).total_cmp(&distance(from, b)).then(a.cmp(&b)));
        to.dedup();
    };
    let mut neighbours = vec![Vec::new(); points.len()];
    for a in 0..points.len() {
        let mut others: Vec<usize> = (0..points.len()).filter(|&b| b != a).collect();
        nearest_first(a, &mut others);
        for &b in &others[..count] {
            neighbours[a].push(b);
            neighbours[b].push(a);
        }
    }
    // Prim's algorithm on what is joined already: the part that holds the first point grows.
    let mut joined = vec![false; points.len()];
    let mut open = vec![0];
    loop {
        while let Some(a) = open.pop() {
            if !std::mem::replace(&mut joined[a], true) {
                open.extend(&neighbours[a]);
            }
        }
        let inside = (0..points.len()).filter(|&a| joined[a]);
        let pairs = inside.flat_map(|a| (0..points.len()).filter(|&b| !joined[b]).map(move |b| (a, b)));
        let Some((a, b)) = pairs.min_by(|x, y| distance(x.0, x.1).total_cmp(&distance(y.0, y.1))) else {
            break;
        };
        neighbours[a].push(b);
        neighbours[b].push(a);
        open.push(b);
    }
    for (a, neighbours) in neighbours.iter_mut().enumerate() {
        nearest_first(a, neighbours);
    }
    neighbours
}
