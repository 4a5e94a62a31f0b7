//! A cart with a pole on a pole on top.

use crate::physics::{Axle, DoubleBalance, Impedance, Integration, Joint, Link, Motor, Part, Robot, Shape};

/// The InvertedDoublePendulum of Gymnasium's `InvertedDoublePendulum-v5`
/// (`inverted_double_pendulum.xml`).
pub fn robot() -> Robot {
    let part = |from, to, radius| Part::new(Shape::capsule(from, to, radius), 1000.0, None);
    // The published range is 1 m to either side, less the published margin.
    let slide = Axle { axis: [1.0, 0.0, 0.0], range: Some([-0.99, 0.99]), damping: 0.05, ..Axle::default() };
    let hinge = || Joint::Hinge(Axle { damping: 0.05, ..Axle::default() });
    let cart = part([-0.1, 0.0, 0.0], [0.1, 0.0, 0.0], 0.1);
    let pole = || part([0.0; 3], [0.0, 0.0, 0.6], 0.045);
    Robot {
        name: "RapierInvertedDoublePendulum".into(),
        links: vec![
            Link::new("cart", None, [0.0; 3], Joint::Slide(slide), [cart]),
            Link::new("pole", Some(0), [0.0; 3], hinge(), [pole()]),
            Link::new("pole2", Some(1), [0.0, 0.0, 0.6], hinge(), [pole()]),
        ],
        motors: vec![Motor { link: 0, axis: 0, gear: 500.0, limit: 1.0 }],
        floor: None,
        blocks: Vec::new(),
        gravity: 9.81,
        fluid: None,
        limits: Impedance::default(),
        integration: Integration::Leapfrog,
        time_step: 0.005,
        steps: 10,
        ranges: Vec::new(),
        speed_limit: None,
        start: vec![0.0; 3],
    }
}

/// What the InvertedDoublePendulum is rewarded for: keeping both poles up.
pub fn task() -> DoubleBalance {
    DoubleBalance
}
