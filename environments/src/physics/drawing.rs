//! Pictures of robots: an orthographic drawing that follows the robot along.
//!
//! Robots are made of capsules and balls, whose outlines under an orthographic projection are again
//! capsules and circles, so the drawing is exact.

use super::{
    World,
    robot::{Block, Joint, Robot, Shape, Vector3},
};
use crate::picture::{Colour, Picture, Point, Style};

/// Width of what is shown at most, in m, and its height as a share of the width.
const WIDEST: f64 = 4.0;
const HEIGHT: f64 = 0.6;

/// Where one looks from: the directions that point right, up and towards the eye.
struct View {
    right: Vector3,
    up: Vector3,
    near: Vector3,
}

impl View {
    /// Along the y axis.
    const SIDE: View = View { right: [1.0, 0.0, 0.0], up: [0.0, 0.0, 1.0], near: [0.0, -1.0, 0.0] };
    /// Down the z axis.
    const TOP: View = View { right: [1.0, 0.0, 0.0], up: [0.0, 1.0, 0.0], near: [0.0, 0.0, 1.0] };

    /// From the side and 30 degrees above.
    fn raised() -> View {
        let (sin, cos) = 30_f64.to_radians().sin_cos();
        View { right: [1.0, 0.0, 0.0], up: [0.0, sin, cos], near: [0.0, -cos, sin] }
    }

    fn of(robot: &Robot) -> View {
        if !robot.blocks.is_empty() {
            return View::TOP;
        }
        match robot.links[0].joint {
            Joint::Free => View::raised(),
            Joint::Flat { .. } | Joint::Gliding { .. } => View::TOP,
            _ => View::SIDE,
        }
    }

    fn project(&self, point: Vector3) -> Point {
        [dot(self.right, point), dot(self.up, point)]
    }
}

/// The robot as it stands, with the floor.
pub(super) fn draw(robot: &Robot, world: &World) -> Picture {
    let view = View::of(robot);
    let mut picture = frame(robot, &view, world.point(0, [0.0; 3]));
    // What is farther away is drawn first; links at the same depth in their order.
    let mut parts: Vec<(f64, usize, Shape)> = Vec::new();
    for (i, link) in robot.links.iter().enumerate() {
        for part in &link.parts {
            let shape = placed(world, i, part.shape);
            parts.push((dot(view.near, middle(shape)), i, shape));
        }
    }
    parts.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    for (_, link, shape) in parts {
        part(&mut picture, &view, shape, COLOURS[link % COLOURS.len()]);
    }
    for (i, link) in robot.links.iter().enumerate() {
        if let Joint::Hinge(axle) = &link.joint {
            let at = view.project(world.point(i, axle.anchor));
            picture.circle(at, 0.004 * picture.width(), Style::fill(Colour::DARK_GREY));
        }
    }
    picture
}

/// Colours of the links, in turn.
const COLOURS: [Colour; 4] = [Colour::BLUE, Colour::VERMILION, Colour::ORANGE, Colour::GREEN];

/// An empty picture around `centre` with the floor and a mark on it at every metre.
fn frame(robot: &Robot, view: &View, centre: Vector3) -> Picture {
    if !robot.blocks.is_empty() {
        return walls(&robot.blocks);
    }
    let [x, y] = view.project(centre);
    let width = (3.0 * reach(robot)).min(WIDEST);
    let height = HEIGHT * width;
    let bottom = if robot.floor.is_some() && view.up[1] == 0.0 { -0.3 } else { y - height / 2.0 };
    let mut picture = Picture::new([x - width / 2.0, bottom], [x + width / 2.0, bottom + height]);
    let grey = Style::line(Colour::GREY, 0.0025 * width);
    if robot.floor.is_some() && view.up[1] == 0.0 {
        picture.rectangle([picture.low[0], bottom], [picture.high[0], 0.0], Style::fill(Colour::LIGHT_GREY));
        picture.line([[picture.low[0], 0.0], [picture.high[0], 0.0]], grey);
    }
    for metre in (x - width) as i64..=(x + width) as i64 {
        let metre = metre as f64;
        if view.up[1] == 0.0 {
            picture.line([[metre, 0.0], [metre, -0.05]], grey);
        } else {
            picture.line([[metre, picture.low[1]], [metre, picture.high[1]]], grey);
        }
    }
    if view.up[1] != 0.0 {
        let spacing = view.up[1];
        let mut row = (picture.low[1] / spacing).ceil() * spacing;
        while row < picture.high[1] {
            picture.line([[picture.low[0], row], [picture.high[0], row]], grey);
            row += spacing;
        }
    }
    picture
}

/// How far any point can be from the origin of the first link, in m.
fn reach(robot: &Robot) -> f64 {
    let length = |v: Vector3| dot(v, v).sqrt();
    let mut origins: Vec<f64> = Vec::with_capacity(robot.links.len());
    let mut farthest = 0.0_f64;
    for link in &robot.links {
        let origin = link.parent.map_or(0.0, |parent| origins[parent] + length(link.offset));
        origins.push(origin);
        for part in &link.parts {
            let extent = match part.shape {
                Shape::Capsule { from, to, radius } => length(from).max(length(to)) + radius,
                Shape::Sphere { centre, radius } => length(centre) + radius,
            };
            farthest = farthest.max(origin + extent);
        }
    }
    farthest
}

/// Blocks from above, all of them.
pub(super) fn walls(blocks: &[Block]) -> Picture {
    let (mut low, mut high) = ([f64::INFINITY; 2], [f64::NEG_INFINITY; 2]);
    for block in blocks {
        for i in 0..2 {
            low[i] = low[i].min(block.centre[i] - block.half[i]);
            high[i] = high[i].max(block.centre[i] + block.half[i]);
        }
    }
    let mut picture = Picture::new(low, high);
    for Block { centre: [x, y, _], half: [width, depth, _], .. } in blocks {
        picture.rectangle([x - width, y - depth], [x + width, y + depth], Style::fill(Colour::DARK_GREY));
    }
    picture
}

fn part(picture: &mut Picture, view: &View, shape: Shape, colour: Colour) {
    let fill = Style::fill(colour);
    match shape {
        Shape::Capsule { from, to, radius } => {
            let (from, to) = (view.project(from), view.project(to));
            picture.rod(from, to, 2.0 * radius, fill);
            picture.circle(from, radius, fill);
            picture.circle(to, radius, fill);
        }
        Shape::Sphere { centre, radius } => picture.circle(view.project(centre), radius, fill),
    }
}

fn placed(world: &World, link: usize, shape: Shape) -> Shape {
    match shape {
        Shape::Capsule { from, to, radius } => {
            Shape::Capsule { from: world.point(link, from), to: world.point(link, to), radius }
        }
        Shape::Sphere { centre, radius } => Shape::Sphere { centre: world.point(link, centre), radius },
    }
}

fn middle(shape: Shape) -> Vector3 {
    match shape {
        Shape::Capsule { from, to, .. } => [0, 1, 2].map(|i| (from[i] + to[i]) / 2.0),
        Shape::Sphere { centre, .. } => centre,
    }
}

fn dot(a: Vector3, b: Vector3) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
