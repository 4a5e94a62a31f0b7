//! StepMix, EpsMix and what they are compared with: exact identities, limits, coverage, learning.

use assay_algorithms::{
    Checkpoint, Learner, Mode, baseline_only, bpi_ucbvi,
    catalogue::{self, DeviceKind},
    dope,
    episodic::{
        Baseline, ConfidenceBounds, Constraint, Counts, EpisodePolicy, Episodic, Problem, Strategy, Threshold,
    },
    optpess_lp,
    stepmix::{self, EpsMix, StepMix},
    ucbvi,
};
use assay_environments::{
    Actions, BatchedEnvironment, BatchedStep, catalogue as environments,
    random::{Seed, Stream},
};
use assay_theory::{
    confidence::Bonus,
    evaluation::evaluate_horizon,
    mixture::{step_mixture, switching},
    rate,
};
use ndarray::{Array2, Array3, Axis};
use rand::Rng;
use rand_distr::{Distribution, Exp1};

/// A scale of the bonus with which something is learnt in thousands of episodes.
const SCALED: Bonus = Bonus { scale: 0.01, variance: 3.0, range: 14.0, spread: 1.0 };
const DELTA: f64 = 0.1;
const WEIGHTS: [f64; 11] = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0];

fn environment(name: &str, parameters: &str, seed: Seed) -> Box<dyn BatchedEnvironment> {
    environments::make(name, &parameters.parse().unwrap(), 1, seed).unwrap()
}

/// The random problem number `problem`: three states, actions and steps.
fn random_problem(problem: u64) -> Box<dyn BatchedEnvironment> {
    environment("LayeredRandom", &format!("seed = {problem}"), Seed::new(problem))
}

fn threshold(fraction: f64) -> Constraint {
    Constraint { threshold: Threshold::Fraction(fraction), ..Constraint::default() }
}

fn episodic<S: Strategy>(strategy: S, constraint: &Constraint, problem: u64) -> Episodic<S> {
    Episodic::new(strategy, constraint, 0.0, random_problem(problem), Seed::new(problem)).unwrap()
}

fn step_mix(bonus: Bonus) -> StepMix {
    StepMix::new(stepmix::Config { bonus, ..stepmix::Config::default() }).unwrap()
}

fn eps_mix(bonus: Bonus) -> EpsMix {
    EpsMix::new(stepmix::EpsMixConfig { bonus, ..stepmix::EpsMixConfig::default() }).unwrap()
}

fn bpi(bonus: Bonus) -> bpi_ucbvi::BpiUcbvi {
    bpi_ucbvi::BpiUcbvi::new(bpi_ucbvi::Config { bonus, ..bpi_ucbvi::Config::default() }).unwrap()
}

/// What strategies get to know of an environment.
fn problem_of(environment: Box<dyn BatchedEnvironment>) -> Episodic<baseline_only::BaselineOnly> {
    let constraint = Constraint::default();
    Episodic::new(baseline_only::BaselineOnly, &constraint, 0.0, environment, Seed::new(0)).unwrap()
}

fn random_policy(shape: (usize, usize, usize), rng: &mut Stream) -> Array3<f64> {
    let mut policy = Array3::from_shape_simple_fn(shape, || Exp1.sample(rng));
    for mut row in policy.rows_mut() {
        let total: f64 = row.sum();
        row /= total;
    }
    policy
}

/// Counts after so many episodes with the uniformly random policy.
fn counted(problem: u64, episodes: usize) -> (Problem, Counts, Episodic<baseline_only::BaselineOnly>) {
    let constraint = Constraint { baseline: Baseline::Uniform, ..Constraint::default() };
    let mut learner = episodic(baseline_only::BaselineOnly, &constraint, problem);
    for _ in 0..episodes {
        learner.play_episode().unwrap();
    }
    (learner.problem().clone(), learner.counts().clone(), learner)
}

