//! PDPPO against PPO with the same data, networks and returns, and against PPO itself, on a plant with
//! random demand and on a lake whose ice pushes on.
//!
//! `cargo run --example pdppo`, and `cargo run --example pdppo -- --help` for what can be changed.

use assay_experiments::demonstration::Demonstration;

/// In about two minutes on two cores.
const QUICK: [&str; 2] = [
    r#"
        name = "lot-sizing"
        seeds = 5
        budget = 20_000
        evaluation = { episodes = 20 }
        environment = { name = "LotSizing", copies = 8, parameters = { size = "5x3", family = "small", time_limit = 50 } }

        [[algorithm]]
        name = "pdppo"
        label = "PDPPO"
        parameters = { steps = 50, epochs = 10, learning_rate = 3e-3, critic_learning_rate = 3e-3, normalise_observations = true, normalise_rewards = true, network = { hidden = [32, 32] }, critic_network = { hidden = [32, 32] } }

        [[algorithm]]
        name = "pdppo"
        label = "PPO, same replay and returns"
        parameters = { estimator = "state", steps = 50, epochs = 10, learning_rate = 3e-3, critic_learning_rate = 3e-3, normalise_observations = true, normalise_rewards = true, network = { hidden = [32, 32] }, critic_network = { hidden = [32, 32] } }

        [[algorithm]]
        name = "ppo"
        label = "PPO"
        parameters = { steps = 50, discount = 0.9, learning_rate = 3e-3, normalise_observations = true, normalise_rewards = true, network = { hidden = [32, 32] } }
    "#,
    r#"
        name = "lake"
        seeds = 5
        budget = 20_000
        evaluation = { episodes = 20 }
        environment = { name = "StochasticFrozenLake", copies = 8 }

        [[algorithm]]
        name = "pdppo"
        label = "PDPPO"
        parameters = { steps = 50, epochs = 10, learning_rate = 3e-3, critic_learning_rate = 3e-3, network = { hidden = [32, 32] }, critic_network = { hidden = [32, 32] } }

        [[algorithm]]
        name = "pdppo"
        label = "PPO, same replay and returns"
        parameters = { estimator = "state", steps = 50, epochs = 10, learning_rate = 3e-3, critic_learning_rate = 3e-3, network = { hidden = [32, 32] }, critic_network = { hidden = [32, 32] } }

        [[algorithm]]
        name = "ppo"
        label = "PPO"
        parameters = { steps = 50, discount = 0.9, learning_rate = 3e-3, network = { hidden = [32, 32] } }
    "#,
];

/// The claims of the paper, and what the parts of the algorithm are good for.
const FULL: [&str; 3] = ["pdppo-faster", "pdppo-doubles", "pdppo-ablation"];

fn main() -> std::process::ExitCode {
    let about = "PDPPO against PPO with the same data, networks and returns, and against PPO itself, on a plant with \
                 random demand and on a lake whose ice pushes on";
    Demonstration {
        name: "pdppo",
        about,
        quick: &QUICK,
        measures: &[("final-return", true)],
        rates: false,
        full: &FULL,
    }
    .main()
}
