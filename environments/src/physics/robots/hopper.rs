//! The Hopper: one leg with a foot under a torso.

use crate::physics::{
    Axle, Health, Impedance, Integration, Joint, Link, Locomotion, Motor, Noise, Objectives, Part, Robot,
    Shape, Surface, Vector3,
};

/// What there is to touch: the upright parts, the foot as the floor meets it, and as they meet it.
const BODY: u32 = 1;
const SOLE: u32 = 2;
const FOOT: u32 = 4;

/// The Hopper of Gymnasium's `Hopper-v5` (`hopper.xml`), after Erez, Tassa & Todorov (2012).
pub fn robot() -> Robot {
    // The larger friction of a pair counts: the floor's with all but the foot. Among themselves the
    // robot's parts have none, so the foot has one surface for the floor and one for the other parts.
    let upright = |low, high, radius| {
        let shape = Shape::capsule([0.0, 0.0, low], [0.0, 0.0, high], radius);
        Part::new(shape, 1000.0, Some(Surface { friction: 0.0, touches: BODY, touched_by: BODY | FOOT }))
    };
    let sole = Surface { friction: 2.0, touches: SOLE, touched_by: 0 };
    let instep = Surface { friction: 0.0, touches: FOOT, touched_by: 0 };
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
                [Part::new(foot, 1000.0, Some(sole)), Part::new(foot, 0.0, Some(instep))],
            ),
        ],
        motors: [1, 2, 3].map(|link| Motor { link, axis: 0, gear: 200.0, limit: 1.0 }).into(),
        floor: Some(Surface { friction: 1.0, touches: 0, touched_by: BODY | SOLE }),
        blocks: Vec::new(),
        gravity: 9.81,
        fluid: None,
        limits: Impedance::default(),
        integration: Integration::Leapfrog,
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
