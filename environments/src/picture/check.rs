//! Whether the numbers in a picture can be drawn.

use super::{Picture, PictureError, Point, Shape, Style};

impl Picture {
    /// An error that names the first number that cannot be drawn, here or in an inset.
    pub(super) fn check(&self) -> Result<(), PictureError> {
        let sides = [self.width(), self.height()];
        if !sides.iter().all(|side| side.is_finite() && *side > 0.0) {
            return Err(PictureError::EmptyView { low: self.low, high: self.high });
        }
        for (i, shape) in self.shapes.iter().enumerate() {
            if let Some((what, value)) = offence(shape) {
                return Err(PictureError::InvalidNumber { shape: i, what, value });
            }
            if let Shape::Inset { picture, .. } = shape {
                picture.check()?;
            }
        }
        Ok(())
    }
}

/// The first number of a shape that cannot be drawn, with its name.
fn offence(shape: &Shape) -> Option<(&'static str, f64)> {
    match shape {
        Shape::Line { points, style } | Shape::Polygon { points, style } => {
            points.iter().find_map(|p| coordinate(p)).or_else(|| offence_of_style(style))
        }
        Shape::Circle { centre, radius, style } => {
            coordinate(centre).or_else(|| length("the radius", *radius)).or_else(|| offence_of_style(style))
        }
        Shape::Text { at, lettering, .. } => coordinate(at)
            .or_else(|| length("the font size", lettering.size))
            .or_else(|| finite("the angle", lettering.angle)),
        Shape::Inset { at, width, .. } => coordinate(at).or_else(|| length("the width", *width)),
    }
}

fn offence_of_style(style: &Style) -> Option<(&'static str, f64)> {
    length("the line width", style.width).or_else(|| finite("the opacity", style.opacity))
}

fn coordinate(point: &Point) -> Option<(&'static str, f64)> {
    point.iter().find_map(|&x| finite("a coordinate", x))
}

fn finite(what: &'static str, value: f64) -> Option<(&'static str, f64)> {
    (!value.is_finite()).then_some((what, value))
}

fn length(what: &'static str, value: f64) -> Option<(&'static str, f64)> {
    (!(value.is_finite() && value >= 0.0)).then_some((what, value))
}
