//! N-HARPG and its kin: how fast the gap to the best policy falls with the number of samples, where
//! the assumptions of the theorems hold (Gaussian policies on Hills) and where they do not (tabular
//! softmax policies in a random decision process).
//!
//! `cargo run --example n_harpg`, and `cargo run --example n_harpg -- --help` for what can be changed.

use assay_experiments::demonstration::Demonstration;

/// In about two minutes on two cores. Trajectories have 40 steps.
const QUICK: [&str; 2] = [
    r#"
        name = "hills"
        seeds = 8
        budget = 800_000
        environment = { name = "Hills", parameters = { time_limit = 40 } }
        evaluation = { episodes = 10, mode = "sample" }

        [[algorithm]]
        name = "n-harpg"
        label = "N-HARPG"
        [algorithm.parameters]
        step_size = { scale = 4.0, offset = 40.0, exponent = 1.0 }
        policy = { form = "linear-gaussian", standard_deviation = 0.5 }
        trajectories = { discount = 0.8, horizon = 40, exact_interval = 10 }

        [[algorithm]]
        name = "n-pg-igt"
        label = "N-PG-IGT"
        [algorithm.parameters]
        step_size = { scale = 4.0, offset = 40.0, exponent = 1.0 }
        policy = { form = "linear-gaussian", standard_deviation = 0.5 }
        trajectories = { discount = 0.8, horizon = 40, exact_interval = 20 }

        [[algorithm]]
        name = "n-mpg"
        label = "N-MPG"
        [algorithm.parameters]
        step_size = { scale = 4.0, offset = 40.0, exponent = 1.0 }
        policy = { form = "linear-gaussian", standard_deviation = 0.5 }
        trajectories = { discount = 0.8, horizon = 40, exact_interval = 20 }
    "#,
    r#"
        name = "garnet"
        seeds = 8
        budget = 800_000
        environment = { name = "Garnet", parameters = { states = 3, actions = 2, branching = 3, time_limit = 40 } }
        evaluation = { episodes = 10, mode = "sample" }

        [[algorithm]]
        name = "n-harpg"
        label = "N-HARPG"
        [algorithm.parameters]
        step_size = { scale = 2.0, offset = 40.0, exponent = 1.0 }
        trajectories = { discount = 0.8, horizon = 40, exact_interval = 10 }

        [[algorithm]]
        name = "n-pg-igt"
        label = "N-PG-IGT"
        [algorithm.parameters]
        step_size = { scale = 2.0, offset = 40.0, exponent = 1.0 }
        trajectories = { discount = 0.8, horizon = 40, exact_interval = 20 }

        [[algorithm]]
        name = "n-mpg"
        label = "N-MPG"
        [algorithm.parameters]
        step_size = { scale = 2.0, offset = 40.0, exponent = 1.0 }
        trajectories = { discount = 0.8, horizon = 40, exact_interval = 20 }
    "#,
];

fn main() -> std::process::ExitCode {
    let about = "N-HARPG, N-PG-IGT and normalised momentum: the gap to the best policy over samples, with \
                 fitted exponents, for Gaussian policies on Hills and softmax policies in a Garnet";
    let measures = &[("optimality_gap", false), ("gradient_error", false)];
    Demonstration { name: "n_harpg", about, quick: &QUICK, measures, rates: true, full: &[] }.main()
}
