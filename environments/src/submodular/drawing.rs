//! The map, what has been covered of it, and the path.

use super::{Moves, SetFunction, Shape, VisitedSet};
use crate::picture::{Colour, Picture, Point, Style};

/// Colours of groups of items.
const GROUPS: [Colour; 6] =
    [Colour::ORANGE, Colour::PURPLE, Colour::VERMILION, Colour::YELLOW, Colour::BLUE, Colour::DARK_GREY];

/// Places shaded by value, what is done in green, and the path with the agent at its end. Unit squares
/// on a grid; else circles and lines.
pub(super) fn draw<F: SetFunction>(
    moves: &Moves,
    function: &F,
    visited: &VisitedSet,
    path: &[usize],
) -> Picture {
    match moves.shape() {
        Shape::Grid { rows, columns, walls } => {
            let centre = |cell: usize| [(cell % columns) as f64 + 0.5, (rows - cell / columns) as f64 - 0.5];
            let (width, height) = (*columns as f64, *rows as f64);
            let margin = 0.1;
            let mut picture = Picture::new([-margin, -margin], [width + margin, height + margin]);
            for (cell, wall) in walls.iter().enumerate() {
                let [x, y] = centre(cell);
                let (low, high) = ([x - 0.5, y - 0.5], [x + 0.5, y + 0.5]);
                let (fill, item) = if *wall {
                    (Colour::DARK_GREY, None)
                } else {
                    let look = visited.look(function, cell);
                    (ground(look.value, look.done), look.group)
                };
                picture.rectangle(low, high, Style::fill(fill).outlined(Colour::LIGHT_GREY, 0.02));
                if let Some(group) = item {
                    picture.circle([x, y], 0.2, Style::fill(GROUPS[group % GROUPS.len()]));
                }
            }
            follow(&mut picture, path, 1.0, centre);
            picture
        }
        Shape::Points(points) => {
            let (low, high) = bounds(points);
            let unit = 0.04 * (high[0] - low[0]).max(high[1] - low[1]).max(f64::MIN_POSITIVE);
            let margin = 1.5 * unit;
            let mut picture =
                Picture::new([low[0] - margin, low[1] - margin], [high[0] + margin, high[1] + margin]);
            // Where every place leads everywhere, lines would say nothing.
            if moves.actions() < moves.places() {
                for place in 0..moves.places() {
                    for next in moves.successors(place).into_iter().filter(|&next| next > place) {
                        let style = Style::line(Colour::GREY, 0.1 * unit);
                        picture.line([points[place], points[next]], style);
                    }
                }
            }
            for (place, &point) in points.iter().enumerate() {
                let look = visited.look(function, place);
                let style = Style::fill(ground(look.value, look.done)).outlined(Colour::GREY, 0.06 * unit);
                picture.circle(point, 0.4 * unit, style);
            }
            follow(&mut picture, path, unit, |place| points[place]);
            picture
        }
    }
}

/// White to sky blue by value; what is done is green on the same scale.
fn ground(value: f64, done: bool) -> Colour {
    let full = if done { Colour::GREEN } else { Colour::SKY };
    let least = if done { 0.35 } else { 0.0 };
    Colour::WHITE.towards(full, least + (0.8 - least) * value.clamp(0.0, 1.0))
}

fn follow(picture: &mut Picture, path: &[usize], unit: f64, centre: impl Fn(usize) -> Point) {
    let points: Vec<Point> = path.iter().map(|&place| centre(place)).collect();
    if points.len() > 1 {
        picture.line(points.clone(), Style::line(Colour::BLACK, 0.12 * unit));
    }
    if let (Some(&first), Some(&last)) = (points.first(), points.last()) {
        picture.circle(first, 0.18 * unit, Style::fill(Colour::WHITE).outlined(Colour::BLACK, 0.06 * unit));
        picture.circle(last, 0.3 * unit, Style::fill(Colour::BLUE).outlined(Colour::BLACK, 0.04 * unit));
    }
}

fn bounds(points: &[[f64; 2]]) -> (Point, Point) {
    let mut low = [f64::INFINITY; 2];
    let mut high = [f64::NEG_INFINITY; 2];
    for point in points {
        for i in 0..2 {
            low[i] = low[i].min(point[i]);
            high[i] = high[i].max(point[i]);
        }
    }
    (low, high)
}
