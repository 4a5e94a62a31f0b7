//! The claims of this project: the files under `experiments/claims/`.

use assay_environments::parameters::unknown;

use super::{Claim, ClaimError};

/// Each file, by its claim's name. Built in, so that the program needs no folder beside it.
const CLAIMS: &[(&str, &str)] = &[
    ("epsmix-regret", include_str!("../../claims/epsmix-regret.toml")),
    ("epsmix-violations", include_str!("../../claims/epsmix-violations.toml")),
    ("iwocs-pendulum", include_str!("../../claims/iwocs-pendulum.toml")),
    ("iwocs-rectangular", include_str!("../../claims/iwocs-rectangular.toml")),
    ("iwocs-windy-walk", include_str!("../../claims/iwocs-windy-walk.toml")),
    ("mdpo-annealing", include_str!("../../claims/mdpo-annealing.toml")),
    ("mdpo-inner-steps", include_str!("../../claims/mdpo-inner-steps.toml")),
    ("mdpo-kl", include_str!("../../claims/mdpo-kl.toml")),
    ("mdpo-off-policy", include_str!("../../claims/mdpo-off-policy.toml")),
    ("mdpo-on-policy", include_str!("../../claims/mdpo-on-policy.toml")),
    ("mdpo-on-policy-pendulum", include_str!("../../claims/mdpo-on-policy-pendulum.toml")),
    ("mdpo-robots-off-policy", include_str!("../../claims/mdpo-robots-off-policy.toml")),
    ("mdpo-robots-on-policy", include_str!("../../claims/mdpo-robots-on-policy.toml")),
    ("mdpo-single-step", include_str!("../../claims/mdpo-single-step.toml")),
    ("n-harpg-cartpole", include_str!("../../claims/n-harpg-cartpole.toml")),
    ("n-harpg-error", include_str!("../../claims/n-harpg-error.toml")),
    ("n-harpg-rate", include_str!("../../claims/n-harpg-rate.toml")),
    ("n-harpg-softmax", include_str!("../../claims/n-harpg-softmax.toml")),
    ("pdppo-ablation", include_str!("../../claims/pdppo-ablation.toml")),
    ("pdppo-doubles", include_str!("../../claims/pdppo-doubles.toml")),
    ("pdppo-faster", include_str!("../../claims/pdppo-faster.toml")),
    ("ppo-acrobot", include_str!("../../claims/ppo-acrobot.toml")),
    ("ppo-cartpole", include_str!("../../claims/ppo-cartpole.toml")),
    ("ppo-mountain-car", include_str!("../../claims/ppo-mountain-car.toml")),
    ("ppo-mountain-car-continuous", include_str!("../../claims/ppo-mountain-car-continuous.toml")),
    ("ppo-pendulum", include_str!("../../claims/ppo-pendulum.toml")),
    ("ppo-rapier-ant", include_str!("../../claims/ppo-rapier-ant.toml")),
    ("ppo-rapier-half-cheetah", include_str!("../../claims/ppo-rapier-half-cheetah.toml")),
    ("ppo-rapier-hopper", include_str!("../../claims/ppo-rapier-hopper.toml")),
    ("ppo-rapier-walker2d", include_str!("../../claims/ppo-rapier-walker2d.toml")),
    ("props-data-efficiency", include_str!("../../claims/props-data-efficiency.toml")),
    ("props-robots", include_str!("../../claims/props-robots.toml")),
    ("props-sampling-error", include_str!("../../claims/props-sampling-error.toml")),
    ("props-sampling-error-fixed", include_str!("../../claims/props-sampling-error-fixed.toml")),
    ("sac-mountain-car-continuous", include_str!("../../claims/sac-mountain-car-continuous.toml")),
    ("sac-pendulum", include_str!("../../claims/sac-pendulum.toml")),
    ("sac-rapier-ant", include_str!("../../claims/sac-rapier-ant.toml")),
    ("sac-rapier-half-cheetah", include_str!("../../claims/sac-rapier-half-cheetah.toml")),
    ("sac-rapier-hopper", include_str!("../../claims/sac-rapier-hopper.toml")),
    ("sac-rapier-walker2d", include_str!("../../claims/sac-rapier-walker2d.toml")),
    ("stepmix-constrained", include_str!("../../claims/stepmix-constrained.toml")),
    ("stepmix-regret", include_str!("../../claims/stepmix-regret.toml")),
    ("stepmix-violations", include_str!("../../claims/stepmix-violations.toml")),
    ("subpo-coverage", include_str!("../../claims/subpo-coverage.toml")),
    ("subpo-design", include_str!("../../claims/subpo-design.toml")),
    ("subpo-estimator", include_str!("../../claims/subpo-estimator.toml")),
    ("subpo-graph", include_str!("../../claims/subpo-graph.toml")),
    ("subpo-guarantee", include_str!("../../claims/subpo-guarantee.toml")),
    ("subpo-history", include_str!("../../claims/subpo-history.toml")),
    ("subpo-items", include_str!("../../claims/subpo-items.toml")),
    ("subpo-path", include_str!("../../claims/subpo-path.toml")),
    ("subpo-rooms", include_str!("../../claims/subpo-rooms.toml")),
    ("td3-mountain-car-continuous", include_str!("../../claims/td3-mountain-car-continuous.toml")),
    ("td3-pendulum", include_str!("../../claims/td3-pendulum.toml")),
    ("trpo-acrobot", include_str!("../../claims/trpo-acrobot.toml")),
    ("trpo-cartpole", include_str!("../../claims/trpo-cartpole.toml")),
    ("trpo-mountain-car", include_str!("../../claims/trpo-mountain-car.toml")),
    ("trpo-mountain-car-continuous", include_str!("../../claims/trpo-mountain-car-continuous.toml")),
    ("trpo-pendulum", include_str!("../../claims/trpo-pendulum.toml")),
];

