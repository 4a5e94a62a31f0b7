//! What every off-policy learner must hold: it learns the probe environments and Pendulum, a saved
//! learner continues as if never stopped, and mistakes are errors.

use assay_algorithms::{
    Checkpoint, Learner, Mode,
    catalogue::{self, DeviceKind},
};
use assay_environments::{
    Action, Actions, Batch, BatchedEnvironment, BatchedStep,
    classic::{CartPole, Pendulum},
    probe::{ActionForm, Probe, Question},
    random::Seed,
    wrappers::TimeLimit,
};
use proptest::prelude::*;

const LEARNERS: [&str; 3] = ["sac", "td3", "mdpo-off-policy"];

/// Every learner as it is, and with noise that has a state.
const EXPLORERS: [(&str, &str); 6] = [
    ("sac", ""),
    ("sac", "state_dependent_noise = { initial_log_std = -1.0, learn_features = true, mean_bound = 2.0 }"),
    ("td3", ""),
    ("td3", "ornstein_uhlenbeck = { reversion = 0.5, time_step = 0.1 }"),
    ("mdpo-off-policy", ""),
    ("mdpo-off-policy", "state_dependent_noise = { initial_log_std = -1.0, redraw_every = 3 }"),
];

fn make(
    name: &str,
    parameters: &str,
    environment: Box<dyn BatchedEnvironment>,
    seed: Seed,
) -> Result<Box<dyn Learner>, assay_algorithms::Error> {
    catalogue::make(name, &parameters.parse().unwrap(), environment, seed, DeviceKind::Cpu)
}

fn pendulum(copies: usize, seed: Seed) -> Box<dyn BatchedEnvironment> {
    let environment = TimeLimit::new(Pendulum::new(), 200).unwrap();
    Box::new(Batch::new(environment, copies, seed).unwrap())
}

/// The greedy action for one observation of one number.
fn greedy(learner: &dyn Learner, observation: f32) -> f32 {
    let mut actions = Actions::Continuous { values: vec![0.0], width: 1 };
    let mut rng = Seed::new(0).stream("unused");
    learner.act(&[observation], Mode::Greedy, &mut rng, &mut actions).unwrap();
    let Action::Continuous(&[action]) = actions.row(0) else { panic!("one number") };
    action
}

/// The probes' values are learned: the critics' mean over the replayed actions, and a vanishing
/// error, which leaves no other values than the true ones; where actions count, the best one.
/// Entropy would add to the values, so it has little weight here.
fn learns_the_probes(name: &str, own_parameters: &str) {
    const DISCOUNT: f64 = 0.9;
    let parameters = format!(
        "hidden = [32]\nbatch_size = 32\nlearning_rate = 3e-3\nlearning_starts = 200\n\
         discount = 0.9\ntarget_rate = 0.05\nreplay_capacity = 2000\n{own_parameters}"
    );
    for question in Question::ALL {
        for seed in (0..3).map(Seed::new) {
            let probe = Probe::new(question, ActionForm::Continuous);
            let environment = Box::new(Batch::new(probe.clone(), 1, seed).unwrap());
            let mut learner = make(name, &parameters, environment, seed).unwrap();
            let mut last = Vec::new();
            for _ in 0..18 {
                last = learner.advance().unwrap().metrics;
            }
            let metric = |name: &str| last.iter().find(|(known, _)| *known == name).unwrap().1;
            let what = format!("{name} on {question:?} with {seed:?}: {last:?}");
            assert!(metric("critic_loss") < 4e-3, "{what}");
            let (value, observations): (Option<f64>, &[f32]) = match question {
                Question::ConstantReward => (Some(1.0), &[]),
                Question::RewardByObservation => (Some(0.0), &[]),
                Question::DelayedReward => (Some((1.0 + DISCOUNT) / 2.0), &[]),
                Question::RewardByAction => (None, &[0.0]),
                Question::RewardByActionAndObservation => (None, &[-1.0, 1.0]),
            };
            if let Some(value) = value {
                assert!((metric("q_value") - value).abs() < 0.08, "{what}");
            }
            for &observation in observations {
                let action = greedy(&*learner, observation);
                let value = probe.action_value(observation, Action::Continuous(&[action]), DISCOUNT);
                assert!(value.unwrap() > -0.03, "{what}: {action} at {observation}");
            }
        }
    }
}

