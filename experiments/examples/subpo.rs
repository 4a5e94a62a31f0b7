//! SubPO beside the modular objective, the released estimator and greedy plans: coverage of a random
//! density, two rooms, and items of several kinds.
//!
//! `cargo run --example subpo`, and `cargo run --example subpo -- --help` for what can be changed.
//! Beside table and curves it draws the paths and what they cover.

use assay_experiments::{demonstration::Demonstration, maps};

/// In about two minutes on two cores.
const QUICK: [&str; 3] = [
    r#"
        name = "density-coverage"
        seeds = 10
        budget = 585_000
        evaluation = { episodes = 20, mode = "sample" }
        environment = { name = "GridCoverage", copies = 20, parameters = { weights = "gaussian-process" } }

        [[algorithm]]
        name = "subpo"
        label = "SubPO"
        parameters = { policy = "tabular", baseline = "leave-one-out", trajectories = 100, learning_rate = 0.3 }

        [[algorithm]]
        name = "subpo"
        label = "ModPO"
        parameters = { objective = "modular", policy = "tabular", baseline = "leave-one-out", trajectories = 100, learning_rate = 0.3 }

        [[algorithm]]
        name = "subpo"
        label = "SubPO, released estimator"
        parameters = { estimator = "myopic", policy = "tabular", baseline = "leave-one-out", trajectories = 100, learning_rate = 0.3 }

        [[algorithm]]
        name = "planned"
        label = "Greedy plan"
    "#,
    r#"
        name = "rooms"
        seeds = 10
        budget = 585_000
        evaluation = { episodes = 20, mode = "sample" }
        environment = { name = "RoomExploration", copies = 20 }

        [[algorithm]]
        name = "subpo"
        label = "SubPO"
        parameters = { policy = "tabular", baseline = "leave-one-out", trajectories = 100, learning_rate = 0.3 }

        [[algorithm]]
        name = "subpo"
        label = "ModPO"
        parameters = { objective = "modular", policy = "tabular", baseline = "leave-one-out", trajectories = 100, learning_rate = 0.3 }

        [[algorithm]]
        name = "subpo"
        label = "SubPO, released estimator"
        parameters = { estimator = "myopic", policy = "tabular", baseline = "leave-one-out", trajectories = 100, learning_rate = 0.3 }

        [[algorithm]]
        name = "planned"
        label = "Greedy plan"
    "#,
    r#"
        name = "items"
        seeds = 10
        budget = 585_000
        evaluation = { episodes = 20, mode = "sample" }
        environment = { name = "ItemGrid", copies = 20 }

        [[algorithm]]
        name = "subpo"
        label = "SubPO"
        parameters = { policy = "tabular", baseline = "leave-one-out", trajectories = 100, learning_rate = 0.3 }

        [[algorithm]]
        name = "subpo"
        label = "ModPO"
        parameters = { objective = "modular", policy = "tabular", baseline = "leave-one-out", trajectories = 100, learning_rate = 0.3 }

        [[algorithm]]
        name = "subpo"
        label = "SubPO, released estimator"
        parameters = { estimator = "myopic", policy = "tabular", baseline = "leave-one-out", trajectories = 100, learning_rate = 0.3 }

        [[algorithm]]
        name = "planned"
        label = "Greedy plan"
    "#,
];

/// The claims of the paper.
const FULL: [&str; 6] =
    ["subpo-coverage", "subpo-rooms", "subpo-items", "subpo-path", "subpo-design", "subpo-graph"];

fn main() -> std::process::ExitCode {
    let about = "SubPO beside the modular objective, the released estimator and greedy plans: coverage of a \
                 random density, two rooms, and items of several kinds";
    let measures = &[("final-return", true)];
    Demonstration { name: "subpo", about, quick: &QUICK, measures, rates: false, full: &FULL }
        .main_with(maps::write)
}
