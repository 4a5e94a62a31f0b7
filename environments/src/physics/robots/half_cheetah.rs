//! The HalfCheetah: a running animal with one fore leg and one hind leg.

use crate::physics::{
    Axle, Impedance, Integration, Joint, Link, Locomotion, Motor, Noise, Part, Robot, Shape, Surface, Vector3,
};

/// The HalfCheetah of Gymnasium's `HalfCheetah-v5` (`half_cheetah.xml`), after Wawrzyński (2009).
pub fn robot() -> Robot {
    let part = |shape| Part::new(shape, 1000.0, Some(Surface::others(0.4)));
    // A leg's piece: middle and pitch of its capsule and half its length.
    let bone = |x, z, pitch, half| part(Shape::pitched_capsule([x, 0.0, z], pitch, 0.046, half));
    let link = |name, parent, x: f64, z: f64, joint: [f64; 4], bone| {
        let [low, high, damping, stiffness] = joint;
        let offset: Vector3 = [x, 0.0, z];
        let range = Some([low, high]);
        let axle = Axle { range, armature: 0.1, damping, stiffness, ..Axle::default() };
        Link::new(name, Some(parent), offset, Joint::Hinge(axle), [bone])
    };
    let gears = [120.0, 90.0, 60.0, 120.0, 60.0, 30.0];
    Robot {
        name: "RapierHalfCheetah".into(),
        links: vec![
            Link::new(
                "torso",
                None,
                [0.0, 0.0, 0.7],
                Joint::Upright,
                [
                    part(Shape::capsule([-0.5, 0.0, 0.0], [0.5, 0.0, 0.0], 0.046)),
                    part(Shape::pitched_capsule([0.6, 0.0, 0.1], 0.87, 0.046, 0.15)),
                ],
            ),
            link("bthigh", 0, -0.5, 0.0, [-0.52, 1.05, 6.0, 240.0], bone(0.1, -0.13, -3.8, 0.145)),
            link("bshin", 1, 0.16, -0.25, [-0.785, 0.785, 4.5, 180.0], bone(-0.14, -0.07, -2.03, 0.15)),
            link("bfoot", 2, -0.28, -0.14, [-0.4, 0.785, 3.0, 120.0], bone(0.03, -0.097, -0.27, 0.094)),
            link("fthigh", 0, 0.5, 0.0, [-1.0, 0.7, 4.5, 180.0], bone(-0.07, -0.12, 0.52, 0.133)),
            link("fshin", 4, -0.14, -0.24, [-1.2, 0.87, 3.0, 120.0], bone(0.065, -0.09, -0.6, 0.106)),
            link("ffoot", 5, 0.13, -0.18, [-0.5, 0.5, 1.5, 60.0], bone(0.045, -0.07, -0.6, 0.07)),
        ],
        motors: (1..).zip(gears).map(|(link, gear)| Motor { link, axis: 0, gear, limit: 1.0 }).collect(),
        floor: Some(Surface::everything(0.4)),
        blocks: Vec::new(),
        gravity: 9.81,
        fluid: None,
        limits: Impedance { smallest: 0.0, largest: 0.8, width: 0.03 },
        integration: Integration::Euler,
        time_step: 0.01,
        steps: 5,
        ranges: vec![
            ("friction".into(), [0.1, 4.0]),
            ("torso_mass".into(), [0.1, 7.0]),
            ("bthigh_mass".into(), [0.1, 3.0]),
        ],
        speed_limit: None,
        start: vec![0.0; 9],
    }
    .with_mass(14.0)
}

/// What the HalfCheetah is rewarded for: running forwards.
pub fn task() -> Locomotion {
    Locomotion {
        control_cost: 0.1,
        position_noise: 0.1,
        velocity_noise: Noise::Normal(0.1),
        ..Locomotion::default()
    }
}
