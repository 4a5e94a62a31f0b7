//! A cart with a pole on top.

use crate::physics::{Axle, Balance, Impedance, Integration, Joint, Link, Motor, Part, Robot, Shape};

/// The InvertedPendulum of Gymnasium's `InvertedPendulum-v5` (`inverted_pendulum.xml`).
pub fn robot() -> Robot {
    let part = |from, to, radius| Part::new(Shape::capsule(from, to, radius), 1000.0, None);
    let slide = Axle { axis: [1.0, 0.0, 0.0], range: Some([-1.0, 1.0]), damping: 1.0, ..Axle::default() };
    let range = Some([-90.0, 90.0].map(f64::to_radians));
    let hinge = Axle { range, damping: 1.0, ..Axle::default() };
    let cart = part([-0.1, 0.0, 0.0], [0.1, 0.0, 0.0], 0.1);
    let pole = part([0.0; 3], [0.001, 0.0, 0.6], 0.049);
    Robot {
        name: "RapierInvertedPendulum".into(),
        links: vec![
            Link::new("cart", None, [0.0; 3], Joint::Slide(slide), [cart]),
            Link::new("pole", Some(0), [0.0; 3], Joint::Hinge(hinge), [pole]),
        ],
        motors: vec![Motor { link: 0, axis: 0, gear: 100.0, limit: 3.0 }],
        floor: None,
        blocks: Vec::new(),
        gravity: 9.81,
        fluid: None,
        limits: Impedance::default(),
        integration: Integration::Leapfrog,
        time_step: 0.01,
        steps: 4,
        ranges: vec![("pole_mass".into(), [1.0, 31.0]), ("cart_mass".into(), [1.0, 11.0])],
        speed_limit: None,
        start: vec![0.0; 2],
    }
}

/// What the InvertedPendulum is rewarded for: keeping the pole up.
pub fn task() -> Balance {
    Balance
}
