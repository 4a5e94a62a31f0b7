//! Finding the way to a goal in a maze: walls, and the task.

use rand::Rng;
use serde::{Deserialize, Serialize};

use super::{
    World, drawing,
    environment::Task,
    robot::{Block, Robot, Surface},
};
use crate::{
    Outcome,
    picture::{Colour, Picture, Point, Style},
    random::Stream,
};

/// How near counts as having reached the goal, in m.
const REACHED: f64 = 0.45;

/// A maze of square cells, centred on the origin: D4RL's layouts (Fu et al. 2020, arXiv 2004.07219),
/// as Gymnasium-Robotics 1.4 has them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Maze {
    /// The rows, the first at the top (large y): `#` a wall, `.` free.
    pub rows: Vec<String>,
    /// Side of a cell in m.
    pub cell: f64,
    /// Height of the walls in m.
    pub height: f64,
}

/// The published layouts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// A rectangle without inner walls.
    Open,
    /// A corridor with one turn back.
    #[default]
    U,
    /// Eight by eight cells.
    Medium,
    /// Twelve by nine cells.
    Large,
}

impl Layout {
    /// The rows of a [`Maze`].
    pub fn rows(self) -> &'static [&'static str] {
        match self {
            Layout::Open => &["#######", "#.....#", "#.....#", "#.....#", "#######"],
            Layout::U => &["#####", "#...#", "###.#", "#...#", "#####"],
            Layout::Medium => &[
                "########", "#..##..#", "#..#...#", "##...###", "#..#...#", "#.#..#.#", "#...#..#",
                "########",
            ],
            Layout::Large => &[
                "############",
                "#....#.....#",
                "#.##.#.#.#.#",
                "#......#...#",
                "#.####.###.#",
                "#..#.#.....#",
                "##.#.#.#.###",
                "#..#...#...#",
                "############",
            ],
        }
    }
}

impl Maze {
    /// A published layout with cells of `cell` m and walls of `height` m.
    pub fn new(layout: Layout, cell: f64, height: f64) -> Self {
        Maze { rows: layout.rows().iter().map(|&row| row.into()).collect(), cell, height }
    }

    /// The centre (x, y) of a cell.
    pub fn centre(&self, row: usize, column: usize) -> Point {
        let width = self.rows.first().map_or(0, String::len);
        [
            (column as f64 + 0.5 - width as f64 / 2.0) * self.cell,
            (self.rows.len() as f64 / 2.0 - row as f64 - 0.5) * self.cell,
        ]
    }

    /// The centres of all cells with this mark.
    fn cells(&self, mark: char) -> impl Iterator<Item = Point> {
        self.rows.iter().enumerate().flat_map(move |(row, marks)| {
            let columns = marks.chars().enumerate().filter(move |(_, c)| *c == mark);
            columns.map(move |(column, _)| self.centre(row, column))
        })
    }

    /// The walls.
    pub fn blocks(&self, surface: Surface) -> Vec<Block> {
        let half = [self.cell / 2.0, self.cell / 2.0, self.height / 2.0];
        self.cells('#').map(|[x, y]| Block { centre: [x, y, half[2]], half, surface }).collect()
    }
}

impl Maze {
    /// The maze from above with a way through it, for example where a robot has been.
    pub fn picture(&self, path: &[Point]) -> Picture {
        let mut picture = drawing::walls(&self.blocks(Surface::everything(0.0)));
        picture.line(path, Style::line(Colour::BLUE, 0.04 * self.cell));
        let dot = |colour| Style::fill(colour);
        if let [first, .., last] = path {
            picture.circle(*first, 0.08 * self.cell, dot(Colour::GREEN));
            picture.circle(*last, 0.08 * self.cell, dot(Colour::VERMILION));
        }
        picture
    }
}

/// How a maze rewards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Nearness {
    /// 1 within 0.45 m of the goal, otherwise 0.
    #[default]
    Sparse,
    /// exp(−distance in m).
    Dense,
}

/// Go to a goal in a maze: the task of Gymnasium-Robotics' `PointMaze` and `AntMaze`.
///
/// **Observations**: all generalised positions, all velocities, then the goal's x and y. (There,
/// the three parts are a dictionary, and the Ant's contact forces are observed too, as they were
/// not in D4RL.)
/// **Reward**: by [`Nearness`], of the position after the step.
/// **Start**: goal and start are drawn from the free cells, more than half a cell apart, each with
/// uniform noise of a quarter of a cell.
/// **End**: none while `continuing`, else when the goal is reached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MazeTask {
    /// The walls.
    pub maze: Maze,
    /// How it rewards.
    pub nearness: Nearness,
    /// Whether episodes go on at the goal.
    pub continuing: bool,
    /// Whether a new goal is drawn where one is reached, while `continuing`.
    pub new_goals: bool,
    /// The goal's x and y in m.
    pub goal: Point,
}

impl MazeTask {
    fn draw_place(&self, rng: &mut Stream) -> Point {
        let count = self.maze.cells('.').count();
        let chosen = rng.random_range(0..count.max(1));
        self.maze.cells('.').nth(chosen).unwrap_or_default()
    }

    fn with_noise(&self, place: Point, rng: &mut Stream) -> Point {
        place.map(|x| x + rng.random_range(-0.25..=0.25) * self.maze.cell)
    }

    fn distance(&self, positions: &[f64]) -> f64 {
        (positions[0] - self.goal[0]).hypot(positions[1] - self.goal[1])
    }
}

impl Task for MazeTask {
    fn width(&self, robot: &Robot) -> usize {
        robot.positions() + robot.velocities() + 2
    }

    fn start(&mut self, _: &Robot, rng: &mut Stream, positions: &mut [f64], _: &mut [f64]) {
        let goal = self.draw_place(rng);
        self.goal = self.with_noise(goal, rng);
        let place = loop {
            let place = self.draw_place(rng);
            if self.distance(&place) > 0.5 * self.maze.cell {
                break place;
            }
        };
        positions[..2].copy_from_slice(&self.with_noise(place, rng));
    }

    fn observe(&self, _: &Robot, world: &World, observation: &mut [f32]) {
        let all = world.positions().iter().chain(world.velocities()).chain(&self.goal);
        for (o, x) in observation.iter_mut().zip(all) {
            *o = *x as f32;
        }
    }

    fn outcome(&mut self, _: &Robot, world: &World, _: &[f32], _: &mut [f64]) -> Outcome {
        let distance = self.distance(world.positions());
        let reached = distance <= REACHED;
        let reward = match self.nearness {
            Nearness::Sparse => f64::from(u8::from(reached)),
            Nearness::Dense => (-distance).exp(),
        };
        Outcome { reward, terminated: reached && !self.continuing, truncated: false }
    }

    fn proceed(&mut self, world: &World, rng: &mut Stream) {
        while self.continuing && self.new_goals && self.distance(world.positions()) <= REACHED {
            let goal = self.draw_place(rng);
            self.goal = self.with_noise(goal, rng);
        }
    }

    fn draw(&self, picture: &mut Picture) {
        picture.circle(self.goal, REACHED, Style::line(Colour::VERMILION, 0.05 * self.maze.cell));
    }
}
