//! What figures promise: the same bytes every time, an error that names the culprit, all text in
//! the SVG, and no panic whatever the numbers.

use std::{fs, path::Path as FilePath};

use assay_environments::tabular::GridWorld;
use assay_plots::{
    Arrow, Axis, COLUMN, Curves, Error, Figure, GridMap, Interval, Intervals, Mark, Note, Numbers, Panel,
    Path, Plot, Rate, Reference, Series, write,
};
use proptest::prelude::*;

fn series(label: &str) -> Series {
    Series::new(label, vec![0.0, 1e3, 2e3], vec![1.0, 5.0, 6.0])
        .with_intervals(vec![0.5, 4.0, 5.5], vec![2.0, 5.5, 6.5])
}

fn curves() -> Curves {
    Curves::new(Axis::steps(), Axis::new("Return"), vec![series("MDPO"), series("PPO")])
        .with_reference(Reference::new("solved", 6.0))
}

fn profile() -> Curves {
    let step = Series::new("TD3", vec![0.0, 0.5, 1.0], vec![1.0, 0.4, 0.0]).marked(Mark::Steps);
    Curves::new(Axis::new("Score τ"), Axis::new("Share above τ").written(Numbers::Percent), vec![step])
}

fn rate() -> Curves {
    let rate = Rate { slope: -0.5, intercept: 0.0, low: -0.6, high: -0.4 };
    let points = Series::new("NPG", vec![1.0, 100.0], vec![1.0, 0.1]).with_rate(rate);
    Curves::new(Axis::new("Iterations").logarithmic(), Axis::new("Gap").logarithmic(), vec![points])
}

fn intervals() -> Intervals {
    let rows = vec![Interval::new("SAC", 0.8, 0.7, 0.9), Interval::new("A & B", 0.5, 0.4, 0.6)];
    Intervals::new(Axis::new("Score"), rows).with_reference(Reference::new("random", 0.1))
}

fn map() -> GridMap {
    let mut map = GridMap::new("Value", 2, vec![Some(1.0), None, Some(-1.0), Some(0.5)]);
    map.decimals = Some(1);
    map.notes = vec![note((0, 0), "S")];
    map.arrows = vec![Arrow { cell: (1, 0), direction: [0.0, 1.0], share: 1.0 }];
    map.paths = vec![Path { label: "greedy".into(), cells: vec![(0, 0), (1, 0), (1, 1)] }];
    map
}

/// A figure of one panel.
fn single(plot: impl Into<Plot>) -> Figure {
    Figure::new(vec![Panel::new("Task", plot)])
}

fn every_kind() -> Figure {
    Figure::new(vec![
        Panel::new("curves", curves()),
        Panel::new("profile", profile()),
        Panel::new("rate", rate()),
        Panel::new("boxes", intervals()),
        Panel::new("bars", intervals().as_bars()),
        Panel::new("map", map()),
    ])
}

fn svg(figure: &Figure) -> String {
    figure.draw().unwrap().svg(figure.width * 96.0).unwrap()
}

fn message(plot: impl Into<Plot>) -> String {
    single(plot).draw().unwrap_err().to_string()
}

#[test]
fn all_text_is_in_the_svg() {
    let svg = svg(&every_kind());
    let texts = [
        "curves",
        "profile",
        "rate",
        "boxes",
        "bars",
        "map",
        "MDPO",
        "PPO",
        "TD3",
        "NPG",
        "SAC",
        "A &amp; B",
        "solved",
        "random",
        "greedy",
        "Environment steps",
        "Return",
        "Score τ",
        "Gap",
        "Value",
        "S",
        "1k",
        "50%",
        "slope −0.50 [−0.60, −0.40]",
        "−1.0",
    ];
    for text in texts {
        assert!(svg.contains(&format!(">{text}</text>")), "{text} is missing");
    }
}

