//! The Walker: two legs with feet under a torso.

use crate::physics::{
    Axle, Health, Impedance, Integration, Joint, Link, Locomotion, Motor, Noise, Part, Robot, Shape, Surface,
    Vector3,
};

/// The Walker of Gymnasium's `Walker2d-v5` (`walker2d_v5.xml`), after Erez, Tassa & Todorov (2012).
pub fn robot() -> Robot {
    let upright = |low, high, radius| {
        let shape = Shape::capsule([0.0, 0.0, low], [0.0, 0.0, high], radius);
        Part::new(shape, 1000.0, Some(Surface::others(0.9)))
    };
    let foot = Shape::capsule([-0.2, 0.0, 0.1], [0.0, 0.0, 0.1], 0.06);
    let hinge = |anchor: Vector3, degrees: [f64; 2]| {
        Joint::Hinge(Axle {
            anchor,
            axis: [0.0, -1.0, 0.0],
            range: Some(degrees.map(f64::to_radians)),
            armature: 0.01,
            damping: 0.1,
            stiffness: 0.0,
        })
    };
    let mut links = vec![Link::new("torso", None, [0.0; 3], Joint::Upright, [upright(-0.2, 0.2, 0.05)])];
    for (first, side) in [(1, ""), (4, "_left")] {
        links.extend([
            Link::new(
                &format!("thigh{side}"),
                Some(0),
                [0.0, 0.0, -0.2],
                hinge([0.0; 3], [-150.0, 0.0]),
                [upright(-0.45, 0.0, 0.05)],
            ),
            Link::new(
                &format!("leg{side}"),
                Some(first),
                [0.0, 0.0, -0.7],
                hinge([0.0, 0.0, 0.25], [-150.0, 0.0]),
                [upright(-0.25, 0.25, 0.04)],
            ),
            Link::new(
                &format!("foot{side}"),
                Some(first + 1),
                [0.2, 0.0, -0.35],
                hinge([-0.2, 0.0, 0.1], [-45.0, 45.0]),
                [Part::new(foot, 1000.0, Some(Surface::others(1.9)))],
            ),
        ]);
    }
    Robot {
        name: "RapierWalker2d".into(),
        links,
        motors: [1, 2, 3, 4, 5, 6].map(|link| Motor { link, axis: 0, gear: 100.0, limit: 1.0 }).into(),
        floor: Some(Surface::everything(0.7)),
        blocks: Vec::new(),
        gravity: 9.81,
        fluid: None,
        limits: Impedance::default(),
        integration: Integration::Leapfrog,
        time_step: 0.004,
        steps: 2,
        ranges: vec![
            ("friction".into(), [0.1, 4.0]),
            ("torso_mass".into(), [0.1, 5.0]),
            ("thigh_mass".into(), [0.1, 6.0]),
        ],
        speed_limit: None,
        start: vec![0.0, 1.25, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    }
}

/// What the Walker is rewarded for: walking forwards without falling.
pub fn task() -> Locomotion {
    Locomotion {
        control_cost: 1e-3,
        health: Some(Health { reward: 1.0, height: [0.8, 2.0], pitch: [-1.0, 1.0], state: f64::INFINITY }),
        velocity_clip: 10.0,
        position_noise: 5e-3,
        velocity_noise: Noise::Uniform(5e-3),
        ..Locomotion::default()
    }
}
