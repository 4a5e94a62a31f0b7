//! Robots that are heavier, slipperier, longer or weaker than published.
//!
//! Every robot has the same kinds of parameters, named after its links; only ranges differ. A
//! robot's file may say ranges of its own, which are those that papers on robust reinforcement
//! learning use where there are any (Zouitine et al. 2024, arXiv 2410.06212, appendix).

use serde::{Deserialize, Serialize};

use super::robot::{Joint, Link, Robot, Shape, Vector3};
use crate::physical_parameters::PhysicalParameter;

/// What a parameter changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Quantity {
    Gravity,
    /// The friction of everything, in proportion to that of the floor.
    Friction,
    /// The damping of all joints.
    Damping,
    /// The gear of all motors.
    Strength,
    /// The mass of the parts of a link that have this name.
    Mass(usize, Option<String>),
    /// The length of a link from its joint outwards.
    Length(usize),
}

/// The parameters of a robot and their values.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Alterations {
    quantities: Vec<Quantity>,
    pub(super) parameters: Vec<PhysicalParameter>,
}

impl Alterations {
    /// All parameters of `robot`, at their published values.
    pub(super) fn of(robot: &Robot) -> Self {
        let mut all = Alterations { quantities: Vec::new(), parameters: Vec::new() };
        if robot.gravity != 0.0 {
            all.add(robot, Quantity::Gravity, "gravity", "m/s²", robot.gravity, [0.5, 1.5]);
        }
        if let Some(floor) = robot.floor.filter(|floor| floor.friction != 0.0) {
            all.add(robot, Quantity::Friction, "friction", "", floor.friction, [0.1, 4.0]);
        }
        all.add(robot, Quantity::Damping, "damping", "", 1.0, [0.1, 10.0]);
        all.add(robot, Quantity::Strength, "motor_strength", "", 1.0, [0.5, 1.5]);
        for (i, link) in robot.links.iter().enumerate() {
            let mut names: Vec<&Option<String>> = link.parts.iter().map(|part| &part.name).collect();
            names.dedup();
            for name in names {
                let mass = link.parts.iter().filter(|part| part.name == *name).map(|part| part.mass()).sum();
                let shown = name.as_ref().unwrap_or(&link.name);
                let quantity = Quantity::Mass(i, name.clone());
                all.add(robot, quantity, &format!("{shown}_mass"), "kg", mass, [0.1, 3.0]);
            }
            let name = format!("{}_length", link.name);
            all.add(robot, Quantity::Length(i), &name, "", 1.0, [0.5, 1.5]);
        }
        all
    }

    /// Adds a parameter. Its range is the robot's own or the given multiples of the published value.
    fn add(
        &mut self,
        robot: &Robot,
        quantity: Quantity,
        name: &str,
        unit: &str,
        nominal: f64,
        multiples: [f64; 2],
    ) {
        let own = robot.ranges.iter().find(|(own, _)| own == name).map(|(_, range)| *range);
        let range = own.unwrap_or(multiples.map(|multiple| multiple * nominal));
        let (name, unit) = (name.into(), unit.into());
        self.quantities.push(quantity);
        self.parameters.push(PhysicalParameter { name, unit, nominal, range, value: nominal });
    }

    /// Whether any value differs from the published one.
    pub(super) fn any(&self) -> bool {
        self.parameters.iter().any(|parameter| parameter.value != parameter.nominal)
    }

    /// The robot `nominal` with the current values.
    pub(super) fn apply(&self, nominal: &Robot) -> Robot {
        let mut robot = nominal.clone();
        for (quantity, parameter) in self.quantities.iter().zip(&self.parameters) {
            if parameter.value != parameter.nominal {
                alter(&mut robot, quantity, parameter.value / parameter.nominal);
            }
        }
        robot
    }
}

fn alter(robot: &mut Robot, quantity: &Quantity, factor: f64) {
    match quantity {
        Quantity::Gravity => robot.gravity *= factor,
        Quantity::Friction => {
            let of_parts = robot.links.iter_mut().flat_map(|link| &mut link.parts);
            let surfaces = of_parts.filter_map(|part| part.surface.as_mut()).chain(&mut robot.floor);
            surfaces.for_each(|surface| surface.friction *= factor);
        }
        Quantity::Damping => {
            for link in &mut robot.links {
                match &mut link.joint {
                    Joint::Hinge(axle) | Joint::Slide(axle) => axle.damping *= factor,
                    Joint::Gliding { damping } => *damping *= factor,
                    Joint::Upright | Joint::Flat { .. } | Joint::Free => {}
                }
            }
        }
        Quantity::Strength => robot.motors.iter_mut().for_each(|motor| motor.gear *= factor),
        Quantity::Mass(link, name) => {
            let parts = robot.links[*link].parts.iter_mut();
            parts.filter(|part| part.name == *name).for_each(|part| part.density *= factor);
        }
        Quantity::Length(link) => lengthen(robot, *link, factor),
    }
}

/// Stretches a link away from its joint: everything in its frame, the places where its children hang
/// included. Thickness and density stay.
fn lengthen(robot: &mut Robot, stretched: usize, factor: f64) {
    let low = lowest(robot);
    let fixed = anchor(&robot.links[stretched]);
    let stretch = |point: Vector3| [0, 1, 2].map(|i| fixed[i] + factor * (point[i] - fixed[i]));
    for part in &mut robot.links[stretched].parts {
        match &mut part.shape {
            Shape::Capsule { from, to, .. } => (*from, *to) = (stretch(*from), stretch(*to)),
            Shape::Sphere { centre, .. } => *centre = stretch(*centre),
        }
    }
    for child in robot.links.iter_mut().filter(|link| link.parent == Some(stretched)) {
        let hangs = anchor(child);
        let at = stretch([0, 1, 2].map(|i| child.offset[i] + hangs[i]));
        child.offset = [0, 1, 2].map(|i| at[i] - hangs[i]);
    }
    // Who stands on the floor starts as high above it as before.
    if robot.floor.is_some() {
        let raised = low - lowest(robot);
        robot.links[0].offset[2] += raised;
    }
}

/// Where a link's joint is in the link's frame.
fn anchor(link: &Link) -> Vector3 {
    match &link.joint {
        Joint::Hinge(axle) | Joint::Slide(axle) => axle.anchor,
        _ => [0.0; 3],
    }
}

/// Height of the robot's lowest point when all joints are at zero.
fn lowest(robot: &Robot) -> f64 {
    let mut heights: Vec<f64> = Vec::with_capacity(robot.links.len());
    let mut lowest = f64::INFINITY;
    for link in &robot.links {
        let height = link.offset[2] + link.parent.map_or(0.0, |parent| heights[parent]);
        heights.push(height);
        for part in &link.parts {
            let bottom = match part.shape {
                Shape::Capsule { from, to, radius } => from[2].min(to[2]) - radius,
                Shape::Sphere { centre, radius } => centre[2] - radius,
            };
            lowest = lowest.min(height + bottom);
        }
    }
    lowest
}
