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

const COLOURS: [Colour; 7] = [
    Colour::BLUE,
    Colour::VERMILION,
    Colour::GREEN,
    Colour::PURPLE,
    Colour::ORANGE,
    Colour::SKY,
    Colour::BLACK,
];

const DASHES: [Dash; 5] = [Dash::Solid, Dash::Dashed, Dash::DashDotted, Dash::Dotted, Dash::LongDashed];

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
        // Seven colours and five dashes share no factor: 35 labels look different.
        let index = self.index(label).unwrap_or(0);
        (COLOURS[index % COLOURS.len()], DASHES[index % DASHES.len()])
    }
}