#[test]
fn slopes_are_written_where_no_line_passes_or_not_at_all() {
    let series = |label: &str, height: f64, slope: f64| {
        let rate = Rate { slope, intercept: height.ln(), low: slope - 0.1, high: slope + 0.1 };
        let at = |x: f64| height * x.powf(slope);
        Series::new(label, vec![1.0, 100.0], vec![at(1.0), at(100.0)]).with_rate(rate)
    };
    // Where the first words stand.
    let place = |series: Vec<Series>| {
        let axis = |label: &str| Axis::new(label).logarithmic();
        let svg = svg(&single(Curves::new(axis("x"), axis("y"), series)));
        let end = svg.find(">slope")?;
        let tag = &svg[svg[..end].rfind('<')?..end];
        let number =
            |name: &str| tag.split(&format!(" {name}=\"")).nth(1)?.split('"').next()?.parse::<f64>().ok();
        Some((number("x")?, number("y")?))
    };
    let falling = place(vec![series("a", 1.0, -1.0)]).unwrap();
    let rising = place(vec![series("a", 1.0, 1.0)]).unwrap();
    let below_a_flat_line = place(vec![series("a", 1.0, -1.0), series("b", 1.5, 0.0)]).unwrap();
    assert!(rising.0 < falling.0 && rising.1 == falling.1, "{rising:?} {falling:?}");
    assert!(below_a_flat_line.0 < falling.0 && below_a_flat_line.1 > falling.1);
    let everywhere = [1e-2, 1e-1, 1.0, 1e1, 1e2].map(|height| series("a", height, 0.0));
    assert_eq!(place(everywhere.to_vec()), None);
}

#[test]
fn a_figure_is_written_as_svg_and_png_with_the_same_bytes_every_time() {
    let folder = tempfile::tempdir().unwrap();
    let first = write(&every_kind(), &folder.path().join("new folder/figure-v1.0")).unwrap();
    let second = write(&every_kind(), &folder.path().join("second")).unwrap();
    assert_eq!(first.svg.file_name().unwrap(), "figure-v1.0.svg");
    assert_eq!(first.png.file_name().unwrap(), "figure-v1.0.png");
    assert_eq!(fs::read(first.svg).unwrap(), fs::read(second.svg).unwrap());
    let png = fs::read(first.png).unwrap();
    assert_eq!(png, fs::read(second.png).unwrap());
    // 6.8 inches at 300 dots per inch: the width in the PNG's header.
    assert_eq!(u32::from_be_bytes(png[16..20].try_into().unwrap()), 2040);
}

#[test]
fn the_drawing_is_the_one_that_was_looked_at() {
    // After a change that is meant to be seen, run once with UPDATE_GOLDEN=1 and look at the file.
    let path = FilePath::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/curves.svg");
    let drawn = svg(&single(curves()));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &drawn).unwrap();
    }
    assert!(drawn == fs::read_to_string(&path).unwrap(), "the drawing differs from {}", path.display());
}

#[test]
fn the_same_label_looks_the_same_wherever_it_stands() {
    let stroke = |svg: &str| {
        let lines = svg.lines().filter(|line| line.contains("stroke-width=\"1.73\""));
        lines.map(|line| line.split_once("stroke=").unwrap().1.to_owned()).collect::<Vec<_>>()
    };
    let alone = Curves::new(Axis::steps(), Axis::new("Return"), vec![series("PPO")]);
    let both = stroke(&svg(&single(curves())));
    assert_eq!(both.len(), 4, "two curves, two samples in the legend");
    assert!(both[2] != both[3]);
    let ordered = stroke(&svg(&single(alone).ordered(["MDPO", "PPO"])));
    assert_eq!(ordered[0], both[0], "PPO, which is drawn first");
}

#[test]
fn panels_with_the_same_axis_name_it_once() {
    let figure =
        Figure::new(vec![Panel::new("a", curves()), Panel::new("b", curves())]).sized(2, 2.0 * COLUMN);
    assert_eq!(svg(&figure).matches(">Return</text>").count(), 1);
    assert_eq!(svg(&figure).matches(">Environment steps</text>").count(), 2);
    assert_eq!(svg(&figure.sized(1, COLUMN)).matches(">Environment steps</text>").count(), 1);
}

