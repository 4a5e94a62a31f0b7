//! The shapes of a picture and how they look.

use serde::{Deserialize, Serialize};

use super::{Picture, Point};

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
    /// Another picture, scaled as a whole and cut off at its edge.
    Inset {
        /// Where its lower left corner comes to lie.
        at: Point,
        /// How wide it becomes; its height follows.
        width: f64,
        /// The picture, in units of its own.
        picture: Picture,
    },
    /// One line of text.
    Text {
        /// Where the anchor lies, at half the height of a capital letter.
        at: Point,
        /// What it says.
        text: String,
        /// How it looks.
        lettering: Lettering,
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

/// How a text looks.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lettering {
    /// Font size, in world units.
    pub size: f64,
    /// Colour of the letters.
    pub colour: Colour,
    /// Which part of the text lies at its point.
    pub anchor: Anchor,
    /// By how much the text is turned about its point, in radians, counter-clockwise.
    pub angle: f64,
}

impl Lettering {
    /// Upright black letters of this font size, in world units, centred.
    pub fn new(size: f64) -> Self {
        Lettering { size, colour: Colour::BLACK, anchor: Anchor::Middle, angle: 0.0 }
    }

    /// The same in another colour.
    pub fn coloured(self, colour: Colour) -> Self {
        Lettering { colour, ..self }
    }

    /// The same with another part of the text at its point.
    pub fn anchored(self, anchor: Anchor) -> Self {
        Lettering { anchor, ..self }
    }

    /// The same turned by `angle` radians, counter-clockwise.
    pub fn turned(self, angle: f64) -> Self {
        Lettering { angle, ..self }
    }
}

/// How a line is broken up. Lengths are in multiples of its width.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Dash {
    /// Not at all.
    #[default]
    Solid,
    /// Long dashes.
    Dashed,
    /// Dots.
    Dotted,
    /// Dashes and dots in turn.
    DashDotted,
    /// Longer dashes with short gaps.
    LongDashed,
}

impl Dash {
    /// Lengths of the strokes and gaps in turn, in multiples of the line's width; empty for a
    /// solid line.
    pub fn pattern(self) -> &'static [f64] {
        match self {
            Dash::Solid => &[],
            Dash::Dashed => &[4.0, 2.0],
            Dash::Dotted => &[1.2, 1.6],
            Dash::DashDotted => &[5.0, 1.8, 1.2, 1.8],
            Dash::LongDashed => &[8.0, 2.0],
        }
    }
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
    /// How the line is broken up.
    pub dash: Dash,
    /// From 0, invisible, to 1, solid.
    pub opacity: f64,
}

impl Style {
    /// A filled shape without an outline.
    pub fn fill(colour: Colour) -> Self {
        Style { fill: Some(colour), stroke: None, width: 0.0, dash: Dash::Solid, opacity: 1.0 }
    }

    /// A line, or an outline without an interior, `width` world units wide.
    pub fn line(colour: Colour, width: f64) -> Self {
        Style { fill: None, stroke: Some(colour), width, dash: Dash::Solid, opacity: 1.0 }
    }

    /// The same with an outline `width` world units wide.
    pub fn outlined(self, colour: Colour, width: f64) -> Self {
        Style { stroke: Some(colour), width, ..self }
    }

    /// The same with its line broken up.
    pub fn dashed(self, dash: Dash) -> Self {
        Style { dash, ..self }
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

/// The colour as in SVG and CSS, `#rrggbb`.
impl std::fmt::Display for Colour {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}", self.red, self.green, self.blue)
    }
}
