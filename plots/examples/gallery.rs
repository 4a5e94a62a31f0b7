//! Writes one figure of each kind, from made-up numbers, to the folder given on the command line:
//!
//! `cargo run -p assay-plots --example gallery -- figures`

use std::{error::Error, path::Path};

use assay_environments::tabular::FrozenLake;
use assay_plots::{
    Arrow, Axis, COLUMN, Curves, Figure, GridMap, Interval, Intervals, Mark, Note, Numbers, PAGE, Panel,
    Rate, Reference, Series, write,
};

const ALGORITHMS: [&str; 4] = ["MDPO (on-policy)", "PPO", "TRPO", "REINFORCE"];

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("give the folder to write to")?;
    let figures = [
        ("learning-curve", learning_curve()),
        ("learning-curves", learning_curves()),
        ("profiles", profiles()),
        ("aggregates", aggregates()),
        ("improvement", improvement()),
        ("ablation", ablation()),
        ("rates", rates()),
        ("rates-page", rates_side_by_side()),
        ("map", map()),
        ("states", states()?),
        ("extremes", extremes()),
    ];
    for (name, figure) in figures {
        let files = write(&figure, &Path::new(&folder).join(name))?;
        println!("{}\n{}", files.svg.display(), files.png.display());
    }
    Ok(())
}

/// Something between -1 and 1 that looks random.
fn noise(i: usize, salt: usize) -> f64 {
    let (i, salt) = (i as f64, salt as f64);
    (0.9 * i + 3.1 * salt).sin() * (0.37 * i * salt + salt).cos()
}

/// A curve that rises from `from` to `to` within `steps` steps, the faster the smaller `slowness`.
fn learning(label: &str, salt: usize, steps: f64, [from, to]: [f64; 2], slowness: f64) -> Series {
    let points = 60;
    let x: Vec<f64> = (0..=points).map(|i| steps * i as f64 / points as f64).collect();
    let level = |x: f64| from + (to - from) * (1.0 - (-x / steps / slowness).exp());
    let spread = |i: usize, x: f64| {
        (to - from).abs() * (0.025 + 0.1 * (-x / steps / slowness).exp()) * (1.0 + 0.3 * noise(i, salt + 1))
    };
    let y: Vec<f64> =
        x.iter().enumerate().map(|(i, &x)| level(x) + 0.3 * spread(i, x) * noise(i, salt)).collect();
    let ends = |sign: f64| y.iter().zip(&x).enumerate().map(|(i, (y, &x))| y + sign * spread(i, x)).collect();
    let (low, high) = (ends(-1.0), ends(1.0));
    Series::new(label, x, y).with_intervals(low, high)
}

fn task(title: &str, steps: f64, ends: [f64; 2], solved: f64) -> Panel {
    let series = ALGORITHMS.iter().enumerate().map(|(i, label)| {
        let reached = [ends[0], ends[1] - (ends[1] - ends[0]) * 0.12 * i as f64];
        learning(label, i + 1, steps, reached, 0.12 + 0.06 * i as f64)
    });
    let curves = Curves::new(Axis::steps(), Axis::new("Return (IQM)"), series.collect());
    Panel::new(title, curves.with_reference(Reference::new("solved", solved)))
}

fn learning_curve() -> Figure {
    Figure::new(vec![task("CartPole-v1", 100e3, [20.0, 490.0], 475.0)])
}

fn learning_curves() -> Figure {
    Figure::new(vec![
        task("CartPole-v1", 100e3, [20.0, 490.0], 475.0),
        task("MountainCar-v0", 1e6, [-200.0, -105.0], -110.0),
        task("Acrobot-v1", 500e3, [-500.0, -80.0], -100.0),
        task("Pendulum-v1", 2e6, [-1500.0, -150.0], -200.0),
        task("MountainCarContinuous-v0", 300e3, [-5.0, 93.0], 90.0),
    ])
}

fn profiles() -> Figure {
    let x: Vec<f64> = (0..=100).map(|i| 0.015 * f64::from(i)).collect();
    let series = ALGORITHMS.iter().enumerate().map(|(i, label)| {
        let share = |x: f64| 1.0 / (1.0 + ((x - 1.0 + 0.15 * i as f64) * 9.0).exp());
        let y: Vec<f64> = x.iter().map(|&x| (share(x) * 50.0).round() / 50.0).collect();
        let end =
            |sign: f64| y.iter().map(|y| (y + sign * (0.01 + 0.3 * y * (1.0 - y))).clamp(0.0, 1.0)).collect();
        Series::new(*label, x.clone(), y.clone()).with_intervals(end(-1.0), end(1.0)).marked(Mark::Steps)
    });
    let y = Axis::new("Share of runs above τ").written(Numbers::Percent).including([0.0, 1.0]);
    let curves = Curves::new(Axis::new("Normalised score τ"), y, series.collect());
    Figure::new(vec![Panel::new("", curves)])
}