#[test]
fn one_point_is_drawn_as_a_point() {
    let point = Series::new("one", vec![3.0], vec![4.0]).with_intervals(vec![3.0], vec![5.0]);
    let svg = svg(&single(Curves::new(Axis::new("x"), Axis::new("y"), vec![point])));
    assert_eq!(svg.matches("<circle").count(), 1);
}

#[test]
fn labels_that_are_too_long_end_in_an_ellipsis() {
    let long = "a very long name ".repeat(20);
    let rows = vec![Interval::new(&long, 0.5, 0.4, 0.6)];
    let figure = Figure::new(vec![
        Panel::new(&long, Curves::new(Axis::new(&long), Axis::new(&long), vec![series(&long)])),
        Panel::new(&long, Intervals::new(Axis::new(&long), rows)),
    ]);
    let svg = svg(&figure);
    assert!(!svg.contains(long.trim_end()));
    assert_eq!(svg.matches("…</text>").count(), 7);
}

#[test]
fn an_error_names_the_panel_and_the_series() {
    let with = |change: fn(&mut Series)| {
        let mut curves = curves();
        change(&mut curves.series[1]);
        message(curves)
    };
    assert_eq!(with(|s| s.y[1] = f64::NAN), "y 1 of series `PPO` of panel `Task` is NaN");
    assert_eq!(with(|s| s.high[2] = f64::INFINITY), "high end 2 of series `PPO` of panel `Task` is inf");
    assert_eq!(with(|s| s.x.clear()), "series `PPO` of panel `Task` is empty");
    assert_eq!(with(|s| s.low.truncate(1)), "series `PPO` of panel `Task` has 1 low ends, but 3 are needed");
    assert_eq!(
        with(|s| s.x[2] = 10.0),
        "x 2 of series `PPO` of panel `Task` is 10, less than the one before"
    );
    assert!(
        with(|s| *s = s.clone().with_rate(Rate { slope: 1.0, intercept: 0.0, low: 0.0, high: 1.0 }))
            .contains("takes two logarithmic axes")
    );
    assert_eq!(
        message(curves().with_reference(Reference::new("goal", f64::NAN))),
        "value 0 of reference `goal` of panel `Task` is NaN"
    );
    let mut logarithmic = rate();
    logarithmic.series[0].y[1] = -1.0;
    assert_eq!(
        message(logarithmic),
        "y 1 of series `NPG` of panel `Task` is -1; a logarithmic axis shows positive numbers only"
    );
}

#[test]
fn an_error_names_the_row_or_the_cell() {
    let mut broken = intervals();
    broken.rows[0].low = f64::NAN;
    assert_eq!(message(broken), "number 1 of row `SAC` of panel `Task` is NaN");
    assert_eq!(message(Intervals::default()), "panel `Task` is empty");

    let with = |change: fn(&mut GridMap)| {
        let mut map = map();
        change(&mut map);
        message(map)
    };
    assert_eq!(with(|m| m.values[0] = Some(f64::INFINITY)), "value 0 of panel `Task` is inf");
    assert_eq!(with(|m| m.values.truncate(3)), "panel `Task` has 3 values, but 4 are needed");
    assert_eq!(with(|m| m.values = vec![None; 4]), "panel `Task` is empty");
    assert_eq!(with(|m| m.columns = 0), "panel `Task` is empty");
    assert_eq!(
        with(|m| m.arrows[0].cell = (2, 0)),
        "arrow 0 of panel `Task` lies in row 2, column 0 of a grid of 2 × 2 cells"
    );
    assert_eq!(with(|m| m.paths[0].cells.clear()), "path `greedy` of panel `Task` is empty");
}

