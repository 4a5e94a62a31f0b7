//! A ball that is pushed about in a maze.

use crate::physics::{
    Impedance, Integration, Joint, Layout, Link, Maze, MazeTask, Motor, Nearness, Part, Robot, Shape, Surface,
};

/// The point of Gymnasium-Robotics' `PointMaze` (`point.xml`) in a maze: a ball of 0.1 m that slides
/// without friction and is pushed along x and y.
pub fn robot(layout: Layout) -> Robot {
    let ball = Shape::Sphere { centre: [0.0; 3], radius: 0.1 };
    let surface = Surface::everything(0.0);
    Robot {
        name: "RapierPointMaze".into(),
        links: vec![Link::new(
            "particle",
            None,
            [0.0; 3],
            Joint::Gliding { damping: 1.0 },
            [Part::new(ball, 1000.0, Some(surface))],
        )],
        motors: [0, 1].map(|axis| Motor { link: 0, axis, gear: 100.0, limit: 1.0 }).into(),
        floor: None,
        blocks: maze(layout).blocks(surface),
        gravity: 0.0,
        fluid: None,
        limits: Impedance::default(),
        integration: Integration::Euler,
        time_step: 0.01,
        steps: 1,
        ranges: Vec::new(),
        speed_limit: Some(5.0),
        start: vec![0.0; 2],
    }
}

/// The point's maze, with cells of 1 m.
pub fn maze(layout: Layout) -> Maze {
    Maze::new(layout, 1.0, 0.4)
}

/// What the point is rewarded for: reaching a goal.
pub fn task(layout: Layout, nearness: Nearness) -> MazeTask {
    MazeTask { maze: maze(layout), nearness, continuing: true, new_goals: false, goal: [0.0; 2] }
}
