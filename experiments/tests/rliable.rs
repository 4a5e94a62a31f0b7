//! Our statistics against rliable's, on scores recorded with `fixtures/record_rliable.py`.
//!
//! Point estimates agree to rounding. Intervals come from different random numbers on both sides:
//! with 50,000 resamples each, their ends differ with a standard deviation of about 0.4 % of the
//! interval's width.

use assay_environments::random::Seed;
use assay_experiments::statistics::{
    Aggregate, Bootstrap, Estimate, Scores, performance_profile, probability_of_improvement,
    probability_of_improvement_interval,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Fixture {
    resamples: usize,
    target: f64,
    thresholds: Vec<f64>,
    x: Algorithm,
    y: Algorithm,
    improvement_of_x_over_y: Estimate,
    improvement_of_y_over_x: Estimate,
}

#[derive(Deserialize)]
struct Algorithm {
    runs: Vec<Vec<f64>>,
    aggregates: Aggregates,
    interquartile_means_of_first_runs: Vec<f64>,
    profile: Profile,
}

#[derive(Deserialize)]
struct Aggregates {
    mean: Estimate,
    median: Estimate,
    interquartile_mean: Estimate,
    optimality_gap: Estimate,
}

#[derive(Deserialize)]
struct Profile {
    value: Vec<f64>,
    low: Vec<f64>,
    high: Vec<f64>,
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("fixtures/rliable.json")).unwrap()
}

fn scores(algorithm: &Algorithm) -> Scores {
    Scores::from_runs(&algorithm.runs).unwrap()
}

fn bootstrap(resamples: usize) -> Bootstrap {
    Bootstrap::new(resamples, 0.95, Seed::new(1)).unwrap()
}

/// The same value, and ends of the interval that differ by at most `tolerance`.
fn assert_agrees(name: &str, ours: Estimate, theirs: Estimate, tolerance: f64) {
    assert!((ours.value - theirs.value).abs() < 1e-12, "{name}: {ours:.5}, rliable {theirs:.5}");
    assert!((ours.low - theirs.low).abs() < tolerance, "{name}: {ours:.5}, rliable {theirs:.5}");
    assert!((ours.high - theirs.high).abs() < tolerance, "{name}: {ours:.5}, rliable {theirs:.5}");
}

#[test]
fn aggregates_and_their_intervals_are_rliables() {
    let fixture = fixture();
    for algorithm in [&fixture.x, &fixture.y] {
        let scores = scores(algorithm);
        let theirs = &algorithm.aggregates;
        for (aggregate, theirs) in [
            (Aggregate::Mean, theirs.mean),
            (Aggregate::Median, theirs.median),
            (Aggregate::InterquartileMean, theirs.interquartile_mean),
            (Aggregate::OptimalityGap { target: fixture.target }, theirs.optimality_gap),
        ] {
            let ours = bootstrap(fixture.resamples).estimate(&scores, aggregate);
            let tolerance = 0.02 * (theirs.high - theirs.low);
            assert_agrees(&aggregate.to_string(), ours, theirs, tolerance);
        }
    }
}

#[test]
fn interquartile_means_are_rliables_for_every_number_of_runs() {
    let fixture = fixture();
    for algorithm in [&fixture.x, &fixture.y] {
        let scores = scores(algorithm);
        for (i, theirs) in algorithm.interquartile_means_of_first_runs.iter().enumerate() {
            let ours = Aggregate::InterquartileMean.of(&scores.first_runs(i + 1).unwrap());
            assert!((ours - theirs).abs() < 1e-12, "{} runs: {ours}, rliable {theirs}", i + 1);
        }
    }
}

#[test]
fn probabilities_of_improvement_are_rliables() {
    let fixture = fixture();
    let (x, y) = (scores(&fixture.x), scores(&fixture.y));
    for (ours, theirs, name) in [
        ((&x, &y), fixture.improvement_of_x_over_y, "x over y"),
        ((&y, &x), fixture.improvement_of_y_over_x, "y over x"),
    ] {
        let (a, b) = ours;
        assert!((probability_of_improvement(a, b).unwrap() - theirs.value).abs() < 1e-15);
        let ours = probability_of_improvement_interval(a, b, &bootstrap(fixture.resamples)).unwrap();
        // Theirs has a tenth of the resamples, so its ends are three times less certain.
        assert_agrees(name, ours, theirs, 0.06 * (theirs.high - theirs.low));
    }
}

#[test]
fn performance_profiles_are_rliables() {
    let fixture = fixture();
    for algorithm in [&fixture.x, &fixture.y] {
        let scores = scores(algorithm);
        let theirs = &algorithm.profile;
        let ours = performance_profile(&scores, &fixture.thresholds, &bootstrap(20_000));
        // Fractions are multiples of one in all runs: an end may fall on the neighbouring one.
        let step = 1.001 / scores.values().len() as f64;
        for (i, ours) in ours.into_iter().enumerate() {
            let theirs = Estimate { value: theirs.value[i], low: theirs.low[i], high: theirs.high[i] };
            assert_agrees(&format!("above {}", fixture.thresholds[i]), ours, theirs, step);
        }
    }
}
