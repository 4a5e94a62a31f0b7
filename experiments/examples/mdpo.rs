//! MDPO against its baselines: on-policy beside PPO on CartPole, off-policy beside SAC on Pendulum.
//!
//! `cargo run --example mdpo`, and `cargo run --example mdpo -- --help` for what can be changed.

use assay_experiments::demonstration::Demonstration;

/// In about two minutes on two cores.
const QUICK: [&str; 2] = [
    r#"
        name = "on-policy-cartpole"
        seeds = 5
        budget = 50_000
        environment = { name = "CartPole-v1", copies = 8 }

        [[algorithm]]
        name = "mdpo-on-policy"
        label = "MDPO (on-policy)"
        parameters = { steps = 64, learning_rate = 1e-3, value_learning_rate = 1e-3, total_steps = 50_000 }

        [[algorithm]]
        name = "ppo"
        label = "PPO"
        parameters = { steps = 64, learning_rate = 1e-3, total_steps = 50_000 }
    "#,
    r#"
        name = "off-policy-pendulum"
        seeds = 5
        budget = 8_000
        environment = { name = "Pendulum-v1" }

        [[algorithm]]
        name = "mdpo-off-policy"
        label = "MDPO (off-policy)"
        parameters = { hidden = [64, 64], learning_starts = 500, learning_rate = 1e-3, total_steps = 8_000 }

        [[algorithm]]
        name = "sac"
        label = "SAC"
        parameters = { hidden = [64, 64], learning_starts = 500, learning_rate = 1e-3 }
    "#,
];

/// The claims of the paper.
const FULL: [&str; 3] = ["mdpo-on-policy", "mdpo-off-policy", "mdpo-inner-steps"];

fn main() -> std::process::ExitCode {
    let about =
        "MDPO against its baselines: on-policy beside PPO on CartPole, off-policy beside SAC on Pendulum";
    Demonstration {
        name: "mdpo",
        about,
        quick: &QUICK,
        measures: &[("final-return", true)],
        rates: false,
        full: &FULL,
    }
    .main()
}
