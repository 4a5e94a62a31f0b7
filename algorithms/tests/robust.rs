//! What every learner with an uncertain pendulum must hold: it learns to swing it up in the worst of a
//! small set, a saved learner continues as if never stopped, and mistakes are errors.

use assay_algorithms::{
    Checkpoint, Learner, Mode, PreviousStep,
    catalogue::{self, DeviceKind},
};
use assay_environments::{
    Actions, Batch, BatchedEnvironment, BatchedStep, classic::Pendulum, random::Seed, wrappers::TimeLimit,
};

const LEARNERS: [&str; 4] = ["m2td3", "rarl", "domain-randomisation", "iwocs"];

/// The learner within the algorithm, whose settings the others are.
fn inner(name: &str) -> &'static str {
    if name == "m2td3" { "td3" } else { "sac" }
}

fn pendulum(copies: usize, seed: Seed) -> Box<dyn BatchedEnvironment> {
    let environment = TimeLimit::new(Pendulum::new(), 200).unwrap();
    Box::new(Batch::new(environment, copies, seed).unwrap())
}

fn make(name: &str, parameters: &str, copies: usize, seed: Seed) -> Box<dyn Learner> {
    let parameters = parameters.parse().unwrap();
    catalogue::make(name, &parameters, pendulum(copies, seed), seed, DeviceKind::Cpu).unwrap()
}

/// The mean return of five episodes in the worst of four models.
fn worst_return(learner: &dyn Learner) -> f64 {
    let mut worst = f64::INFINITY;
    for model in [[0.8, 0.8], [0.8, 1.2], [1.2, 0.8], [1.2, 1.2]] {
        let (copies, mut rng) = (5, Seed::new(7).stream("unused"));
        let mut environment = pendulum(copies, Seed::new(7));
        for copy in 0..copies {
            let physics = environment.physics(copy).unwrap();
            physics.set_physical_parameter("mass", model[0]).unwrap();
            physics.set_physical_parameter("length", model[1]).unwrap();
        }
        let mut step = BatchedStep::new(&*environment);
        let mut actions = Actions::zeros(environment.action_space(), copies);
        let mut previous = PreviousStep::none(&*environment);
        environment.reset(&mut step.observations).unwrap();
        let mut total = 0.0;
        for _ in 0..200 {
            learner.act_after(&previous, &step.observations, Mode::Greedy, &mut rng, &mut actions).unwrap();
            previous.begin(&step.observations, &actions);
            environment.step(&actions, &mut step).unwrap();
            previous.end(&step);
            total += step.rewards.iter().copied().map(f64::from).sum::<f64>();
        }
        worst = worst.min(total / copies as f64);
    }
    worst
}

/// Uniformly random actions return about −1200, and in the worst of these models the best policies about
/// −250.
fn swings_up(name: &str, steps: u64, own_parameters: &str) {
    let inner = inner(name);
    let parameters = format!(
        "{own_parameters}\nuncertainty = {{ mass = [0.8, 1.2], length = [0.8, 1.2] }}\n[{inner}]\n\
         hidden = [64, 64]\nbatch_size = 64\nlearning_rate = 2e-3\nlearning_starts = 400\n\
         discount = 0.95\ntarget_rate = 0.02\n"
    );
    let parameters = if inner == "td3" { parameters + "exploration_noise = 0.5" } else { parameters };
    for seed in (0..2).map(Seed::new) {
        let mut learner = make(name, &parameters, 1, seed);
        while learner.steps() < steps {
            learner.advance().unwrap();
        }
        let worst = worst_return(&*learner);
        assert!(worst > -500.0, "{name} with {seed:?}: {worst}");
    }
}

#[test]
fn m2td3_swings_up_the_worst_pendulum() {
    swings_up("m2td3", 6000, "model_noise_steps = 6000");
}

#[test]
fn rarl_swings_up_the_worst_pendulum() {
    swings_up("rarl", 6000, "protagonist_episodes = 6\nadversary_episodes = 2");
}

#[test]
fn domain_randomisation_swings_up_the_worst_pendulum() {
    swings_up("domain-randomisation", 4000, "");
}