fn aggregates() -> Figure {
    let panel = |title: &str, salt: usize, level: f64, falling: bool| {
        let rows = ALGORITHMS.iter().enumerate().map(|(i, label)| {
            let fall = if falling { 0.09 } else { -0.09 } * i as f64;
            let estimate = level - fall + 0.02 * noise(i, salt);
            Interval::new(*label, estimate, estimate - 0.05 - 0.01 * i as f64, estimate + 0.04)
        });
        Panel::new(title, Intervals::new(Axis::new("Normalised score"), rows.collect()))
    };
    let panels = vec![
        panel("Median", 1, 0.92, true),
        panel("IQM", 2, 0.94, true),
        panel("Mean", 3, 0.9, true),
        panel("Optimality gap", 4, 0.1, false),
    ];
    Figure::new(panels).sized(4, PAGE).ordered(ALGORITHMS)
}

fn improvement() -> Figure {
    let rows = vec![
        Interval::new("MDPO (on-policy) > PPO", 0.58, 0.47, 0.69),
        Interval::new("MDPO (on-policy) > TRPO", 0.71, 0.61, 0.80),
        Interval::new("MDPO (on-policy) > REINFORCE", 0.93, 0.88, 0.97),
    ];
    let axis = Axis::new("Probability of improvement").including([0.0, 1.0]);
    let plot = Intervals::new(axis, rows).with_reference(Reference::new("no difference", 0.5));
    Figure::new(vec![Panel::new("", plot)])
}

fn ablation() -> Figure {
    let rows = vec![
        Interval::new("full", 0.94, 0.91, 0.96),
        Interval::new("no KL penalty", 0.61, 0.52, 0.70),
        Interval::new("one gradient step", 0.72, 0.66, 0.79),
        Interval::new("forward KL", 0.88, 0.83, 0.92),
        Interval::new("constant step size", 0.90, 0.86, 0.93),
        Interval::new("no advantage normalisation", 0.83, 0.76, 0.89),
    ];
    let plot = Intervals::new(Axis::new("Normalised score (IQM)"), rows).as_bars();
    let reference = Reference::new("PPO", 0.86);
    Figure::new(vec![Panel::new("", plot.with_reference(reference))])
}

fn rate_panel(title: &str, slopes: &[(&str, f64, f64)]) -> Panel {
    let x: Vec<f64> = (0..8).map(|i| 100.0 * 2f64.powi(i)).collect();
    let series = slopes.iter().enumerate().map(|(salt, &(label, slope, factor))| {
        let level = |x: f64| factor * x.powf(slope);
        let y: Vec<f64> =
            x.iter().enumerate().map(|(i, &x)| level(x) * (0.12 * noise(i, salt + 2)).exp()).collect();
        let low = y.iter().map(|y| 0.85 * y).collect();
        let high = y.iter().map(|y| 1.2 * y).collect();
        let rate = Rate { slope, intercept: factor.ln(), low: slope - 0.06, high: slope + 0.05 };
        Series::new(label, x.clone(), y).with_intervals(low, high).with_rate(rate)
    });
    let (iterations, gap) =
        (Axis::new("Iterations").logarithmic(), Axis::new("Optimality gap").logarithmic());
    Panel::new(title, Curves::new(iterations, gap, series.collect()))
}

fn rates() -> Figure {
    Figure::new(vec![rate_panel(
        "",
        &[("constant step size", -0.49, 3.0), ("growing step size", -1.02, 20.0)],
    )])
}

fn rates_side_by_side() -> Figure {
    let panels = vec![
        rate_panel("Garnet (20 states)", &[("constant", -0.52, 2.0), ("growing", -0.97, 30.0)]),
        rate_panel("RiverSwim", &[("constant", 0.5, 2.0), ("growing", 0.34, 3.0)]),
    ];
    Figure::new(panels).sized(2, PAGE)
}