#[test]
fn sac_learns_the_probes_to_their_known_values() {
    learns_the_probes("sac", "temperature = { fixed = { value = 0.003 } }");
}

#[test]
fn sac_learns_the_probes_with_state_dependent_noise() {
    learns_the_probes(
        "sac",
        "temperature = { fixed = { value = 0.003 } }\ntrain_every = 4\ngradient_steps = 4\n\
         state_dependent_noise = { initial_log_std = -2.0, learn_features = true }",
    );
}

#[test]
fn td3_learns_the_probes_with_an_ornstein_uhlenbeck_process() {
    learns_the_probes("td3", "exploration_noise = 0.3\nornstein_uhlenbeck = { time_step = 1.0 }");
}

#[test]
fn td3_learns_the_probes_to_their_known_values() {
    learns_the_probes("td3", "");
}

#[test]
fn off_policy_mdpo_learns_the_probes_to_their_known_values() {
    learns_the_probes(
        "mdpo-off-policy",
        "entropy_weight = 0.003\nold_policy_interval = 100\nstep_size = { constant = { value = 20.0 } }",
    );
}

/// The mean return of ten episodes of Pendulum.
fn greedy_return(learner: &dyn Learner) -> f64 {
    let (copies, mut rng) = (10, Seed::new(7).stream("unused"));
    let mut environment = pendulum(copies, Seed::new(7));
    let mut step = BatchedStep::new(&*environment);
    let mut actions = Actions::zeros(environment.action_space(), copies);
    environment.reset(&mut step.observations).unwrap();
    let mut total = 0.0;
    for _ in 0..200 {
        learner.act(&step.observations, Mode::Greedy, &mut rng, &mut actions).unwrap();
        environment.step(&actions, &mut step).unwrap();
        total += step.rewards.iter().copied().map(f64::from).sum::<f64>();
    }
    total / copies as f64
}

/// Uniformly random actions return about −1200, the best policies about −150. The settings learn in
/// a fraction of the published number of steps; the defaults are compared with published returns in
/// the experiments.
fn solves_pendulum(name: &str, steps: u64, own_parameters: &str) {
    let parameters = format!(
        "hidden = [64, 64]\nbatch_size = 64\nlearning_rate = 2e-3\nlearning_starts = 200\n\
         discount = 0.95\ntarget_rate = 0.02\n{own_parameters}"
    );
    for seed in (0..2).map(Seed::new) {
        let mut learner = make(name, &parameters, pendulum(1, seed), seed).unwrap();
        while learner.steps() < steps {
            learner.advance().unwrap();
        }
        let total = greedy_return(&*learner);
        assert!(total > -350.0, "{name} with {seed:?}: {total}");
    }
}

#[test]
fn sac_solves_pendulum() {
    solves_pendulum("sac", 3000, "");
}

#[test]
fn td3_solves_pendulum() {
    solves_pendulum("td3", 3600, "exploration_noise = 0.5");
}

#[test]
fn off_policy_mdpo_solves_pendulum() {
    solves_pendulum(
        "mdpo-off-policy",
        3600,
        "old_policy_interval = 100\nstep_size = { constant = { value = 5.0 } }",
    );
}

fn checkpoint_of(name: &str, learner: &dyn Learner) -> Vec<u8> {
    let mut checkpoint = Checkpoint::new();
    learner.save(&mut checkpoint).unwrap();
    checkpoint.to_bytes(name).unwrap()
}