/// The names of all claims, in the order in which they are listed to users.
pub fn names() -> impl Iterator<Item = &'static str> {
    CLAIMS.iter().map(|(name, _)| *name)
}

/// The claim called `name`. Errors with the nearest spelling when there is none.
pub fn find(name: &str) -> Result<Claim, ClaimError> {
    let found = CLAIMS.iter().find(|(known, _)| *known == name);
    Claim::parse(found.ok_or_else(|| unknown("claim", name, names()))?.1)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use serde_json::{Map, Value, json};

    use super::{
        super::{Metric, PublishedValues},
        *,
    };

    #[test]
    fn every_file_is_listed_under_its_claims_name() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("claims");
        let files: BTreeSet<String> = fs::read_dir(folder)
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .filter_map(|name| name.strip_suffix(".toml").map(str::to_owned))
            .collect();
        assert_eq!(files, names().map(str::to_owned).collect());
        for name in names() {
            assert_eq!(find(name).unwrap().name, name);
        }
    }

    #[test]
    fn every_claim_is_made_of_valid_experiments() {
        for claim in names().map(|name| find(name).unwrap()) {
            for task in 0..claim.tasks.len() {
                let few = claim.experiment(task, claim.seeds[0]).unwrap();
                assert_eq!(few.algorithms.len(), 1 + claim.baselines.len());
                assert_eq!(few.seeds.len(), claim.seeds[0]);
            }
        }
    }

    #[test]
    fn an_unknown_claim_is_named_with_the_nearest_spelling() {
        let message = find("sac-pendulm").unwrap_err().to_string();
        assert!(message.contains("did you mean `sac-pendulum`?"), "{message}");
    }

    /// A claim about a published return gets the steps and the hyperparameters behind that return, as
    /// far as they are numbers that both implementations have.
    #[test]
    fn claims_about_published_returns_have_the_recorded_hyperparameters() {
        // What the record calls it, and what the algorithm here does, per algorithm where they differ.
        let names = [
            ("n_steps", vec![("", "steps")]),
            ("gamma", vec![("", "discount")]),
            ("gae_lambda", vec![("", "lambda")]),
            ("n_epochs", vec![("", "epochs")]),
            ("n_critic_updates", vec![("", "value_epochs")]),
            (
                "batch_size",
                vec![("ppo", "minibatch_size"), ("trpo", "value_minibatch_size"), ("", "batch_size")],
            ),
            ("learning_rate", vec![("trpo", "value_learning_rate"), ("", "learning_rate")]),
            ("clip_range", vec![("", "clip_range")]),
            ("cg_damping", vec![("", "damping")]),
            ("ent_coef", vec![("sac", "temperature.fixed.value"), ("", "entropy_weight")]),
            ("vf_coef", vec![("", "value_weight")]),
            ("max_grad_norm", vec![("", "max_gradient_norm")]),
            ("learning_starts", vec![("", "learning_starts")]),
            ("train_freq", vec![("", "train_every")]),
            ("gradient_steps", vec![("", "gradient_steps")]),
            ("tau", vec![("", "target_rate")]),
            ("noise_std", vec![("", "exploration_noise")]),
        ];
        let record: Value = serde_json::from_str(include_str!("../../references/returns.json")).unwrap();
        let published = record["published"]["runs"].as_array().unwrap();
        let mut checked = 0;
        for claim in claims_with_published_returns() {
            let run = claim.experiment(0, 1).unwrap().runs().unwrap().remove(0);
            let of_claim = |entry: &&Value| {
                entry["algorithm"] == *run.algorithm.name && entry["environment"] == *run.environment.name
            };
            let entry = published.iter().find(of_claim).unwrap();
            assert_eq!(entry["training_steps"], run.budget, "{}", claim.name);
            let given = entry["hyperparameters"].as_object().unwrap();
            let copies = given.get("n_envs").map_or(1, |n| n.as_u64().unwrap());
            assert_eq!(run.environment.copies as u64, copies, "{}", claim.name);
            let parameters = serde_json::to_value(&run.algorithm.parameters).unwrap();
            for (theirs, ours) in &names {
                let Some(expected) = given.get(*theirs) else { continue };
                let (_, ours) =
                    ours.iter().find(|(name, _)| name.is_empty() || *name == run.algorithm.name).unwrap();
                let found = ours.split('.').fold(&parameters, |table, field| &table[field]);
                // `lin_x` falls from x to zero over the run.
                match expected.as_str().and_then(|text| text.strip_prefix("lin_")) {
                    Some(from) => {
                        assert_eq!(found["from"].as_f64(), from.parse().ok(), "{}: {ours}", claim.name);
                        assert_eq!(found["to"].as_f64(), Some(0.0), "{}: {ours}", claim.name);
                    }
                    None => assert_eq!(found.as_f64(), expected.as_f64(), "{}: {ours}", claim.name),
                }
                checked += 1;
            }
            if let Some(normalise) = given.get("normalize") {
                assert_eq!(parameters["normalise_observations"], *normalise, "{}", claim.name);
                assert_eq!(parameters["normalise_rewards"], *normalise, "{}", claim.name);
            }
            // What a larger memory would hold is never reached.
            if let Some(capacity) = given.get("buffer_size") {
                let reached = |capacity: &Value| capacity.as_u64().unwrap().min(run.budget);
                assert_eq!(reached(&parameters["replay_capacity"]), reached(capacity), "{}", claim.name);
            }
            check_exploration(&claim.name, &run.algorithm.name, given, &parameters);
            check_networks(&claim.name, &run.algorithm.name, given, &parameters);
        }
        assert!(checked > 60, "{checked} hyperparameters");
    }

    /// A keyword argument of the recorded policy, as it is written there: `dict(name=value, …)`.
    fn policy_argument<'a>(given: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
        let arguments = given.get("policy_kwargs")?.as_str()?.trim();
        let (_, rest) = arguments.split_once(&format!("{name}="))?;
        let end = if rest.starts_with('[') { rest.find(']').map(|i| i + 1) } else { rest.find([',', ')']) };
        Some(&rest[..end.unwrap_or(rest.len())])
    }

    /// State-dependent noise where the record has it, with what Stable-Baselines3 takes where the
    /// record is silent; a process behind the noise likewise.
    fn check_exploration(claim: &str, algorithm: &str, given: &Map<String, Value>, parameters: &Value) {
        let off_policy = ["sac", "td3"].contains(&algorithm);
        let noise = if off_policy { parameters } else { &parameters["network"] };
        let noise = noise.get("state_dependent_noise");
        assert_eq!(noise.is_some(), given.get("use_sde").is_some_and(|use_sde| *use_sde == true), "{claim}");
        if let Some(noise) = noise {
            let default = if off_policy { -3.0 } else { 0.0 };
            let log_std = policy_argument(given, "log_std_init");
            let log_std = log_std.map_or(default, |text| text.parse().unwrap());
            assert_eq!(noise["initial_log_std"], log_std, "{claim}");
            assert_eq!(noise.get("redraw_every"), given.get("sde_sample_freq"), "{claim}");
            assert_eq!(noise["learn_features"], off_policy, "{claim}");
            assert_eq!(noise.get("mean_bound"), off_policy.then_some(&json!(2.0)), "{claim}");
        }
        let correlated = given.get("noise_type").is_some_and(|kind| *kind == "ornstein-uhlenbeck");
        let process = parameters.get("ornstein_uhlenbeck");
        assert_eq!(
            process,
            correlated.then_some(&json!({ "reversion": 0.15, "time_step": 0.01 })),
            "{claim}"
        );
    }

    /// Sizes of networks and how their weights start.
    fn check_networks(claim: &str, algorithm: &str, given: &Map<String, Value>, parameters: &Value) {
        let off_policy = ["sac", "td3"].contains(&algorithm);
        let hidden = if off_policy { &parameters["hidden"] } else { &parameters["network"]["hidden"] };
        if let Some(sizes) = policy_argument(given, "net_arch") {
            assert_eq!(*hidden, serde_json::from_str::<Value>(sizes).unwrap(), "{claim}");
        }
        if !off_policy {
            let orthogonal = policy_argument(given, "ortho_init") != Some("False");
            let found = parameters["network"].get("initialisation");
            assert_eq!(found, (!orthogonal).then_some(&json!("fan-in")), "{claim}");
        }
    }

    fn claims_with_published_returns() -> impl Iterator<Item = Claim> {
        names().map(|name| find(name).unwrap()).filter(|claim| claim.tasks[0].published.is_some())
    }

    /// Scales and published values of the classic-control tasks come from the recorded references,
    /// not from memory: 0 is a random policy, 1 the best published return.
    #[test]
    fn references_and_published_values_are_the_recorded_ones() {
        let record: Value = serde_json::from_str(include_str!("../../references/returns.json")).unwrap();
        let returns = |section: &str, environment: &str, algorithm: Option<&str>| -> Vec<f64> {
            let runs = record[section]["runs"].as_array().unwrap().iter();
            runs.filter(|run| run["environment"] == environment)
                .filter(|run| algorithm.is_none_or(|name| run["algorithm"] == name))
                .map(|run| run["mean_return"].as_f64().unwrap())
                .collect()
        };
        let random_return = |environment: &str, limit: Option<i64>| -> Option<f64> {
            let mut runs = record["random_policy"]["runs"].as_array().unwrap().iter();
            let run = runs.find(|r| r["environment"] == environment && r["time_limit"].as_i64() == limit);
            run.map(|run| run["mean_return"].as_f64().unwrap())
        };
        // Runs of Stable-Baselines3 itself, made with the script beside the record.
        let trained = |environment: &str, algorithm: Option<&str>| -> Vec<f64> {
            let record: Value =
                serde_json::from_str(include_str!("../../references/stable-baselines3.json")).unwrap();
            let runs = record["runs"].as_array().unwrap().iter();
            runs.filter(|run| run["environment"] == environment && run["algorithm"].as_str() == algorithm)
                .map(|run| run["mean_return"].as_f64().unwrap())
                .collect()
        };
        let of_returns = |claim: &Claim| !matches!(claim.metric, Metric::Named { .. });
        for claim in names().map(|name| find(name).unwrap()).filter(of_returns) {
            for task in &claim.tasks {
                let environment = task.environment["name"].as_str().unwrap();
                // With parameters of its own an environment has another scale, which is known where
                // episodes of reward 1 a step are cut off earlier.
                let parameters = task.environment.get("parameters").and_then(toml::Value::as_table);
                let limit = parameters.and_then(|p| p.get("time_limit")).and_then(toml::Value::as_integer);
                if parameters.is_some_and(|p| p.len() > 1 || environment != "CartPole-v1" || limit.is_none())
                {
                    continue;
                }
                let Some(random) = random_return(environment, limit) else {
                    assert!(limit.is_none(), "{}: no random policy is recorded with the limit", claim.name);
                    continue;
                };
                let best = returns("published", environment, None).into_iter().fold(f64::MIN, f64::max);
                let best = limit.map_or(best, |limit| best.min(limit as f64));
                assert_eq!((task.reference.low, task.reference.high), (random, best), "{}", claim.name);
                let algorithm = claim.algorithm["name"].as_str();
                match &task.published {
                    None => {}
                    Some(PublishedValues::Value(published)) => {
                        assert_eq!(
                            returns("published", environment, algorithm),
                            [*published],
                            "{}",
                            claim.name
                        );
                    }
                    Some(PublishedValues::Runs(runs)) => {
                        assert_eq!(&trained(environment, algorithm), runs, "{}", claim.name);
                    }
                }
            }
        }
    }
}
