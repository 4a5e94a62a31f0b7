//! Pictures of an environment's state, drawn without a display or a system library.
//!
//! An environment's [`draw`](crate::Environment::draw) returns a [`Picture`]: a few shapes in the
//! environment's own units. It is a plain value, so it can be kept, compared, sent or stored, and
//! drawing costs nothing until somebody wants to look. A picture can be written as SVG and PNG;
//! several of them become an [`Animation`] (GIF, numbered PNG) or a [`strip`](Picture::strip).
//!
//! ```
//! use assay_environments::picture::{Colour, Picture, Style};
//!
//! let mut picture = Picture::new([-2.4, -0.5], [2.4, 1.5]);
//! picture.line([[-2.4, 0.0], [2.4, 0.0]], Style::line(Colour::GREY, 0.02));
//! picture.rectangle([-0.3, 0.0], [0.3, 0.25], Style::fill(Colour::BLUE));
//! picture.text([0.0, 1.3], 0.15, "cart");
//!
//! let svg = picture.svg(480.0)?;
//! let png = picture.png(480)?;
//! # Ok::<(), assay_environments::picture::PictureError>(())
//! ```

mod animation;
mod check;
mod error;
mod font;
mod raster;
mod shape;
mod svg;

pub use animation::Animation;
pub use error::PictureError;
pub use font::{CAP_HEIGHT, text_width};
pub use shape::{Anchor, Colour, Dash, Lettering, Shape, Style};

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

    /// Adds black text of font size `size` (world units) centred at `at`.
    pub fn text(&mut self, at: Point, size: f64, text: impl Into<String>) {
        self.lettering(at, text, Lettering::new(size));
    }

    /// Adds text in letters of your own choice at `at`.
    pub fn lettering(&mut self, at: Point, text: impl Into<String>, lettering: Lettering) {
        self.shapes.push(Shape::Text { at, text: text.into(), lettering });
    }

    /// Adds another picture, `width` world units wide, with its lower left corner at `at`.
    pub fn inset(&mut self, at: Point, width: f64, picture: Picture) {
        self.shapes.push(Shape::Inset { at, width, picture });
    }

    /// Several pictures side by side, `columns` to a row, read like text; for example the poses of
    /// an episode. The unit is that of the first picture; all become as wide as it is. An error
    /// where there are no pictures or no columns.
    pub fn strip(pictures: &[Picture], columns: usize) -> Result<Picture, PictureError> {
        let first = pictures.first().filter(|_| columns > 0).ok_or(PictureError::NoFrames)?;
        let (width, gap) = (first.width(), 0.03 * first.width());
        let scaled = |p: &Picture| p.height() / p.width() * width;
        let height = pictures.iter().map(scaled).fold(0.0, f64::max);
        let (columns, rows) = (columns.min(pictures.len()), pictures.len().div_ceil(columns));
        let total = |count: usize, size: f64| count as f64 * (size + gap) - gap;
        let mut strip = Picture::new([0.0, 0.0], [total(columns, width), total(rows, height)]);
        for (i, picture) in pictures.iter().enumerate() {
            let (row, column) = (i / columns, i % columns);
            let top = strip.high[1] - row as f64 * (height + gap);
            strip.inset([column as f64 * (width + gap), top - scaled(picture)], width, picture.clone());
        }
        Ok(strip)
    }
}

/// A body's points, given in its own frame, where they come to lie in the world when the body's
/// origin is at `origin` and the body is turned by `angle` radians, counter-clockwise.
pub fn placed(points: &[Point], origin: Point, angle: f64) -> Vec<Point> {
    let (sin, cos) = angle.sin_cos();
    let place = |&[x, y]: &Point| [origin[0] + cos * x - sin * y, origin[1] + sin * x + cos * y];
    points.iter().map(place).collect()
}

#[cfg(test)]
mod tests;