#[test]
fn a_saved_learner_continues_as_if_never_stopped_to_the_byte() {
    // Several copies, a ring that wraps around, episodes that are cut off, old policies replaced.
    let shared = "hidden = [8]\nbatch_size = 16\nsteps = 7\nlearning_starts = 60\n\
                  replay_capacity = 500\ntrain_every = 5\ngradient_steps = 3\n";
    for (name, noise) in EXPLORERS {
        let own = if name == "mdpo-off-policy" { "old_policy_interval = 50\ninner_steps = 2" } else { "" };
        let parameters = format!("{shared}{own}\n{noise}");
        let start = |seed| make(name, &parameters, pendulum(3, Seed::new(seed)), Seed::new(seed)).unwrap();
        let mut uninterrupted = start(1);
        for advances in [0, 1, 10, 30] {
            for _ in 0..advances {
                uninterrupted.advance().unwrap();
            }
            let bytes = checkpoint_of(name, &*uninterrupted);
            // Another seed: whatever is not restored shows.
            let mut restored = start(2);
            restored.load(&Checkpoint::from_bytes(&bytes, name).unwrap()).unwrap();
            assert_eq!(checkpoint_of(name, &*restored), bytes, "{name}: saved again");
            for _ in 0..10 {
                let (one, other) = (uninterrupted.advance().unwrap(), restored.advance().unwrap());
                assert_eq!(one.episodes, other.episodes, "{name}");
                // Compared as text, in which NaN equals itself.
                assert_eq!(format!("{:?}", one.metrics), format!("{:?}", other.metrics), "{name}");
            }
            assert_eq!(checkpoint_of(name, &*restored), checkpoint_of(name, &*uninterrupted), "{name}");
        }
    }
}

#[test]
fn a_checkpoint_of_other_sizes_is_an_error() {
    for name in LEARNERS {
        let start = |parameters| make(name, parameters, pendulum(1, Seed::new(1)), Seed::new(1)).unwrap();
        let small = start("hidden = [8]\nsteps = 3");
        let checkpoint = Checkpoint::from_bytes(&checkpoint_of(name, &*small), name).unwrap();
        let error = start("hidden = [9]").load(&checkpoint).unwrap_err().to_string();
        assert!(error.contains("policy/layer0"), "{name}: {error}");
    }
}

#[test]
fn the_interval_of_reports_does_not_change_what_is_learned() {
    for (name, noise) in EXPLORERS {
        let after_60_steps = |steps: usize| {
            let parameters = format!(
                "hidden = [8]\nbatch_size = 16\nlearning_starts = 20\ntrain_every = 4\nsteps = {steps}\n{noise}"
            );
            let mut learner = make(name, &parameters, pendulum(2, Seed::new(1)), Seed::new(1)).unwrap();
            while learner.steps() < 120 {
                learner.advance().unwrap();
            }
            checkpoint_of(name, &*learner)
        };
        assert_eq!(after_60_steps(1), after_60_steps(30), "{name}");
        assert_eq!(after_60_steps(60), after_60_steps(30), "{name}");
    }
}

#[test]
fn noise_that_is_out_of_range_is_named() {
    for (name, parameters, field) in [
        ("sac", "state_dependent_noise = { initial_log_std = 3.0 }", "state_dependent_noise.initial_log_std"),
        (
            "mdpo-off-policy",
            "state_dependent_noise = { initial_log_std = 0.0, redraw_every = 0 }",
            "state_dependent_noise.redraw_every",
        ),
        (
            "sac",
            "state_dependent_noise = { initial_log_std = 0.0, mean_bound = 0.0 }",
            "state_dependent_noise.mean_bound",
        ),
        ("td3", "ornstein_uhlenbeck = { reversion = 0.0 }", "ornstein_uhlenbeck.reversion"),
        ("td3", "ornstein_uhlenbeck = { reversion = 2.0, time_step = 1.0 }", "ornstein_uhlenbeck.time_step"),
    ] {
        let error = make(name, parameters, pendulum(1, Seed::new(1)), Seed::new(1)).err().unwrap();
        assert!(error.to_string().contains(&format!("`{field}`")), "{error}");
    }
}

#[test]
fn spaces_that_a_learner_cannot_act_in_are_named() {
    for name in LEARNERS {
        let environment = Box::new(Batch::new(CartPole::new(), 1, Seed::new(1)).unwrap());
        let error = make(name, "", environment, Seed::new(1)).err().unwrap().to_string();
        assert!(error.contains(name) && error.contains("Discrete(2)"), "{error}");
    }
}

