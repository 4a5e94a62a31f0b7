//! The Swimmer: three links in a viscous fluid, without gravity to speak of.

use crate::physics::{
    Axle, Fluid, Impedance, Integration, Joint, Link, Locomotion, Motor, Noise, Part, Robot, Shape, Surface,
    Vector3,
};

/// The Swimmer of Gymnasium's `Swimmer-v5` (`swimmer.xml`), after Coulom (2002).
pub fn robot() -> Robot {
    let part = |from, to| {
        let shape = Shape::capsule([from, 0.0, 0.0], [to, 0.0, 0.0], 0.1);
        Part::new(shape, 1000.0, Some(Surface::everything(1.0)))
    };
    let link = |name, parent, offset: Vector3| {
        let range = Some([-100.0, 100.0].map(f64::to_radians));
        let axle = Axle { axis: [0.0, 0.0, 1.0], range, armature: 0.1, ..Axle::default() };
        Link::new(name, Some(parent), offset, Joint::Hinge(axle), [part(-1.0, 0.0)])
    };
    Robot {
        name: "RapierSwimmer".into(),
        links: vec![
            Link::new("torso", None, [0.0; 3], Joint::Flat { armature: 0.1 }, [part(0.5, 1.5)]),
            link("mid", 0, [0.5, 0.0, 0.0]),
            link("back", 1, [-1.0, 0.0, 0.0]),
        ],
        motors: [1, 2].map(|link| Motor { link, axis: 0, gear: 150.0, limit: 1.0 }).into(),
        floor: None,
        blocks: Vec::new(),
        gravity: 9.81,
        fluid: Some(Fluid { density: 4000.0, viscosity: 0.1 }),
        limits: Impedance::default(),
        integration: Integration::Leapfrog,
        time_step: 0.005,
        steps: 8,
        ranges: Vec::new(),
        speed_limit: None,
        start: vec![0.0; 5],
    }
}

/// What the Swimmer is rewarded for: swimming forwards.
pub fn task() -> Locomotion {
    Locomotion {
        control_cost: 1e-4,
        position_noise: 0.1,
        velocity_noise: Noise::Uniform(0.1),
        ..Locomotion::default()
    }
}