#[test]
fn iwocs_swings_up_the_worst_pendulum() {
    swings_up(
        "iwocs",
        17_000,
        "default_steps = 5000\nmodel_steps = 6000\nmax_iterations = 1\nthresholds = [0.3, 1.0]\n\
         search_episodes = 2\nsearch.grid.points = 3",
    );
}

fn checkpoint_of(name: &str, learner: &dyn Learner) -> Vec<u8> {
    let mut checkpoint = Checkpoint::new();
    learner.save(&mut checkpoint).unwrap();
    checkpoint.to_bytes(name).unwrap()
}

#[test]
fn a_saved_learner_continues_as_if_never_stopped_to_the_byte() {
    for name in LEARNERS {
        let own = match name {
            "m2td3" => "candidates = 3\nleast_distance = 0.3\nmodel_noise_steps = 2000",
            "rarl" => "protagonist_episodes = 2\nadversary_episodes = 2",
            "iwocs" => "default_steps = 600\nmodel_steps = 600\nthresholds = [1.0]\nsearch.grid.points = 2",
            _ => "",
        };
        let parameters = format!(
            "{own}\nuncertainty = {{ mass = [0.5, 1.5] }}\n[{}]\nhidden = [8]\nbatch_size = 16\nsteps = 7\n\
             learning_starts = 60\nreplay_capacity = 500\ntrain_every = 5\ngradient_steps = 3",
            inner(name)
        );
        let mut uninterrupted = make(name, &parameters, 3, Seed::new(1));
        for advances in [0, 1, 20, 60] {
            for _ in 0..advances {
                uninterrupted.advance().unwrap();
            }
            let bytes = checkpoint_of(name, &*uninterrupted);
            let mut restored = make(name, &parameters, 3, Seed::new(1));
            restored.load(&Checkpoint::from_bytes(&bytes, name).unwrap()).unwrap();
            assert_eq!(checkpoint_of(name, &*restored), bytes, "{name}");
            for _ in 0..10 {
                uninterrupted.advance().unwrap();
                restored.advance().unwrap();
            }
            assert_eq!(checkpoint_of(name, &*restored), checkpoint_of(name, &*uninterrupted), "{name}");
        }
    }
}

#[test]
fn settings_and_environments_that_do_not_fit_are_named() {
    let message = |name: &str, parameters: &str| {
        let parameters = parameters.parse().unwrap();
        let environment = pendulum(1, Seed::new(0));
        let made = catalogue::make(name, &parameters, environment, Seed::new(0), DeviceKind::Cpu);
        made.err().unwrap().to_string()
    };
    assert!(message("m2td3", "candidates = 0").contains("`candidates` is 0"));
    assert!(message("m2td3", "least_probability = 0.2").contains("`least_probability` is 0.2"));
    assert!(message("m2td3", "model_noise = -1.0").contains("`model_noise` is -1"));
    assert!(message("m2td3", "model_noise_steps = 0").contains("`model_noise_steps` is 0"));
    assert!(message("m2td3", "td3.discount = 2.0").contains("`discount` is 2"));
    assert!(message("m2td3", "td3.ornstein_uhlenbeck = {}").contains("`td3.ornstein_uhlenbeck` is given"));
    assert!(message("rarl", "adversary_episodes = 1").contains("`adversary_episodes` is 1"));
    assert!(message("rarl", "protagonist_episodes = 0").contains("`protagonist_episodes` is 0"));
    assert!(message("rarl", "adversary_deviation = 0.0").contains("`adversary_deviation` is 0"));
    for name in LEARNERS {
        assert!(message(name, "uncertainty.mas = [0.5, 1.0]").contains("did you mean `mass`?"));
        let environment =
            assay_environments::catalogue::make("GridWorld", &toml::Table::new(), 1, Seed::new(0)).unwrap();
        let made = catalogue::make(name, &toml::Table::new(), environment, Seed::new(0), DeviceKind::Cpu);
        let message = made.err().unwrap().to_string();
        assert!(message.contains("needs an environment with physical parameters"), "{message}");
    }
}
