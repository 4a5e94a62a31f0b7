//! Pictures of an environment's state, drawn without a display or a system library.
//!
//! An environment's [`draw`](crate::Environment::draw) returns a [`Picture`]: a few shapes in the
//! environment's own units. It is a plain value, so it can be kept, compared, sent or stored, and
//! drawing costs nothing until somebody wants to look.
//!
//! ```
//! use assay_environments::picture::{Colour, Picture, Style};
//!
//! let mut picture = Picture::new([-2.4, -0.5], [2.4, 1.5]);
//! picture.line([[-2.4, 0.0], [2.4, 0.0]], Style::line(Colour::GREY, 0.02));
//! picture.rectangle([-0.3, 0.0], [0.3, 0.25], Style::fill(Colour::BLUE));
//! picture.text([0.0, 1.3], 0.15, "cart");
//! ```

mod shape;

pub use shape::{Anchor, Colour, Shape, Style};

use serde::{Deserialize, Serialize};

/// A point: x to the right, y upwards, in the units of the picture's world.
pub type Point = [f64; 2];

/// A vector picture: what lies in a rectangle of the world, drawn in order, the first shape at
/// the bottom.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Picture {
    /// Lower left corner of what is shown, in world units.
    pub low: Point,
    /// Upper right corner of what is shown, in world units.
    pub high: Point,
    /// What lies behind the shapes.
    pub background: Colour,
    /// The shapes, bottom first.
    pub shapes: Vec<Shape>,
}

impl Picture {
    /// An empty picture, on white, of the world from its lower left corner `low` to its upper
    /// right corner `high`.
    pub fn new(low: Point, high: Point) -> Self {
        Picture { low, high, background: Colour::WHITE, shapes: Vec::new() }
    }

    /// Width of what is shown, in world units.
    pub fn width(&self) -> f64 {
        self.high[0] - self.low[0]
    }

    /// Height of what is shown, in world units.
    pub fn height(&self) -> f64 {
        self.high[1] - self.low[1]
    }

    /// Adds a line through `points`. A fill in the style is not used.
    pub fn line(&mut self, points: impl Into<Vec<Point>>, style: Style) {
        self.shapes.push(Shape::Line { points: points.into(), style });
    }

    /// Adds a closed polygon with corners `points`.
    pub fn polygon(&mut self, points: impl Into<Vec<Point>>, style: Style) {
        self.shapes.push(Shape::Polygon { points: points.into(), style });
    }

    /// Adds an upright rectangle from its lower left to its upper right corner.
    pub fn rectangle(&mut self, low: Point, high: Point, style: Style) {
        self.polygon([low, [high[0], low[1]], high, [low[0], high[1]]], style);
    }

    /// Adds a rod with flat ends from `from` to `to`, `width` world units wide.
    pub fn rod(&mut self, from: Point, to: Point, width: f64, style: Style) {
        let along = [to[0] - from[0], to[1] - from[1]];
        let length = along[0].hypot(along[1]);
        let angle = along[1].atan2(along[0]);
        let corners =
            [[0.0, -width / 2.0], [length, -width / 2.0], [length, width / 2.0], [0.0, width / 2.0]];
        self.polygon(placed(&corners, from, angle), style);
    }

    /// Adds an arrow from `from` to its tip `to` with a shaft `width` world units wide. An arrow
    /// shorter than its head, three shaft widths, is drawn as a head alone.
    pub fn arrow(&mut self, from: Point, to: Point, width: f64, colour: Colour) {
        let length = (to[0] - from[0]).hypot(to[1] - from[1]);
        let angle = (to[1] - from[1]).atan2(to[0] - from[0]);
        let (shaft, head) = (width / 2.0, 1.75 * width);
        let neck = (length - 3.0 * width).max(0.0);
        let outline = [
            [0.0, shaft],
            [neck, shaft],
            [neck, head],
            [length, 0.0],
            [neck, -head],
            [neck, -shaft],
            [0.0, -shaft],
        ];
        self.polygon(placed(&outline, from, angle), Style::fill(colour));
    }

    /// Adds a circle.
    pub fn circle(&mut self, centre: Point, radius: f64, style: Style) {
        self.shapes.push(Shape::Circle { centre, radius, style });
    }

    /// Adds black text of height `size` (world units) centred at `at`.
    pub fn text(&mut self, at: Point, size: f64, text: impl Into<String>) {
        self.label(at, size, text, Anchor::Middle, Colour::BLACK);
    }

    /// Adds text of height `size` (world units) whose `anchor` lies at `at`, vertically centred.
    pub fn label(&mut self, at: Point, size: f64, text: impl Into<String>, anchor: Anchor, colour: Colour) {
        self.shapes.push(Shape::Text { at, size, text: text.into(), anchor, colour });
    }
}

/// A body's points, given in its own frame, where they come to lie in the world when the body's
/// origin is at `origin` and the body is turned by `angle` radians, counter-clockwise.
pub fn placed(points: &[Point], origin: Point, angle: f64) -> Vec<Point> {
    let (sin, cos) = angle.sin_cos();
    let place = |&[x, y]: &Point| [origin[0] + cos * x - sin * y, origin[1] + sin * x + cos * y];
    points.iter().map(place).collect()
}