#[test]
fn an_action_buffer_of_another_space_or_size_is_an_error() {
    for name in LEARNERS {
        let learner = make(name, "hidden = [8]", pendulum(1, Seed::new(1)), Seed::new(1)).unwrap();
        let mut rng = Seed::new(1).stream("test");
        let mut discrete = Actions::Discrete(vec![0]);
        let error = learner.act(&[0.0; 3], Mode::Greedy, &mut rng, &mut discrete).unwrap_err();
        assert!(error.to_string().contains("discrete"), "{name}: {error}");
        let mut two = Actions::Continuous { values: vec![0.0; 2], width: 1 };
        let error = learner.act(&[0.0; 3], Mode::Greedy, &mut rng, &mut two).unwrap_err();
        assert!(error.to_string().contains("2"), "{name}: {error}");
    }
}

#[test]
fn a_learner_that_diverges_says_what_is_not_finite_and_when() {
    for name in LEARNERS {
        let parameters = "hidden = [8]\nbatch_size = 16\nlearning_starts = 20\nlearning_rate = 1e30";
        let mut learner = make(name, parameters, pendulum(1, Seed::new(1)), Seed::new(1)).unwrap();
        let error = learner.advance().unwrap_err().to_string();
        assert!(
            ["loss", "gradient", "action is NaN"].iter().any(|what| error.contains(what)),
            "{name}: {error}"
        );
        assert!(error.contains("after 2"), "{name}: {error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is written in a configuration: an error that names the field, or a learner that
    /// runs.
    #[test]
    fn configurations_are_refused_by_field_or_run(
        learner in 0..LEARNERS.len(),
        discount in prop_oneof![Just(0.0), Just(1.0), -0.5..1.5_f64],
        target_rate in prop_oneof![Just(0.0), Just(1.0), -0.5..1.5_f64],
        learning_rate in prop_oneof![Just(0.0), Just(f64::NAN), 1e-5..1e-2_f64],
        learning_starts in 0..30_u64,
        train_every in 0..4_u64,
        gradient_steps in 0..3_usize,
        batch_size in 0..9_usize,
        replay_capacity in 0..40_usize,
        hidden in proptest::collection::vec(0..5_usize, 0..3),
        copies in 1..4_usize,
    ) {
        let name = LEARNERS[learner];
        let number = |x: f64| if x.is_nan() { "nan".to_owned() } else { format!("{x:?}") };
        let parameters = format!(
            "steps = 12\ndiscount = {}\ntarget_rate = {}\nlearning_rate = {}\n\
             learning_starts = {learning_starts}\ntrain_every = {train_every}\n\
             gradient_steps = {gradient_steps}\nbatch_size = {batch_size}\n\
             replay_capacity = {replay_capacity}\nhidden = {hidden:?}",
            number(discount), number(target_rate), number(learning_rate),
        );
        let wrong: Vec<&str> = [
            ("discount", !(0.0..=1.0).contains(&discount)),
            ("target_rate", target_rate <= 0.0 || target_rate > 1.0),
            ("learning_rate", learning_rate.is_nan() || learning_rate <= 0.0),
            ("train_every", train_every == 0),
            ("gradient_steps", gradient_steps == 0),
            ("batch_size", batch_size == 0),
            ("replay_capacity", replay_capacity == 0),
            ("hidden", hidden.contains(&0)),
        ]
        .into_iter()
        .filter_map(|(field, wrong)| wrong.then_some(field))
        .collect();
        match make(name, &parameters, pendulum(copies, Seed::new(1)), Seed::new(1)) {
            Ok(mut learner) => {
                prop_assert!(wrong.is_empty(), "{wrong:?} went through");
                learner.advance().unwrap();
            }
            Err(error) => {
                let error = error.to_string();
                prop_assert!(wrong.iter().any(|field| error.contains(&format!("`{field}`"))), "{error}");
            }
        }
    }
}