fn map() -> Figure {
    let (rows, columns) = (5, 7);
    let wall = |row: usize, column: usize| (column == 3 && row != 1) || (row, column) == (3, 5);
    let distance = |row: usize, column: usize| {
        // Steps to the goal in the lower right corner, through the gap in the wall.
        let to = |r: usize, c: usize| row.abs_diff(r) + column.abs_diff(c);
        if column < 3 { to(1, 3) + 6 } else { to(4, 6) }
    };
    let cells = || (0..rows).flat_map(move |row| (0..columns).map(move |column| (row, column)));
    let value = |(row, column)| (!wall(row, column)).then(|| 0.9f64.powi(distance(row, column) as i32));
    let mut values = GridMap::new("State value", columns, cells().map(value).collect());
    values.decimals = Some(2);
    values.notes = vec![note(2, 0, "S"), note(4, 6, "G")];

    let mut policy = GridMap { decimals: None, ..values.clone() };
    for (row, column) in cells().filter(|&(row, column)| !wall(row, column)) {
        let direction = match (row, column) {
            (4, 6) | (2, 0) => continue,
            (1, 0..=3) => [1.0, 0.0],
            (0, 0..=2) => [0.0, -1.0],
            (_, 0..=2) => [0.0, 1.0],
            (_, 6) => [0.0, -1.0],
            _ => [1.0, 0.0],
        };
        policy.arrows.push(Arrow { cell: (row, column), direction, share: 0.6 + 0.05 * column as f64 });
    }

    let mut paths = GridMap { decimals: None, ..values.clone() };
    let path = |label: &str, cells: &[(usize, usize)]| assay_plots::Path {
        label: label.to_owned(),
        cells: cells.to_vec(),
    };
    let end = [(1, 3), (1, 4), (1, 5), (1, 6), (2, 6), (3, 6), (4, 6)];
    paths.paths = vec![
        path("learned policy", &[&[(2, 0), (1, 0), (1, 1), (1, 2)], &end[..]].concat()),
        path(
            "random policy",
            &[&[(2, 0), (3, 0), (3, 1), (2, 1), (2, 2), (1, 2), (0, 2), (0, 1), (1, 1), (1, 2)], &end[..2]]
                .concat(),
        ),
    ];
    paths.notes = Vec::new();
    let panels = vec![Panel::new("Values", values), Panel::new("Policy", policy), Panel::new("Paths", paths)];
    Figure::new(panels)
}

/// A stochastic policy on the states of a tabular problem.
fn states() -> Result<Figure, Box<dyn Error>> {
    let lake = FrozenLake::default().build()?;
    let layout = lake.layout().ok_or("the lake has no layout")?;
    let values: Vec<f64> = (0..lake.states()).map(|state| 0.05 * (state / 4 + state % 4) as f64).collect();
    let directions = [[-1.0, 0.0], [0.0, -1.0], [1.0, 0.0], [0.0, 1.0]];
    let policy = [0.1, 0.3, 0.5, 0.1].repeat(lake.states());
    let map = GridMap::of_states("Value", layout, &values)?.with_policy(layout, &policy, &directions)?;
    Ok(Figure::new(vec![Panel::new("FrozenLake", map)]))
}

fn note(row: usize, column: usize, text: &str) -> Note {
    Note { cell: (row, column), text: text.to_owned() }
}

/// What a house style must bear: one point, long names, large and small numbers.
fn extremes() -> Figure {
    let small = Curves::new(
        Axis::new("Time (s)"),
        Axis::new("Error"),
        vec![
            Series::new(
                "an algorithm whose name takes more room than anybody thought it could when the figure was planned",
                vec![0.0, 0.5, 1.0],
                vec![3e-7, 1e-7, 2e-7],
            ),
            Series::new("one point", vec![0.7], vec![2.5e-7]).with_intervals(vec![2e-7], vec![3e-7]),
        ],
    );
    let large = Curves::new(
        Axis::steps(),
        Axis::new("Parameters"),
        vec![Series::new("one point", vec![3e6], vec![7.1e9]).with_intervals(vec![6e9], vec![8e9])],
    );
    let flat = Curves::new(
        Axis::steps(),
        Axis::new("Return, which is the undiscounted sum of the rewards"),
        vec![Series::new("flat", vec![0.0, 10.0], vec![500.0, 500.0])],
    );
    let narrow = Curves::new(
        Axis::new("Samples").logarithmic(),
        Axis::new("Regret").logarithmic(),
        vec![Series::new("flat", vec![1200.0, 1800.0, 2600.0], vec![0.031, 0.034, 0.041])],
    );
    let panels = vec![
        Panel::new("A title that is much too long for the panel that it stands above", small),
        Panel::new("", large),
        Panel::new("Constant", flat),
        Panel::new("Narrow", narrow),
    ];
    Figure::new(panels).sized(2, 2.0 * COLUMN)
}
