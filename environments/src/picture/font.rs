//! The one font of all pictures and figures: Liberation Sans, whose licence lies beside it.
//!
//! Its letters are exactly as wide as those of Arial and Helvetica, so an SVG, which only names
//! the font, looks the same where Liberation Sans is not installed but one of those is.

use std::sync::LazyLock;

use tiny_skia::{Path, PathBuilder, Transform};
use ttf_parser::{Face, GlyphId, OutlineBuilder};

static DATA: &[u8] = include_bytes!("../../fonts/LiberationSans-Regular.ttf");

static FACE: LazyLock<Face<'static>> =
    LazyLock::new(|| Face::parse(DATA, 0).expect("the font that is part of the program is sound"));

/// The font and those that may stand in for it, as SVG and CSS want them.
pub(super) const FAMILIES: &str = "Liberation Sans, Arial, Helvetica, Arimo, sans-serif";

/// Height of a capital letter or a digit as a share of the font size.
pub const CAP_HEIGHT: f64 = 1409.0 / 2048.0;

/// Width of a line of text in this font size, in the unit of the size.
pub fn text_width(text: &str, size: f64) -> f64 {
    let advances: u32 = text.chars().map(|c| u32::from(advance(glyph(c)))).sum();
    f64::from(advances) * size / f64::from(FACE.units_per_em())
}

/// The outline of a line of text: the baseline starts at the origin, x runs to the right, y down.
/// `None` where there is nothing to see.
pub(super) fn outline(text: &str, size: f32) -> Option<Path> {
    let mut pen = Pen { path: PathBuilder::new(), x: 0.0 };
    for c in text.chars() {
        let glyph = glyph(c);
        FACE.outline_glyph(glyph, &mut pen);
        pen.x += f32::from(advance(glyph));
    }
    let scale = size / f32::from(FACE.units_per_em());
    pen.path.finish()?.transform(Transform::from_scale(scale, -scale))
}

/// The glyph of a character; the box that stands for a missing one where the font has none.
fn glyph(c: char) -> GlyphId {
    FACE.glyph_index(c).unwrap_or(GlyphId(0))
}

fn advance(glyph: GlyphId) -> u16 {
    FACE.glyph_hor_advance(glyph).unwrap_or(0)
}

/// Draws glyph after glyph, each from where the last one ended. In font units, y upwards.
struct Pen {
    path: PathBuilder,
    x: f32,
}

impl OutlineBuilder for Pen {
    fn move_to(&mut self, x: f32, y: f32) {
        self.path.move_to(self.x + x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.path.line_to(self.x + x, y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        self.path.quad_to(self.x + x1, y1, self.x + x, y);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        self.path.cubic_to(self.x + x1, y1, self.x + x2, y2, self.x + x, y);
    }

    fn close(&mut self) {
        self.path.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_are_those_of_helvetica() {
        // Adobe's metrics of Helvetica, in thousandths of the font size: H 722, i 222, space 278.
        assert!((text_width("Hi i", 1000.0) - (722.0 + 222.0 + 278.0 + 222.0)).abs() < 2.0);
    }

    #[test]
    fn a_capital_letter_is_as_high_as_is_said() {
        let bounds = outline("H", 1.0).unwrap().bounds();
        assert!((f64::from(bounds.height()) - CAP_HEIGHT).abs() < 1e-6);
        assert_eq!(bounds.bottom(), 0.0);
    }

    #[test]
    fn characters_that_figures_need_are_in_the_font() {
        for c in "αβγδεηλμπστθΔκρ±×·−–≤≥≈∞→…²".chars() {
            assert_ne!(glyph(c), GlyphId(0), "{c}");
        }
    }
}
