//! The Ant: four legs of two links each around a ball.

use crate::physics::{
    Axle, Contacts, Health, Impedance, Integration, Joint, Layout, Link, Locomotion, Maze, MazeTask, Motor,
    Nearness, Noise, Objectives, Part, Robot, Shape, Surface, Vector3,
};

/// Names of the legs' upper ends, which belong to the torso, and where they point (x, y).
const LEGS: [(&str, [f64; 2]); 4] = [
    ("front_left_leg", [1.0, 1.0]),
    ("front_right_leg", [-1.0, 1.0]),
    ("back_leg", [-1.0, -1.0]),
    ("right_back_leg", [1.0, -1.0]),
];

/// The Ant of Gymnasium's `Ant-v5` (`ant.xml`), after Schulman et al. (2016, arXiv 1506.02438).
///
/// The start is MuJoCo's: with straight legs, whose ankles are beyond their limits.
pub fn robot() -> Robot {
    let part = |shape| Part::new(shape, 5.0, Some(Surface::others(1.0)));
    let bone =
        |[x, y]: [f64; 2], length: f64| part(Shape::capsule([0.0; 3], [length * x, length * y, 0.0], 0.08));
    let hinge = |axis: Vector3, degrees: [f64; 2]| {
        let range = Some(degrees.map(f64::to_radians));
        Joint::Hinge(Axle { axis, range, armature: 1.0, damping: 1.0, ..Axle::default() })
    };
    let mut torso = vec![part(Shape::Sphere { centre: [0.0; 3], radius: 0.25 }).named("torso")];
    torso.extend(LEGS.map(|(name, direction)| bone(direction, 0.2).named(name)));
    let mut links = vec![Link::new("trunk", None, [0.0; 3], Joint::Free, torso)];
    for (i, (_, [x, y])) in LEGS.into_iter().enumerate() {
        let offset = [0.2 * x, 0.2 * y, 0.0];
        let hip = hinge([0.0, 0.0, 1.0], [-30.0, 30.0]);
        // Legs 1 and 3 bend about the same axis, and so do 2 and 4; which way is down differs.
        let (axis, range) = match i {
            0 => ([-1.0, 1.0, 0.0], [30.0, 70.0]),
            1 => ([1.0, 1.0, 0.0], [-70.0, -30.0]),
            2 => ([-1.0, 1.0, 0.0], [-70.0, -30.0]),
            _ => ([1.0, 1.0, 0.0], [30.0, 70.0]),
        };
        links.push(Link::new(&format!("aux_{}", i + 1), Some(0), offset, hip, [bone([x, y], 0.2)]));
        let ankle = hinge(axis, range);
        links.push(Link::new(
            &format!("ankle_{}", i + 1),
            Some(2 * i + 1),
            offset,
            ankle,
            [bone([x, y], 0.4)],
        ));
    }
    let mut start = vec![0.0; 15];
    start[2] = 0.75;
    start[3] = 1.0;
    Robot {
        name: "RapierAnt".into(),
        links,
        motors: [7, 8, 1, 2, 3, 4, 5, 6].map(|link| Motor { link, axis: 0, gear: 150.0, limit: 1.0 }).into(),
        floor: Some(Surface::everything(1.0)),
        blocks: Vec::new(),
        gravity: 9.81,
        fluid: None,
        limits: Impedance::default(),
        integration: Integration::Leapfrog,
        time_step: 0.01,
        steps: 5,
        ranges: vec![
            ("torso_mass".into(), [0.1, 3.0]),
            ("front_left_leg_mass".into(), [0.01, 3.0]),
            ("front_right_leg_mass".into(), [0.01, 3.0]),
        ],
        speed_limit: None,
        start,
    }
}

/// The Ant in a maze, as in Gymnasium-Robotics' `AntMaze`.
pub fn robot_in_maze(layout: Layout) -> Robot {
    let blocks = maze(layout).blocks(Surface::everything(1.0));
    Robot { name: "RapierAntMaze".into(), blocks, ..robot() }
}

/// The Ant's maze, with cells of 4 m.
pub fn maze(layout: Layout) -> Maze {
    Maze::new(layout, 4.0, 2.0)
}

/// What the Ant in a maze is rewarded for: reaching a goal.
pub fn maze_task(layout: Layout, nearness: Nearness) -> MazeTask {
    MazeTask { maze: maze(layout), nearness, continuing: true, new_goals: false, goal: [0.0; 2] }
}

/// What the Ant is rewarded for: walking forwards, with soft steps, without turning over.
pub fn task() -> Locomotion {
    // The torso, then each leg from its upper end down.
    let mut parts = vec![[0, 0]];
    parts.extend((0..4).flat_map(|leg| [[0, leg + 1], [2 * leg + 1, 0], [2 * leg + 2, 0]]));
    Locomotion {
        control_cost: 0.5,
        contacts: Some(Contacts { cost: 5e-4, clip: 1.0, parts }),
        health: Some(Health {
            reward: 1.0,
            height: [0.2, 1.0],
            pitch: [f64::NEG_INFINITY, f64::INFINITY],
            state: f64::INFINITY,
        }),
        objectives: Objectives::Sideways,
        position_noise: 0.1,
        velocity_noise: Noise::Normal(0.1),
        ..Locomotion::default()
    }
}