#[test]
fn a_tabular_problem_becomes_a_map_of_its_states() {
    let mdp = GridWorld::default().build().unwrap();
    let layout = mdp.layout().unwrap();
    let values: Vec<f64> = (0..mdp.states()).map(|state| state as f64).collect();
    let map = GridMap::of_states("Value", layout, &values).unwrap();
    assert_eq!((map.rows(), map.columns), (3, 4));
    assert_eq!(map.values[..6], [Some(0.0), Some(1.0), Some(2.0), Some(3.0), Some(4.0), None]);
    assert_eq!(map.notes, [note((0, 3), "G"), note((2, 0), "S")]);

    let directions = [[0.0, 1.0], [1.0, 0.0], [0.0, -1.0], [-1.0, 0.0]];
    let upwards = [0.9, 0.1, 0.0, 0.0].repeat(mdp.states());
    let policy = map.clone().with_policy(layout, &upwards, &directions).unwrap();
    assert_eq!(policy.arrows.len(), 2 * (mdp.states() - 2), "none at the goal and in the pit");
    assert_eq!(policy.arrows[0], Arrow { cell: (0, 0), direction: [0.0, 1.0], share: 0.9 });
    assert_eq!(policy.notes, [note((0, 3), "G")]);
    single(policy).draw().unwrap();

    let error = GridMap::of_states("Value", layout, &values[1..]).unwrap_err().to_string();
    assert_eq!(error, "a map of 11 states has 10 values, but 11 are needed");
    assert!(map.clone().with_policy(layout, &upwards[1..], &directions).is_err());
    assert!(map.with_policy(layout, &upwards, &[]).is_err());
}

fn note(cell: (usize, usize), text: &str) -> Note {
    Note { cell, text: text.into() }
}

#[test]
fn a_figure_without_panels_or_room_is_an_error() {
    assert!(matches!(Figure::new(vec![]).draw(), Err(Error::Empty { .. })));
    assert!(matches!(single(curves()).sized(0, COLUMN).draw(), Err(Error::Empty { .. })));
    for width in [0.0, -1.0, 0.5, 51.0, f64::INFINITY, f64::NAN] {
        assert!(matches!(single(curves()).sized(1, width).draw(), Err(Error::Width { .. })), "{width}");
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_an_error() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = write(&single(curves()), &file.path().join("figure")).unwrap_err();
    assert!(error.to_string().starts_with("cannot write "), "{error}");
}

/// Any number at all, with the troublesome ones often.
fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => -1e3..1e3,
        1 => any::<f64>(),
        1 => prop::sample::select(vec![0.0, -0.0, 1e300, -1e299, 1e-300, f64::NAN, f64::INFINITY, f64::MIN_POSITIVE]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_numbers_a_figure_is_drawn_or_refused(
        values in prop::collection::vec(number(), 1..12),
        rate in prop::array::uniform4(number()),
        (logarithmic, rated) in any::<(bool, bool)>(),
        mark in prop::sample::select(vec![Mark::Line, Mark::Points, Mark::Steps]),
    ) {
        let mut x = values.clone();
        x.sort_by(f64::total_cmp);
        let mut drawn = Series::new("x", x, values.clone()).with_intervals(values.clone(), values.clone());
        if rated {
            let [slope, intercept, low, high] = rate;
            drawn = drawn.with_rate(Rate { slope, intercept, low, high });
        }
        let axis = || if logarithmic { Axis::new("x").logarithmic() } else { Axis::new("x") };
        let curves = Curves::new(axis(), axis(), vec![drawn.marked(mark)]);
        let rows = values.iter().map(|&v| Interval::new("row", v, rate[0], rate[1])).collect();
        let map = GridMap::new("value", values.len(), values.iter().copied().map(Some).collect());
        let plots: [Plot; 4] = [
            curves.into(),
            Intervals::new(axis(), rows).into(),
            Intervals::new(axis(), vec![Interval::new("row", values[0], rate[0], rate[1])]).as_bars().into(),
            map.into(),
        ];
        for plot in plots {
            if let Ok(picture) = single(plot).draw() {
                picture.svg(300.0).unwrap();
            }
        }
    }
}
