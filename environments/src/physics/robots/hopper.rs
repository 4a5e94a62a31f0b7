//! The Hopper: one leg with a foot under a torso.

use crate::physics::{
    Axle, Health, Joint, Link, Locomotion, Motor, Noise, Part, Robot, Shape, Surface, Vector3,
};

/// The Hopper of Gymnasium's `Hopper-v5` (`hopper.xml`; Erez, Tassa & Todorov 2012).
pub fn robot() -> Robot {
    let surface = |friction| Some(Surface { friction, touches: 1, touched_by: 1 });
    let upright = |from, to, radius, friction| Part {
        shape: Shape::Capsule { from: [0.0, 0.0, from], to: [0.0, 0.0, to], radius },
        density: 1000.0,
        surface: surface(friction),
    };
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
            Link {
                name: "torso".into(),
                parent: None,
                offset: [0.0; 3],
                joint: Joint::Upright,
                parts: vec![upright(-0.2, 0.2, 0.05, 0.9)],
            },
            Link {
                name: "thigh".into(),
                parent: Some(0),
                offset: [0.0, 0.0, -0.2],
                joint: hinge([0.0; 3], [-150.0, 0.0]),
                parts: vec![upright(-0.45, 0.0, 0.05, 0.9)],
            },
            Link {
                name: "leg".into(),
                parent: Some(1),
                offset: [0.0, 0.0, -0.7],
                joint: hinge([0.0, 0.0, 0.25], [-150.0, 0.0]),
                parts: vec![upright(-0.25, 0.25, 0.04, 0.9)],
            },
            Link {
                name: "foot".into(),
                parent: Some(2),
                offset: [0.13, 0.0, -0.35],
                joint: hinge([-0.13, 0.0, 0.1], [-45.0, 45.0]),
                parts: vec![Part {
                    shape: Shape::Capsule { from: [-0.26, 0.0, 0.1], to: [0.13, 0.0, 0.1], radius: 0.06 },
                    density: 1000.0,
                    surface: surface(2.0),
                }],
            },
        ],
        motors: [1, 2, 3].map(|link| Motor { link, axis: 0, gear: 200.0, limit: 1.0 }).into(),
        floor: surface(1.0),
        gravity: 9.81,
        fluid: None,
        time_step: 0.004,
        steps: 2,
        start: vec![0.0, 1.25, 0.0, 0.0, 0.0, 0.0],
    }
}

/// What the Hopper is rewarded for: hopping forwards without falling.
pub fn task() -> Locomotion {
    Locomotion {
        control_cost: 1e-3,
        health: Some(Health { reward: 1.0, height: [0.7, f64::INFINITY], pitch: [-0.2, 0.2], state: 100.0 }),
        velocity_clip: 10.0,
        position_noise: 5e-3,
        velocity_noise: Noise::Uniform(5e-3),
        ..Locomotion::default()
    }
}
