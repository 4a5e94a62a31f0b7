//! PROPS beside PPO, with and without a buffer of old batches: sampling error and return, in a gridworld,
//! where the error is exact, and on CartPole.
//!
//! `cargo run --example props`, and `cargo run --example props -- --help` for what can be changed.

use assay_experiments::demonstration::Demonstration;

/// In about two minutes on two cores.
const QUICK: [&str; 2] = [
    r#"
        name = "gridworld"
        seeds = 5
        budget = 30_000
        evaluation = { episodes = 20 }
        environment = { name = "GridWorld", copies = 4, parameters = { map = ["X....", ".....", "..S..", ".....", "....G"], success_rate = 1.0, step_reward = -0.01, goal_reward = 1.0, pit_reward = 0.5, time_limit = 30 } }

        [[algorithm]]
        name = "props"
        label = "PROPS"
        parameters = { behaviour_steps = 16, learning_rate = 1e-3, epochs = 8, minibatches = 4, ppo = { steps = 64, minibatch_size = 64, learning_rate = 1e-3, network = { hidden = [32, 32] } } }

        [[algorithm]]
        name = "props"
        label = "PPO with a buffer"
        parameters = { epochs = 0, behaviour_steps = 16, ppo = { steps = 64, minibatch_size = 64, learning_rate = 1e-3, network = { hidden = [32, 32] } } }

        [[algorithm]]
        name = "props"
        label = "PPO"
        parameters = { epochs = 0, batches = 1, behaviour_steps = 16, ppo = { steps = 64, minibatch_size = 64, learning_rate = 1e-3, network = { hidden = [32, 32] } } }
    "#,
    r#"
        name = "cartpole"
        seeds = 5
        budget = 20_000
        evaluation = { episodes = 20 }
        environment = { name = "CartPole-v1", copies = 4 }

        [[algorithm]]
        name = "props"
        label = "PROPS"
        parameters = { behaviour_steps = 32, learning_rate = 1e-3, epochs = 8, minibatches = 4, ppo = { steps = 128, minibatch_size = 64, learning_rate = 1e-3, network = { hidden = [32, 32] } } }

        [[algorithm]]
        name = "props"
        label = "PPO with a buffer"
        parameters = { epochs = 0, behaviour_steps = 32, ppo = { steps = 128, minibatch_size = 64, learning_rate = 1e-3, network = { hidden = [32, 32] } } }

        [[algorithm]]
        name = "props"
        label = "PPO"
        parameters = { epochs = 0, batches = 1, behaviour_steps = 32, ppo = { steps = 128, minibatch_size = 64, learning_rate = 1e-3, network = { hidden = [32, 32] } } }
    "#,
];

/// The claims of the paper.
const FULL: [&str; 3] = ["props-sampling-error-fixed", "props-sampling-error", "props-data-efficiency"];

fn main() -> std::process::ExitCode {
    let about = "PROPS beside PPO, with and without a buffer of old batches: sampling error and return";
    Demonstration {
        name: "props",
        about,
        quick: &QUICK,
        measures: &[("final-return", true), ("sampling_error", false)],
        rates: false,
        full: &FULL,
    }
    .main()
}
