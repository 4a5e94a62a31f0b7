//! Robust control: IWOCS beside SAC on the published physics, SAC with randomised physics, M2TD3 and RARL.
//!
//! `cargo run --example iwocs`, and `cargo run --example iwocs -- --help` for what can be changed.

use assay_experiments::demonstration::Demonstration;

/// In about two minutes on two cores. A pendulum whose mass and length are not known; every policy is
/// evaluated on a grid of both, and what counts is the worst point.
const QUICK: [&str; 1] = [r#"
    name = "uncertain-pendulum"
    seeds = 3
    budget = 16_000
    environment = { name = "Pendulum-v1" }

    [evaluation]
    episodes = 3
    interval = 4_000
    grid = { points = 5, ranges = { mass = [0.5, 1.5], length = [0.5, 1.5] } }

    [[algorithm]]
    name = "iwocs"
    label = "IWOCS"
    [algorithm.parameters]
    uncertainty = { mass = [0.5, 1.5], length = [0.5, 1.5] }
    default_steps = 4_000
    model_steps = 6_000
    max_iterations = 1
    search.cma-es = { generations = 4, population = 12, deviation = 0.5 }
    thresholds = [0.3, 1.0]
    sac = { hidden = [32, 32], batch_size = 128, learning_starts = 500, learning_rate = 3e-3, target_rate = 0.02 }

    [[algorithm]]
    name = "sac"
    label = "SAC"
    parameters = { hidden = [32, 32], batch_size = 128, learning_starts = 500, learning_rate = 3e-3, target_rate = 0.02 }

    [[algorithm]]
    name = "domain-randomisation"
    [algorithm.parameters]
    uncertainty = { mass = [0.5, 1.5], length = [0.5, 1.5] }
    sac = { hidden = [32, 32], batch_size = 128, learning_starts = 500, learning_rate = 3e-3, target_rate = 0.02 }

    [[algorithm]]
    name = "m2td3"
    label = "M2TD3"
    [algorithm.parameters]
    uncertainty = { mass = [0.5, 1.5], length = [0.5, 1.5] }
    model_noise_steps = 16_000
    td3 = { hidden = [32, 32], batch_size = 128, learning_starts = 500, learning_rate = 1e-3, target_rate = 0.005 }

    [[algorithm]]
    name = "rarl"
    label = "RARL"
    [algorithm.parameters]
    uncertainty = { mass = [0.5, 1.5], length = [0.5, 1.5] }
    protagonist_episodes = 6
    adversary_episodes = 4
    sac = { hidden = [32, 32], batch_size = 128, learning_starts = 500, learning_rate = 3e-3, target_rate = 0.005 }
"#];

fn main() -> std::process::ExitCode {
    let about = "Robust control of a pendulum of unknown mass and length: IWOCS beside SAC, domain \
                 randomisation, M2TD3 and RARL, by the return at the worst of a grid of both";
    let measures = &[("worst-return", true), ("final-return", true)];
    let full = &["iwocs-windy-walk", "iwocs-rectangular", "iwocs-pendulum"];
    Demonstration { name: "iwocs", about, quick: &QUICK, measures, rates: false, full }.main()
}
