//! The Hopper: one leg with a foot under a torso.

use crate::physics::{
    Axle, Health, Joint, Link, Locomotion, Motor, Noise, Objectives, Part, Robot, Shape, Surface, Vector3,
};

/// The Hopper of Gymnasium's `Hopper-v5` (`hopper.xml`), after Erez, Tassa & Todorov (2012).
pub fn robot() -> Robot {
    let upright = |low, high, radius| {
        let shape = Shape::capsule([0.0, 0.0, low], [0.0, 0.0, high], radius);
        Part::new(shape, 1000.0, Some(Surface::everything(0.9)))
    };
    let foot = Shape::capsule([-0.26, 0.0, 0.1], [0.13, 0.0, 0.1], 0.06);
    let hinge = |anchor: Vector3, degrees: [f64; 2]| {
        Joint::Hinge(Axle {
            anchor,
            axis: [0.0, -1.0, 0.0],
            range: Some(degrees.map(f64::to_radians)),
            armature: 1.0,
            damping: 1.0,
            stiffness: 0.0,
        })
    };
    Robot {
        name: "RapierHopper".into(),
        links: vec![
            Link::new("torso", None, [0.0; 3], Joint::Upright, [upright(-0.2, 0.2, 0.05)]),
            Link::new(
                "thigh",
                Some(0),
                [0.0, 0.0, -0.2],
                hinge([0.0; 3], [-150.0, 0.0]),
                [upright(-0.45, 0.0, 0.05)],
            ),
            Link::new(
                "leg",
                Some(1),
                [0.0, 0.0, -0.7],
                hinge([0.0, 0.0, 0.25], [-150.0, 0.0]),
                [upright(-0.25, 0.25, 0.04)],
            ),
            Link::new(
                "foot",
                Some(2),
                [0.13, 0.0, -0.35],
                hinge([-0.13, 0.0, 0.1], [-45.0, 45.0]),
                [Part::new(foot, 1000.0, Some(Surface::everything(2.0)))],
            ),
        ],
        motors: [1, 2, 3].map(|link| Motor { link, axis: 0, gear: 200.0, limit: 1.0 }).into(),
        floor: Some(Surface::everything(1.0)),
        blocks: Vec::new(),
        gravity: 9.81,
        fluid: None,
        time_step: 0.004,
        steps: 2,
        ranges: vec![
            ("friction".into(), [0.1, 3.0]),
            ("torso_mass".into(), [0.1, 3.0]),
            ("thigh_mass".into(), [0.1, 4.0]),
        ],
        speed_limit: None,
        start: vec![0.0, 1.25, 0.0, 0.0, 0.0, 0.0],
    }
}

/// What the Hopper is rewarded for: hopping forwards without falling.
pub fn task() -> Locomotion {
    Locomotion {
        control_cost: 1e-3,
        health: Some(Health { reward: 1.0, height: [0.7, f64::INFINITY], pitch: [-0.2, 0.2], state: 100.0 }),
        objectives: Objectives::Height,
        velocity_clip: 10.0,
        position_noise: 5e-3,
        velocity_noise: Noise::Uniform(5e-3),
        ..Locomotion::default()
    }
}
