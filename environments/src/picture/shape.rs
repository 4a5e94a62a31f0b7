//! The shapes of a picture and how they look.

use serde::{Deserialize, Serialize};

use super::Point;

/// One thing in a picture. All lengths are in world units.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Shape {
    /// An open line through points.
    Line {
        /// Where it runs.
        points: Vec<Point>,
        /// How it looks; the fill is not used.
        style: Style,
    },
    /// A closed polygon.
    Polygon {
        /// The corners.
        points: Vec<Point>,
        /// How it looks.
        style: Style,
    },
    /// A circle.
    Circle {
        /// The middle.
        centre: Point,
        /// The radius.
        radius: f64,
        /// How it looks.
        style: Style,
    },
    /// One line of text, always upright.
    Text {
        /// Where the anchor lies, at half the height of the letters.
        at: Point,
        /// Font size.
        size: f64,
        /// What it says.
        text: String,
        /// Which part of the text lies at `at`.
        anchor: Anchor,
        /// Colour of the letters.
        colour: Colour,
    },
}

/// Which part of a text lies at its point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Anchor {
    /// The left end.
    Start,
    /// The middle.
    #[default]
    Middle,
    /// The right end.
    End,
}

/// How a shape looks: an interior, an outline, or both.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Style {
    /// Colour of the interior; `None` leaves it empty.
    pub fill: Option<Colour>,
    /// Colour of the line; `None` draws no line.
    pub stroke: Option<Colour>,
    /// Width of the line, in world units.
    pub width: f64,
    /// From 0, invisible, to 1, solid.
    pub opacity: f64,
}

impl Style {
    /// A filled shape without an outline.
    pub fn fill(colour: Colour) -> Self {
        Style { fill: Some(colour), stroke: None, width: 0.0, opacity: 1.0 }
    }

    /// A line, or an outline without an interior, `width` world units wide.
    pub fn line(colour: Colour, width: f64) -> Self {
        Style { fill: None, stroke: Some(colour), width, opacity: 1.0 }
    }

    /// The same with an outline `width` world units wide.
    pub fn outlined(self, colour: Colour, width: f64) -> Self {
        Style { stroke: Some(colour), width, ..self }
    }

    /// The same with this opacity, from 0 to 1.
    pub fn with_opacity(self, opacity: f64) -> Self {
        Style { opacity, ..self }
    }
}

/// A colour in sRGB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Colour {
    /// Red.
    pub red: u8,
    /// Green.
    pub green: u8,
    /// Blue.
    pub blue: u8,
}

/// The named colours are those of Okabe and Ito (2008), which colour-blind people can tell apart,
/// and greys.
impl Colour {
    /// White.
    pub const WHITE: Colour = Colour::new(255, 255, 255);
    /// A grey for backgrounds and empty cells.
    pub const LIGHT_GREY: Colour = Colour::new(232, 232, 232);
    /// A grey for things that do not matter much.
    pub const GREY: Colour = Colour::new(150, 150, 150);
    /// A grey for walls and outlines.
    pub const DARK_GREY: Colour = Colour::new(70, 70, 70);
    /// Black.
    pub const BLACK: Colour = Colour::new(0, 0, 0);
    /// Blue.
    pub const BLUE: Colour = Colour::new(0, 114, 178);
    /// Vermilion, a red.
    pub const VERMILION: Colour = Colour::new(213, 94, 0);
    /// Bluish green.
    pub const GREEN: Colour = Colour::new(0, 158, 115);
    /// Orange.
    pub const ORANGE: Colour = Colour::new(230, 159, 0);
    /// Sky blue.
    pub const SKY: Colour = Colour::new(86, 180, 233);
    /// Reddish purple.
    pub const PURPLE: Colour = Colour::new(204, 121, 167);
    /// Yellow.
    pub const YELLOW: Colour = Colour::new(240, 228, 66);

    /// A colour from its parts.
    pub const fn new(red: u8, green: u8, blue: u8) -> Self {
        Colour { red, green, blue }
    }

    /// The colour a share of the way from this one (0) to `other` (1).
    pub fn towards(self, other: Colour, share: f64) -> Self {
        let mix = |a: u8, b: u8| (f64::from(a) + share * (f64::from(b) - f64::from(a))).round() as u8;
        Colour::new(mix(self.red, other.red), mix(self.green, other.green), mix(self.blue, other.blue))
    }
}