fn metric(metrics: &[(&'static str, f64)], name: &str) -> f64 {
    metrics.iter().find(|(known, _)| *known == name).unwrap().1
}

/// The metrics of every episode.
fn run(learner: &mut dyn Learner, episodes: usize) -> Vec<Vec<(&'static str, f64)>> {
    (0..episodes).map(|_| learner.advance().unwrap().metrics).collect()
}

fn value<S: Strategy>(learner: &Episodic<S>, policy: &Array3<f64>) -> f64 {
    EpisodePolicy::Markov(policy.clone()).value(learner.mdp()).unwrap()
}

// Exact.

#[test]
fn the_value_of_the_mixture_played_is_affine_in_its_weight() {
    let mut mixtures = 0;
    for problem in 0..10 {
        let mut learner = episodic(step_mix(SCALED), &threshold(0.85), problem);
        for _ in 0..150 {
            let before = learner.counts().clone();
            let played = learner.policy().clone();
            let weight = metric(&learner.advance().unwrap().metrics, "weight");
            if weight.is_nan() {
                continue;
            }
            mixtures += 1;
            let known = learner.problem();
            let confidence = ConfidenceBounds::new(known, &before, &SCALED, DELTA);
            let optimistic = confidence.optimistic().0;
            let (bolder, safer) = neighbours(known, &optimistic, &played);
            let ends = (value(&learner, &bolder), value(&learner, &safer));
            for weight in WEIGHTS {
                let mixed = value(&learner, &step_mixture(&bolder, &safer, weight).unwrap());
                assert!((mixed - weight * ends.0 - (1.0 - weight) * ends.1).abs() < 1e-12);
            }
            let EpisodePolicy::Markov(played) = played else { panic!("StepMix tosses no coin") };
            assert_eq!(played, step_mixture(&bolder, &safer, weight).unwrap());
        }
    }
    assert!(mixtures > 100, "{mixtures}");
}

/// The two candidates that a step mixture lies between.
fn neighbours(
    problem: &Problem,
    optimistic: &Array3<f64>,
    played: &EpisodePolicy,
) -> (Array3<f64>, Array3<f64>) {
    let EpisodePolicy::Markov(played) = played else { panic!("StepMix tosses no coin") };
    let horizon = problem.size.horizon;
    let candidate = |j| switching(&problem.baseline, optimistic, j).unwrap();
    for j in 1..=horizon {
        let (bolder, safer) = (candidate(j - 1), candidate(j));
        let agrees = (0..horizon).filter(|step| *step != j - 1).all(|step| {
            let [played, bolder] = [played, &bolder].map(|policy| policy.index_axis(Axis(0), step));
            played.iter().zip(bolder).all(|(a, b)| (a - b).abs() < 1e-12)
        });
        if agrees {
            return (bolder, safer);
        }
    }
    panic!("the policy played is no step mixture of neighbours");
}

#[test]
fn with_the_true_transitions_and_no_bonus_both_bounds_are_the_value() {
    let problems = (0..30).map(random_problem).chain([
        environment("CliffWalking", "horizon = 12", Seed::new(0)),
        environment("GridWorld", "horizon = 10", Seed::new(0)),
        environment("RiverSwim", "horizon = 9", Seed::new(0)),
        environment("FrozenLake", "horizon = 7", Seed::new(0)),
    ]);
    let mut rng = Seed::new(1).stream("policy");
    for environment in problems {
        let learner = problem_of(environment);
        let (problem, mdp) = (learner.problem(), learner.mdp());
        let counts = Counts::exact(mdp, 1.0).unwrap();
        let confidence = ConfidenceBounds::new(problem, &counts, &Bonus::NONE, DELTA);
        for _ in 0..10 {
            let policy = random_policy(problem.baseline.dim(), &mut rng);
            let bounds = confidence.of_policy(&policy);
            let expected = problem.scaled(value(&learner, &policy));
            assert!((confidence.start_lower(&bounds) - expected).abs() < 1e-12 * problem.size.horizon as f64);
            assert!((confidence.start_upper(&bounds) - expected).abs() < 1e-12 * problem.size.horizon as f64);
        }
        let (greedy, bounds) = confidence.optimistic();
        assert_eq!(greedy, confidence.pessimistic().0);
        let best = assay_theory::planning::backward_induction(mdp, 1.0).unwrap().expected_return(mdp);
        assert!((problem.unscaled(confidence.start_upper(&bounds)) - best).abs() < 1e-9 * (1.0 + best.abs()));
    }
}

#[test]
fn with_a_bonus_the_bounds_bracket_the_value_of_every_policy_at_every_step() {
    let mut rng = Seed::new(2).stream("policy");
    for draw in 0..1000 {
        let learner = problem_of(random_problem(draw % 100));
        let (problem, mdp) = (learner.problem(), learner.mdp());
        let counts = Counts::exact(mdp, 10f64.powi((draw % 7) as i32)).unwrap();
        let bonus = Bonus { scale: rng.random_range(0.0..=1.0), ..Bonus::default() };
        let policy = random_policy(problem.baseline.dim(), &mut rng);
        let bounds = ConfidenceBounds::new(problem, &counts, &bonus, DELTA).of_policy(&policy);
        let values = evaluate_horizon(mdp, &policy, 1.0).unwrap().values;
        for (step, values) in values.outer_iter().enumerate() {
            for (state, value) in values.iter().enumerate() {
                let (lower, upper) = (bounds.lower(step)[state], bounds.upper(step)[state]);
                assert!(lower <= value + 1e-12 && *value <= upper + 1e-12, "{lower} {value} {upper}");
            }
        }
    }
}

/// With real counts, for the baseline, the optimistic policy and all candidates between them.
#[test]
fn bounds_with_the_papers_constants_cover_the_values_of_all_candidates() {
    let (mut failures, mut narrow) = (0, 0);
    let draws = 300;
    for draw in 0..draws {
        let episodes = if draw % 25 == 0 { 300_000 } else { [10, 100, 1000][draw % 3] };
        let (problem, counts, learner) = counted(draw as u64, episodes);
        let confidence = ConfidenceBounds::new(&problem, &counts, &Bonus::default(), DELTA);
        let optimistic = confidence.optimistic().0;
        let covered = (0..=problem.size.horizon).all(|j| {
            let policy = switching(&problem.baseline, &optimistic, j).unwrap();
            let bounds = confidence.of_policy(&policy);
            let value = problem.scaled(value(&learner, &policy));
            let (lower, upper) = (confidence.start_lower(&bounds), confidence.start_upper(&bounds));
            narrow += usize::from(upper - lower < 2.5);
            lower <= value && value <= upper
        });
        failures += usize::from(!covered);
    }
    assert!(failures as f64 <= DELTA * draws as f64, "{failures} of {draws}");
    // Enough of them say something: otherwise [0, H] would have passed.
    assert!(narrow > 12, "{narrow}");
}

#[test]
fn weights_are_from_0_to_1_policies_are_policies_and_the_bounds_of_neighbours_enclose_the_threshold() {
    for problem in 0..10 {
        let mut learner = episodic(step_mix(SCALED), &threshold(0.85), problem);
        for _ in 0..150 {
            let before = learner.counts().clone();
            let played = learner.policy().clone();
            let metrics = learner.advance().unwrap().metrics;
            let EpisodePolicy::Markov(policy) = &played else { panic!("StepMix tosses no coin") };
            assert!(policy.sum_axis(Axis(2)).iter().all(|total| (total - 1.0).abs() < 1e-12));
            let weight = metric(&metrics, "weight");
            if weight.is_nan() {
                continue;
            }
            assert!((0.0..=1.0).contains(&weight));
            let known = learner.problem();
            let confidence = ConfidenceBounds::new(known, &before, &SCALED, DELTA);
            let (bolder, safer) = neighbours(known, &confidence.optimistic().0, &played);
            let lower = |policy: &Array3<f64>| confidence.start_lower(&confidence.of_policy(policy));
            assert!(lower(&bolder) < known.threshold && known.threshold <= lower(&safer));
            // The weight puts the mixture of the two bounds, which the mixture's value exceeds, on the
            // threshold. The mixture's own bound need not be between them: its bonuses are not linear.
            let mixture = weight * lower(&bolder) + (1.0 - weight) * lower(&safer);
            assert!((mixture - known.threshold).abs() < 1e-9, "{mixture}");
        }
    }
}

/// The pairs' counts after so many episodes: they agree if and, but for chance, only if the
/// trajectories do.
fn trajectories<S: Strategy>(mut learner: Episodic<S>, episodes: usize) -> (Counts, Vec<f64>) {
    let rewards = (0..episodes).map(|_| learner.advance().unwrap().episodes[0].total_reward).collect();
    (learner.counts().clone(), rewards)
}

#[test]
fn without_a_threshold_stepmix_and_epsmix_are_bpi_ucbvi_trajectory_by_trajectory() {
    for problem in 0..3 {
        let none = threshold(0.0);
        let expected = trajectories(episodic(bpi(SCALED), &none, problem), 500);
        assert_eq!(trajectories(episodic(step_mix(SCALED), &none, problem), 500), expected);
        assert_eq!(trajectories(episodic(eps_mix(SCALED), &none, problem), 500), expected);
    }
}

#[test]
fn under_an_unreachable_threshold_stepmix_and_epsmix_play_the_baseline() {
    for problem in 0..3 {
        let all = threshold(f64::INFINITY);
        let expected = trajectories(episodic(baseline_only::BaselineOnly, &all, problem), 500);
        assert_eq!(trajectories(episodic(step_mix(SCALED), &all, problem), 500), expected);
        assert_eq!(trajectories(episodic(eps_mix(SCALED), &all, problem), 500), expected);
    }
}

#[test]
fn in_episodes_of_one_step_both_mixtures_are_worth_the_same() {
    let mut mixtures = 0;
    for problem in 0..20 {
        let environment =
            environment("LayeredRandom", &format!("horizon = 1\nseed = {problem}"), Seed::new(1));
        let constraint = threshold(0.85);
        let mut learner =
            Episodic::new(step_mix(SCALED), &constraint, 0.0, environment, Seed::new(1)).unwrap();
        for _ in 0..60 {
            let other = eps_mix(SCALED).choose(learner.problem(), learner.counts(), 0).unwrap();
            mixtures += usize::from(matches!(other.policy, EpisodePolicy::Coin { .. }));
            let [one, two] = [learner.policy(), &other.policy].map(|p| p.value(learner.mdp()).unwrap());
            assert!((one - two).abs() < 1e-12, "{one} {two}");
            learner.advance().unwrap();
        }
    }
    assert!(mixtures > 10, "{mixtures}");
}

#[test]
fn the_mixture_leads_from_the_baseline_to_the_optimistic_policy() {
    let mut between = 0;
    for problem in 0..10 {
        let mut learner = episodic(step_mix(SCALED), &threshold(0.85), problem);
        let steps: Vec<f64> =
            run(&mut learner, 3000).iter().map(|metrics| metric(metrics, "baseline_steps")).collect();
        assert_eq!(steps[0], 3.0);
        between += steps.iter().filter(|steps| **steps > 0.0 && **steps < 3.0).count();
        assert!(steps[2000..].iter().all(|steps| *steps == 0.0));
    }
    assert!(between > 100, "{between}");
}

// Baselines.

#[test]
fn knowing_everything_all_but_the_baseline_play_optimally() {
    for number in 0..20 {
        let learner = episodic(baseline_only::BaselineOnly, &threshold(0.85), number);
        let (problem, mdp) = (learner.problem(), learner.mdp());
        let counts = Counts::exact(mdp, 1e12).unwrap();
        let best = assay_theory::planning::backward_induction(mdp, 1.0).unwrap().expected_return(mdp);
        let value = |policy: EpisodePolicy| policy.value(mdp).unwrap();
        let known = |x: f64| assert!((x - best).abs() < 1e-4, "{x} {best}");
        let scale = 1e-3;
        known(value(step_mix(SCALED).choose(problem, &counts, 0).unwrap().policy));
        known(value(eps_mix(SCALED).choose(problem, &counts, 0).unwrap().policy));
        known(value(bpi(SCALED).choose(problem, &counts, 0).unwrap().policy));
        let config = ucbvi::Config { scale, ..ucbvi::Config::default() };
        known(value(ucbvi::Ucbvi::new(config).unwrap().choose(problem, &counts, 0).unwrap().policy));
        let config = optpess_lp::Config { scale, ..optpess_lp::Config::default() };
        let choice = optpess_lp::OptPessLp::new(config).unwrap().choose(problem, &counts, 0).unwrap();
        assert_eq!(choice.metrics[1], 1.0);
        known(value(choice.policy));
        let config = dope::Config { scale, ..dope::Config::default() };
        let choice = dope::Dope::new(config).unwrap().choose(problem, &counts, 0).unwrap();
        assert_eq!(choice.metrics, [1.0]);
        known(value(choice.policy));
    }
}

#[test]
fn knowing_nothing_the_constrained_ones_play_the_baseline() {
    for number in 0..5 {
        let constraint = threshold(0.85);
        let learner = episodic(baseline_only::BaselineOnly, &constraint, number);
        let baseline = learner.policy().clone();
        let config = optpess_lp::Config { scale: 0.01, ..optpess_lp::Config::default() };
        let strategy = optpess_lp::OptPessLp::new(config).unwrap();
        assert_eq!(*episodic(strategy, &constraint, number).policy(), baseline);
        let strategy = dope::Dope::new(dope::Config::default()).unwrap();
        assert_eq!(*episodic(strategy, &constraint, number).policy(), baseline);
        assert_eq!(*episodic(step_mix(Bonus::default()), &constraint, number).policy(), baseline);
        assert_eq!(*episodic(eps_mix(Bonus::default()), &constraint, number).policy(), baseline);
    }
}

#[test]
fn dope_begins_with_the_baseline_for_as_long_as_it_is_told() {
    let config = dope::Config { scale: 1e-3, baseline_episodes: 7, ..dope::Config::default() };
    let mut learner = episodic(dope::Dope::new(config).unwrap(), &threshold(0.5), 0);
    let baseline = learner.policy().clone();
    for _ in 0..7 {
        assert_eq!(*learner.policy(), baseline);
        learner.advance().unwrap();
    }
}

// Learning.

/// Regret after each episode, violations, for each of several problems.
fn learn<S: Strategy>(
    make: impl Fn() -> S,
    fraction: f64,
    problems: u64,
    episodes: usize,
) -> (Array2<f64>, Vec<f64>) {
    let mut regrets = Array2::zeros((problems as usize, episodes));
    let mut violations = Vec::new();
    for problem in 0..problems {
        let metrics = run(&mut episodic(make(), &threshold(fraction), problem), episodes);
        for (regret, metrics) in regrets.row_mut(problem as usize).iter_mut().zip(&metrics) {
            *regret = metric(metrics, "regret");
        }
        violations.push(metric(&metrics[episodes - 1], "violations"));
    }
    (regrets, violations)
}

#[test]
fn the_constraint_is_kept_at_a_regret_of_the_same_order_on_20_random_problems() {
    const EPISODES: usize = 4000;
    let (step_mixed, violations) = learn(|| step_mix(SCALED), 0.85, 20, EPISODES);
    assert_eq!(violations, [0.0; 20]);
    let (episode_mixed, violations) = learn(|| eps_mix(SCALED), 0.85, 20, EPISODES);
    assert_eq!(violations, [0.0; 20]);
    let (unconstrained, violations) = learn(|| bpi(SCALED), 0.85, 20, EPISODES);
    assert!(violations.iter().filter(|count| **count > 0.0).count() >= 15, "{violations:?}");
    let (baseline, _) = learn(|| baseline_only::BaselineOnly, 0.85, 20, EPISODES);

    let mean = |regrets: &Array2<f64>, episode: usize| regrets.column(episode).mean().unwrap();
    let last = EPISODES - 1;
    for mixed in [&step_mixed, &episode_mixed] {
        assert!(mean(mixed, last) < 4.0 * mean(&unconstrained, last));
        assert!(mean(mixed, last) < 0.1 * mean(&baseline, last));
        // Flat after the first quarter, where the baseline's regret goes on growing.
        let later = mean(mixed, last) - mean(mixed, EPISODES / 4);
        assert!(later < 0.25 * mean(mixed, last), "{later} of {}", mean(mixed, last));
    }
    // The order: far below 1, which is the baseline's.
    let points = [250, 500, 1000, 2000, 4000];
    let fit = |regrets: &Array2<f64>| {
        let at_points = Array2::from_shape_fn((20, 5), |(run, i)| regrets[[run, points[i] - 1]]);
        rate::fit(&points.map(|n| n as f64), &at_points, 500, 0.95, Seed::new(0)).unwrap()
    };
    assert!((fit(&baseline).slope - 1.0).abs() < 1e-6);
    let rate = fit(&step_mixed);
    assert!(rate.high < 0.5, "{rate:?}");
}

#[test]
fn less_slack_costs_more_and_breaks_nothing() {
    let overhead = [0.5, 0.7, 0.85, 0.95].map(|fraction| {
        let (mixed, violations) = learn(|| step_mix(SCALED), fraction, 20, 1500);
        assert_eq!(violations, [0.0; 20]);
        let (unconstrained, _) = learn(|| bpi(SCALED), fraction, 20, 1500);
        (mixed.column(1499).to_owned() - unconstrained.column(1499)).mean().unwrap()
    });
    assert!(overhead.windows(2).all(|pair| pair[0] < pair[1]), "{overhead:?}");
}

#[test]
fn a_baseline_learnt_from_data_is_safe_and_improved_upon() {
    let offline = |episodes| Constraint {
        baseline: Baseline::Offline { episodes, temperature: 0.3, scale: 0.01 },
        threshold: Threshold::Fraction(0.85),
    };
    for problem in 0..10 {
        let mut learner = episodic(step_mix(SCALED), &offline(1000), problem);
        let counted: f64 = learner.counts().all_visits().iter().sum();
        assert_eq!(counted, 3000.0);
        let metrics = run(&mut learner, 2000);
        assert_eq!(metric(&metrics[1999], "violations"), 0.0);
        // What was learnt from the data is worth more than what they were played with.
        let played_them = episodic(baseline_only::BaselineOnly, &threshold(0.85), problem);
        let learnt = value(&learner, &learner.problem().baseline);
        assert!(learnt > value(&played_them, &played_them.problem().baseline));
        // Another run has other data.
        let other =
            Episodic::new(step_mix(SCALED), &offline(1000), 0.0, random_problem(problem), Seed::new(99));
        assert_ne!(other.unwrap().counts(), episodic(step_mix(SCALED), &offline(1000), problem).counts());
    }
}

#[test]
fn all_run_on_other_tabular_problems() {
    for (name, parameters) in [
        ("RiverSwim", "horizon = 10"),
        ("GridWorld", "horizon = 8"),
        ("CliffWalking", "horizon = 5"),
        ("DeepSea", "size = 4\nhorizon = 4"),
        ("Garnet", "states = 5\nhorizon = 4"),
    ] {
        for algorithm in ["stepmix", "epsmix", "bpi-ucbvi", "ucbvi", "optpess-lp", "baseline-only"] {
            let environment = environment(name, parameters, Seed::new(3));
            let mut learner =
                catalogue::make(algorithm, &toml::Table::new(), environment, Seed::new(3), DeviceKind::Cpu)
                    .unwrap();
            let metrics = run(&mut *learner, 20);
            let horizon: u64 = parameters.rsplit(' ').next().unwrap().parse().unwrap();
            assert_eq!(learner.steps(), 20 * horizon, "{name}, {algorithm}");
            let regret = metric(&metrics[19], "regret");
            assert!(regret.is_finite() && regret > -1e-6, "{name}, {algorithm}: {regret}");
        }
    }
}

// The contract of a learner.

const ALL: [&str; 7] = ["stepmix", "epsmix", "bpi-ucbvi", "ucbvi", "optpess-lp", "dope", "baseline-only"];

fn parameters(algorithm: &str) -> toml::Table {
    let text = match algorithm {
        "baseline-only" => "",
        "stepmix" => {
            "bonus.scale = 0.01\nconstraint.baseline.offline = { episodes = 50, temperature = 0.3, scale = 0.01 }"
        }
        "epsmix" | "bpi-ucbvi" => "bonus.scale = 0.01",
        _ => "scale = 0.003\nreplan_growth = 0.5",
    };
    text.parse().unwrap()
}

fn named(algorithm: &str) -> Box<dyn Learner> {
    let environment = random_problem(4);
    catalogue::make(algorithm, &parameters(algorithm), environment, Seed::new(4), DeviceKind::Cpu).unwrap()
}

#[test]
fn saved_loaded_and_continued_is_the_uninterrupted_run_bit_for_bit() {
    for algorithm in ALL {
        let mut learner = named(algorithm);
        run(&mut *learner, 150);
        let mut checkpoint = Checkpoint::new();
        learner.save(&mut checkpoint).unwrap();
        let checkpoint = Checkpoint::from_bytes(&checkpoint.to_bytes(algorithm).unwrap(), algorithm).unwrap();
        let mut other = named(algorithm);
        other.load(&checkpoint).unwrap();
        for _ in 0..150 {
            let (one, two) = (learner.advance().unwrap(), other.advance().unwrap());
            assert_eq!(one.episodes, two.episodes, "{algorithm}");
            let bits =
                |metrics: Vec<(&str, f64)>| metrics.into_iter().map(|m| m.1.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(one.metrics), bits(two.metrics), "{algorithm}");
        }
        let saved = |learner: &dyn Learner| {
            let mut checkpoint = Checkpoint::new();
            learner.save(&mut checkpoint).unwrap();
            checkpoint.to_bytes(algorithm).unwrap()
        };
        assert_eq!(saved(&*learner), saved(&*other), "{algorithm}");
    }
}

#[test]
fn a_checkpoint_of_another_size_is_refused() {
    let mut checkpoint = Checkpoint::new();
    named("stepmix").save(&mut checkpoint).unwrap();
    let environment = environment("LayeredRandom", "states = 4", Seed::new(0));
    let mut other =
        catalogue::make("stepmix", &toml::Table::new(), environment, Seed::new(4), DeviceKind::Cpu).unwrap();
    let error = other.load(&checkpoint).unwrap_err().to_string();
    assert!(error.contains("another size"), "{error}");
}

#[test]
fn actions_are_drawn_from_the_policy_whose_value_is_reported() {
    for algorithm in ["stepmix", "epsmix"] {
        // Under so high a threshold the policy stays a mixture for long.
        let mut parameters = parameters("epsmix");
        parameters.extend("constraint.threshold.fraction = 0.97".parse::<toml::Table>().unwrap());
        let make = || {
            catalogue::make(algorithm, &parameters, random_problem(1), Seed::new(1), DeviceKind::Cpu).unwrap()
        };
        let mut learner = make();
        let mut metrics = run(&mut *learner, 30);
        while !(0.05..0.95).contains(&metric(metrics.last().unwrap(), "weight")) && metrics.len() < 500 {
            metrics.extend(run(&mut *learner, 1));
        }
        // The policy of the next episode, whose value that episode reports.
        let mut environment = random_problem(1).replicate(20_000, Seed::new(9));
        let mut step = BatchedStep::new(&*environment);
        let mut actions = Actions::zeros(environment.action_space(), 20_000);
        let mut rng = Seed::new(9).stream("policy");
        environment.reset(&mut step.observations).unwrap();
        let mut returns = Vec::new();
        for _ in 0..3 {
            learner.act(&step.observations, Mode::Sample, &mut rng, &mut actions).unwrap();
            environment.step(&actions, &mut step).unwrap();
            returns.extend(step.episodes.iter().map(|episode| episode.total_reward));
        }
        let expected = metric(&run(&mut *learner, 1)[0], "expected_return");
        let mean = returns.iter().sum::<f64>() / 20_000.0;
        let variance = returns.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / 20_000.0;
        assert!((mean - expected).abs() < 4.0 * (variance / 20_000.0).sqrt(), "{mean} {expected}");
    }
}

#[test]
fn an_environment_that_does_not_fit_is_named_with_what_is_needed() {
    let message = |name: &str, parameters: &str, copies: usize| {
        let environment =
            environments::make(name, &parameters.parse().unwrap(), copies, Seed::new(0)).unwrap();
        catalogue::make("stepmix", &toml::Table::new(), environment, Seed::new(0), DeviceKind::Cpu)
            .err()
            .unwrap()
            .to_string()
    };
    assert!(message("CartPole-v1", "", 1).contains("stepmix needs an environment with exact tables"));
    assert!(message("RiverSwim", "", 1).contains("set its parameter `horizon`"));
    assert!(message("RiverSwim", "horizon = 5", 2).contains("one copy"));
}

#[test]
fn settings_out_of_range_are_named() {
    let message = |algorithm: &str, parameters: &str| {
        let entry = catalogue::find(algorithm).unwrap();
        entry.resolve(&parameters.parse().unwrap()).unwrap_err().to_string()
    };
    assert!(message("stepmix", "delta = 0.0").contains("`delta` is 0"));
    assert!(message("epsmix", "bonus.scale = -1.0").contains("`scale` is -1"));
    assert!(message("bpi-ucbvi", "replan_growth = -1.0").contains("`replan_growth` is -1"));
    assert!(message("ucbvi", "episodes = 0").contains("`episodes` is 0"));
    assert!(message("dope", "optimism = -1.0").contains("`optimism` is -1"));
    assert!(message("optpess-lp", "scale = nan").contains("`scale` is NaN"));
    let temperature = "constraint.baseline.softmax.temperature = 0.0";
    assert!(message("baseline-only", temperature).contains("`baseline.temperature` is 0"));
    assert!(message("stepmix", "constraint.threshold.fraction = nan").contains("`threshold` is NaN"));
    assert!(message("stepmix", "constraint.treshold.fraction = 0.5").contains("`treshold`"));
}
