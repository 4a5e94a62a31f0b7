//! The house style: sizes, colours and dashes of every figure.
//!
//! Figures are made for the column of a paper. Letters are as high as in a caption, there is no
//! box around a panel, and grid lines are as faint as they can be. The colours are those of Okabe
//! and Ito (2008), which people who are colour-blind can tell apart; dashes tell the curves apart
//! in grey, too. All lengths are in points.

use assay_environments::picture::{Colour, Dash};

/// Font size of axis labels, titles and the legend.
pub(crate) const TEXT: f64 = 8.0;
/// Font size of numbers at ticks and of notes inside panels.
pub(crate) const SMALL: f64 = 7.0;
/// Height that a line of text takes, as a multiple of its font size.
pub(crate) const LEADING: f64 = 1.25;
/// Space between things that belong together, such as a tick and its number.
pub(crate) const NEAR: f64 = 3.0;
/// Space between things that do not, such as two panels.
pub(crate) const APART: f64 = 10.0;
/// Length of a tick.
pub(crate) const TICK: f64 = 2.0;

/// Width of a curve.
pub(crate) const CURVE: f64 = 1.3;
/// Width of axes and of whiskers' ends.
pub(crate) const AXIS: f64 = 0.6;
/// Width of reference lines.
pub(crate) const REFERENCE: f64 = 0.9;
/// Width of grid lines.
pub(crate) const GRID: f64 = 0.5;
/// Radius of a point.
pub(crate) const DOT: f64 = 1.9;
/// Opacity of interval bands.
pub(crate) const BAND: f64 = 0.18;

/// Colour of text.
pub(crate) const INK: Colour = Colour::new(30, 30, 30);
/// Colour of axes.
pub(crate) const AXIS_INK: Colour = Colour::new(90, 90, 90);
/// Colour of grid lines.
pub(crate) const GRID_INK: Colour = Colour::new(226, 226, 226);
/// Colour of reference lines.
pub(crate) const REFERENCE_INK: Colour = Colour::new(110, 110, 110);

/// Those of Okabe and Ito, and grey.
const COLOURS: [Colour; 8] = [
    Colour::BLUE,
    Colour::VERMILION,
    Colour::GREEN,
    Colour::PURPLE,
    Colour::ORANGE,
    Colour::SKY,
    Colour::BLACK,
    Colour::new(150, 150, 150),
];

const DASHES: [Dash; 5] = [Dash::Solid, Dash::Dashed, Dash::DashDotted, Dash::Dotted, Dash::LongDashed];

/// The shape of a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Disc,
    Square,
    Triangle,
    Diamond,
    /// A triangle on its tip.
    Funnel,
}

const SHAPES: [Shape; 5] = [Shape::Disc, Shape::Square, Shape::Triangle, Shape::Diamond, Shape::Funnel];

impl Shape {
    /// Its corners about the origin, with the area of a disc of this radius.
    pub(crate) fn corners(self, radius: f64) -> Vec<[f64; 2]> {
        let (corners, turned) = match self {
            Shape::Disc => (24, 0.0),
            Shape::Square => (4, 0.125),
            Shape::Triangle => (3, 0.25),
            Shape::Diamond => (4, 0.0),
            Shape::Funnel => (3, -0.25),
        };
        let full = std::f64::consts::TAU;
        let step = full / f64::from(corners);
        // A polygon of n corners at distance r has the area n r² sin(2π/n) / 2.
        let distance = radius * (full / (f64::from(corners) * step.sin())).sqrt();
        let corner = |i| full * turned + step * f64::from(i);
        (0..corners).map(|i| [distance * corner(i).cos(), distance * corner(i).sin()]).collect()
    }
}

/// Colours and dashes by label: the same label looks the same in every panel of a figure, and in
/// every figure that names the labels in the same order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Palette {
    labels: Vec<String>,
}

impl Palette {
    /// Gives looks to labels in the order in which they come.
    pub(crate) fn new<'a>(labels: impl IntoIterator<Item = &'a str>) -> Self {
        let mut palette = Palette::default();
        for label in labels {
            if palette.index(label).is_none() {
                palette.labels.push(label.to_owned());
            }
        }
        palette
    }

    fn index(&self, label: &str) -> Option<usize> {
        self.labels.iter().position(|known| known == label)
    }

    /// Colour and dash of a label; those of the first for a label that was not named.
    pub(crate) fn look(&self, label: &str) -> (Colour, Dash) {
        // Eight colours and five dashes share no factor: 40 labels look different.
        let index = self.index(label).unwrap_or(0);
        (COLOURS[index % COLOURS.len()], DASHES[index % DASHES.len()])
    }

    /// The shape of a label's points: neighbours differ, so points can be told apart in grey, too.
    pub(crate) fn shape(&self, label: &str) -> Shape {
        SHAPES[self.index(label).unwrap_or(0) % SHAPES.len()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forty_labels_look_different_and_so_do_the_points_of_as_many() {
        let labels: Vec<String> = (0..40).map(|i| i.to_string()).collect();
        let palette = Palette::new(labels.iter().map(String::as_str));
        for (i, one) in labels.iter().enumerate() {
            for other in &labels[..i] {
                assert_ne!(palette.look(one), palette.look(other));
                let points = |label| (palette.look(label).0, palette.shape(label));
                assert_ne!(points(one), points(other));
            }
        }
    }

    #[test]
    fn the_shapes_of_points_are_different_and_of_one_area() {
        for shape in SHAPES {
            let corners = shape.corners(2.0);
            let next = corners.iter().cycle().skip(1);
            let area: f64 = corners.iter().zip(next).map(|(a, b)| (a[0] * b[1] - b[0] * a[1]) / 2.0).sum();
            assert!((area - std::f64::consts::PI * 4.0).abs() < 1e-9, "{shape:?}: {area}");
            assert!(SHAPES.iter().filter(|other| other.corners(2.0) == corners).count() == 1);
        }
    }
}
