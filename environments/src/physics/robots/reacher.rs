//! A flat arm of two links.

use crate::physics::{Axle, Impedance, Integration, Joint, Link, Motor, Part, Reach, Robot, Shape};

/// The Reacher of Gymnasium's `Reacher-v5` (`reacher.xml`). Its target is part of the task, as it
/// does not move or touch anything.
pub fn robot() -> Robot {
    let axle = |range| Axle { axis: [0.0, 0.0, 1.0], range, armature: 1.0, damping: 1.0, ..Axle::default() };
    let arm = || Part::new(Shape::capsule([0.0; 3], [0.1, 0.0, 0.0], 0.01), 1000.0, None);
    let fingertip = Part::new(Shape::Sphere { centre: [0.11, 0.0, 0.0], radius: 0.01 }, 1000.0, None);
    Robot {
        name: "RapierReacher".into(),
        links: vec![
            Link::new("body0", None, [0.0, 0.0, 0.01], Joint::Hinge(axle(None)), [arm()]),
            Link::new(
                "body1",
                Some(0),
                [0.1, 0.0, 0.0],
                Joint::Hinge(axle(Some([-3.0, 3.0]))),
                [arm(), fingertip.named("fingertip")],
            ),
        ],
        motors: [0, 1].map(|link| Motor { link, axis: 0, gear: 200.0, limit: 1.0 }).into(),
        floor: None,
        blocks: Vec::new(),
        gravity: 9.81,
        fluid: None,
        limits: Impedance::default(),
        integration: Integration::Leapfrog,
        time_step: 0.01,
        steps: 2,
        ranges: Vec::new(),
        speed_limit: None,
        start: vec![0.0; 2],
    }
}

/// What the Reacher is rewarded for: touching the target.
pub fn task() -> Reach {
    Reach { tip: [0.11, 0.0, 0.0], target: [0.1, -0.1] }
}
