//! What uniformly random actions earn a robot on rapier, and what they earned in MuJoCo.

use assay_environments::{Actions, BatchedStep, catalogue, random::Seed};

use crate::robots::Recording;

/// Robots whose random returns were recorded: name, recording, and episodes that take about as long as
/// those of the others.
pub(crate) const RECORDED: [(&str, &str, usize); 8] = [
    ("RapierInvertedPendulum", "inverted_pendulum", 400),
    ("RapierInvertedDoublePendulum", "inverted_double_pendulum", 400),
    ("RapierReacher", "reacher", 100),
    ("RapierSwimmer", "swimmer", 24),
    ("RapierHopper", "hopper", 400),
    ("RapierHalfCheetah", "half_cheetah", 24),
    ("RapierWalker2d", "walker2d", 400),
    ("RapierAnt", "ant", 80),
];

/// Episodes behind each recorded mean.
const RECORDED_EPISODES: f64 = 400.0;

/// Mean returns of the uniformly random policy.
pub(crate) struct RandomReturns {
    /// On rapier.
    pub(crate) mean: f64,
    /// In MuJoCo.
    pub(crate) recorded: f64,
    /// Standard error of their difference, with MuJoCo's standard deviation for both.
    pub(crate) error: f64,
}

impl RandomReturns {
    /// Of `episodes` episodes of the environment `name` beside those of the recording `recorded`.
    pub(crate) fn measure(name: &str, recorded: &str, episodes: usize) -> Self {
        let facts = &Recording::load("returns").header[recorded];
        let [recorded, deviation] =
            ["mean", "standard_deviation"].map(|fact| facts[fact].as_float().expect("a number"));
        let returns = returns(name, episodes);
        RandomReturns {
            mean: returns.iter().sum::<f64>() / returns.len() as f64,
            recorded,
            error: deviation * (1.0 / returns.len() as f64 + 1.0 / RECORDED_EPISODES).sqrt(),
        }
    }
}

fn returns(name: &str, episodes: usize) -> Vec<f64> {
    let copies = 8;
    let mut batch = catalogue::make(name, &toml::Table::new(), copies, Seed::new(1)).unwrap();
    let mut step = BatchedStep::new(batch.as_ref());
    batch.reset(&mut step.observations).unwrap();
    let mut actions = Actions::zeros(batch.action_space(), copies);
    let mut rng = Seed::new(1).stream("actions");
    let mut returns = Vec::new();
    while returns.len() < episodes {
        batch.action_space().sample(&mut rng, &mut actions);
        batch.step(&actions, &mut step).unwrap();
        returns.extend(step.episodes.iter().map(|episode| episode.total_reward));
    }
    returns
}
