//! Conservative exploration: StepMix and EpsMix beside algorithms that do not keep the constraint, and
//! others that do.
//!
//! `cargo run --example stepmix`, and `cargo run --example stepmix -- --help` for what can be changed.

use assay_experiments::demonstration::Demonstration;

/// In about two minutes on two cores.
const QUICK: [&str; 2] = [
    r#"
        name = "random-problem"
        seeds = 10
        budget = 24_000
        evaluation = { episodes = 20, interval = 24_000, mode = "sample" }
        environment = { name = "LayeredRandom" }

        [[algorithm]]
        name = "stepmix"
        label = "StepMix"
        parameters = { bonus.scale = 0.01 }

        [[algorithm]]
        name = "epsmix"
        label = "EpsMix"
        parameters = { bonus.scale = 0.01 }

        [[algorithm]]
        name = "bpi-ucbvi"
        label = "BPI-UCBVI (unconstrained)"
        parameters = { bonus.scale = 0.01 }

        [[algorithm]]
        name = "dope"
        label = "DOPE"
        parameters = { scale = 0.01, episodes = 8_000, replan_growth = 0.1 }

        [[algorithm]]
        name = "optpess-lp"
        label = "OptPess-LP"
        parameters = { scale = 0.001, episodes = 8_000, replan_growth = 0.1 }

        [[algorithm]]
        name = "baseline-only"
        label = "Baseline policy"
    "#,
    r#"
        name = "river-swim"
        seeds = 10
        budget = 80_000
        evaluation = { episodes = 20, interval = 80_000, mode = "sample" }
        environment = { name = "RiverSwim", parameters = { horizon = 20, small_reward = 0.005, large_reward = 1.0 } }

        [[algorithm]]
        name = "stepmix"
        label = "StepMix"
        parameters = { bonus.scale = 0.01 }

        [[algorithm]]
        name = "epsmix"
        label = "EpsMix"
        parameters = { bonus.scale = 0.01 }

        [[algorithm]]
        name = "bpi-ucbvi"
        label = "BPI-UCBVI (unconstrained)"
        parameters = { bonus.scale = 0.01 }

        [[algorithm]]
        name = "baseline-only"
        label = "Baseline policy"
    "#,
];

/// What the paper claims.
const FULL: [&str; 3] = ["stepmix-violations", "stepmix-regret", "stepmix-constrained"];

fn main() -> std::process::ExitCode {
    let about = "Conservative exploration: StepMix and EpsMix beside BPI-UCBVI, DOPE and OptPess-LP, by regret \
                 and by episodes below the threshold";
    let measures = &[("regret", false), ("violations", false)];
    Demonstration { name: "stepmix", about, quick: &QUICK, measures, rates: false, full: &FULL }.main()
}
