//! N-HARPG and its kin: how fast the gap to the best policy falls with the number of samples, where
//! the assumptions of the theorems hold (Gaussian policies on Hills) and where they do not (tabular
//! softmax policies in a random decision process).
//!
//! `cargo run --example n_harpg`, and `cargo run --example n_harpg -- --help` for what can be changed.

use assay_experiments::demonstration::Demonstration;

/// In about two minutes on two cores. Trajectories have 40 steps. On Hills each method has the best
/// step size of a search, in the Garnet all have steps of the same lengths.
const QUICK: [&str; 2] = [
    r#"
        name = "hills"
        seeds = 10
        budget = 1_000_000
        environment = { name = "Hills", parameters = { time_limit = 40 } }
        evaluation = { interval = 1_000_000, episodes = 10, mode = "sample" }
        records = { interval = 10_000 }

        [[algorithm]]
        name = "n-harpg"
        label = "N-HARPG"
        [algorithm.parameters]
        step_size = { scale = 0.125, offset = 40.0, exponent = 1.0 }
        policy = { form = "linear-gaussian" }
        trajectories = { discount = 0.8, horizon = 40, exact_interval = 20, baseline = "step" }

        [[algorithm]]
        name = "n-pg-igt"
        label = "N-PG-IGT"
        [algorithm.parameters]
        step_size = { scale = 0.125, offset = 40.0, exponent = 1.0 }
        policy = { form = "linear-gaussian" }
        trajectories = { discount = 0.8, horizon = 40, exact_interval = 20, baseline = "step" }

        [[algorithm]]
        name = "n-mpg"
        label = "N-MPG"
        [algorithm.parameters]
        step_size = { scale = 0.125, offset = 40.0, exponent = 1.0 }
        policy = { form = "linear-gaussian" }
        trajectories = { discount = 0.8, horizon = 40, exact_interval = 20, baseline = "step" }

        [[algorithm]]
        name = "n-mpg"
        label = "N-PG"
        [algorithm.parameters]
        step_size = { scale = 4.0, offset = 40.0, exponent = 1.0 }
        momentum = { offset = 2.0, exponent = 0.0 }
        policy = { form = "linear-gaussian" }
        trajectories = { discount = 0.8, horizon = 40, exact_interval = 20, baseline = "step" }
    "#,
    r#"
        name = "garnet"
        seeds = 10
        budget = 1_000_000
        environment = { name = "Garnet", parameters = { states = 3, actions = 2, branching = 3, time_limit = 40 } }
        evaluation = { interval = 1_000_000, episodes = 10, mode = "sample" }
        records = { interval = 10_000 }

        [[algorithm]]
        name = "n-harpg"
        label = "N-HARPG"
        [algorithm.parameters]
        trajectories = { discount = 0.8, horizon = 40, exact_interval = 20 }

        [[algorithm]]
        name = "n-pg-igt"
        label = "N-PG-IGT"
        [algorithm.parameters]
        trajectories = { discount = 0.8, horizon = 40, exact_interval = 20 }

        [[algorithm]]
        name = "n-mpg"
        label = "N-MPG"
        [algorithm.parameters]
        trajectories = { discount = 0.8, horizon = 40, exact_interval = 20 }

        [[algorithm]]
        name = "n-mpg"
        label = "N-PG"
        [algorithm.parameters]
        momentum = { offset = 2.0, exponent = 0.0 }
        trajectories = { discount = 0.8, horizon = 40, exact_interval = 20 }
    "#,
];

/// The claims about the paper.
const FULL: [&str; 4] = ["n-harpg-error", "n-harpg-rate", "n-harpg-softmax", "n-harpg-cartpole"];

fn main() -> std::process::ExitCode {
    let about = "N-HARPG, N-PG-IGT and normalised momentum: the gap to the best policy over samples, with \
                 fitted exponents, for Gaussian policies on Hills and softmax policies in a Garnet";
    let measures = &[("optimality_gap", false), ("gradient_error", false)];
    Demonstration { name: "n_harpg", about, quick: &QUICK, measures, rates: true, full: &FULL }.main()
}
