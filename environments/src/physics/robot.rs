//! What a robot is made of, as plain data.
//!
//! A [`Robot`] says which rigid links there are, what joins them, which motors move them and what
//! they can touch. The conventions are those of MuJoCo's model files, so that published numbers
//! are copied as they stand: lengths in m, masses in kg, angles in rad, z upwards; the frame of a
//! link is not turned against its parent's while every joint is at zero; anchors, axes and shapes
//! are given in the link's own frame. [`World`](super::World) builds the simulation from it.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

/// A point or a direction: x, y and z.
pub type Vector3 = [f64; 3];

/// A robot and the place it stands in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Robot {
    /// What errors call it.
    pub name: String,
    /// The links; a parent comes before its children.
    pub links: Vec<Link>,
    /// The motors, in the order of the actions.
    pub motors: Vec<Motor>,
    /// The floor at height zero, if there is one.
    pub floor: Option<Surface>,
    /// Walls and other blocks that do not move.
    pub blocks: Vec<Block>,
    /// Acceleration of gravity, downwards, in m/s².
    pub gravity: f64,
    /// What the robot is surrounded by, where that slows it down.
    pub fluid: Option<Fluid>,
    /// How hard the ends of the joints' ranges are.
    pub limits: Impedance,
    /// How a step of the simulation is taken.
    pub integration: Integration,
    /// Time that the simulation advances at once, in s.
    pub time_step: f64,
    /// Steps of the simulation in one step of the environment.
    pub steps: usize,
    /// Ranges of physical parameters by name, where they are not the usual multiples of the value
    /// here; see [`PhysicalParameters`](crate::PhysicalParameters).
    pub ranges: Vec<(String, [f64; 2])>,
    /// The largest speed that any velocity has at the start of a control step; what is beyond is cut
    /// off.
    pub speed_limit: Option<f64>,
    /// Generalised positions at the start of an episode, before any noise; see [`Joint`].
    pub start: Vec<f64>,
}

/// A rigid body and the joint by which it hangs on its parent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Link {
    /// Its name, for parameters, drawings and errors.
    pub name: String,
    /// The index of its parent; `None` for the world.
    pub parent: Option<usize>,
    /// Where the origin of its frame is in the parent's frame, with the joint at zero.
    pub offset: Vector3,
    /// What it can do relative to its parent.
    pub joint: Joint,
    /// What it consists of.
    pub parts: Vec<Part>,
}

/// How a link moves relative to its parent.
///
/// The generalised positions (and velocities) of a robot are those of its links in their order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Joint {
    /// Turning about an axis: the angle.
    Hinge(Axle),
    /// Sliding along an axis: the distance.
    Slide(Axle),
    /// Moving in the plane y = 0: x, z and the pitch about the y axis.
    Upright,
    /// Moving in the plane z = 0: x, y and the yaw about the z axis.
    Flat {
        /// Inertia added to each of the three, in kg, kg and kg m².
        armature: f64,
    },
    /// Moving in the plane z = 0 without turning: x and y.
    Gliding {
        /// Damping of both in N s/m.
        damping: f64,
    },
    /// Moving freely: x, y, z and a quaternion (w, x, y, z); the velocities are those of the
    /// origin (in the world's frame) and of the rotation (in the link's own frame).
    Free,
}

impl Joint {
    /// How many generalised positions it has.
    pub fn positions(&self) -> usize {
        match self {
            Joint::Free => 7,
            other => other.velocities(),
        }
    }

    /// How many generalised velocities it has: its degrees of freedom.
    pub fn velocities(&self) -> usize {
        match self {
            Joint::Hinge(_) | Joint::Slide(_) => 1,
            Joint::Gliding { .. } => 2,
            Joint::Upright | Joint::Flat { .. } => 3,
            Joint::Free => 6,
        }
    }
}

/// The axis of a hinge or a slide and what acts along it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Axle {
    /// A point of the axis in the link's frame.
    pub anchor: Vector3,
    /// Direction of the axis, of any length.
    pub axis: Vector3,
    /// Lowest and highest position; `None` without an end.
    pub range: Option<[f64; 2]>,
    /// Inertia of the motor as the joint feels it, in kg m² (kg for a slide).
    pub armature: f64,
    /// Damping in N m s/rad (N s/m).
    pub damping: f64,
    /// Stiffness of a spring that pulls towards zero, in N m/rad (N/m).
    pub stiffness: f64,
}

impl Default for Axle {
    /// The y axis through the origin, endless, without inertia, damping or spring.
    fn default() -> Self {
        Axle {
            anchor: [0.0; 3],
            axis: [0.0, 1.0, 0.0],
            range: None,
            armature: 0.0,
            damping: 0.0,
            stiffness: 0.0,
        }
    }
}

/// How much of a joint's motion beyond the end of its range is the end's doing, from 0 (none) to 1
/// (all): MuJoCo's `solimplimit`. It rises with the distance beyond the end.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Impedance {
    /// Right at the end.
    pub smallest: f64,
    /// Further away, less than 1.
    pub largest: f64,
    /// The distance in rad (or m) at which the largest is reached.
    pub width: f64,
}

impl Default for Impedance {
    /// MuJoCo's: 0.9 to 0.95 within 1 mrad.
    fn default() -> Self {
        Impedance { smallest: 0.9, largest: 0.95, width: 1e-3 }
    }
}

impl Impedance {
    /// The impedance at a distance beyond the end: a parabola that rises from the smallest, and its
    /// mirror image from half of the way up.
    pub fn at(&self, beyond: f64) -> f64 {
        let x = (beyond / self.width).clamp(0.0, 1.0);
        let risen = if x < 0.5 { 2.0 * x * x } else { 1.0 - 2.0 * (1.0 - x) * (1.0 - x) };
        self.smallest + (self.largest - self.smallest) * risen
    }
}

/// How the simulation goes from one step to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Integration {
    /// Of second order in the time step, but for what the simulator itself rounds off: close to an
    /// exact solution, as which MuJoCo's Runge-Kutta method can be taken.
    #[default]
    Leapfrog,
    /// Of first order: new velocities by the forces now, damping by the velocity next, then new
    /// positions by the new velocities, which is MuJoCo's `Euler`.
    Euler,
}

/// A solid piece of a link.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// A name of its own, where its mass is a parameter apart from the rest of the link.
    pub name: Option<String>,
    /// Its form and place in the link's frame.
    pub shape: Shape,
    /// Density in kg/m³.
    pub density: f64,
    /// What happens when it touches something; `None` where it passes through everything.
    pub surface: Option<Surface>,
}

impl Part {
    /// A part without a name of its own.
    pub fn new(shape: Shape, density: f64, surface: Option<Surface>) -> Self {
        Part { name: None, shape, density, surface }
    }

    /// The part with a name of its own.
    pub fn named(self, name: &str) -> Self {
        Part { name: Some(name.into()), ..self }
    }

    /// Mass in kg.
    pub fn mass(&self) -> f64 {
        self.density * self.shape.volume()
    }
}

/// The form of a part.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Shape {
    /// All points within `radius` of the line between two points.
    Capsule {
        /// One end of the line.
        from: Vector3,
        /// The other end.
        to: Vector3,
        /// Radius of the tube and of the round ends.
        radius: f64,
    },
    /// A ball.
    Sphere {
        /// Its middle.
        centre: Vector3,
        /// Its radius.
        radius: f64,
    },
}

impl Shape {
    /// A capsule around the line from `from` to `to`.
    pub fn capsule(from: Vector3, to: Vector3, radius: f64) -> Self {
        Shape::Capsule { from, to, radius }
    }

    /// A capsule around `centre` in the plane y = 0, turned by `pitch` about the y axis from
    /// pointing upwards: MuJoCo's `pos`, `axisangle="0 1 0 pitch"` and `size="radius half_length"`.
    pub fn pitched_capsule(centre: Vector3, pitch: f64, radius: f64, half_length: f64) -> Self {
        let (along_x, along_z) = (half_length * pitch.sin(), half_length * pitch.cos());
        let [x, y, z] = centre;
        Shape::Capsule { from: [x - along_x, y, z - along_z], to: [x + along_x, y, z + along_z], radius }
    }

    /// Volume in m³.
    pub fn volume(&self) -> f64 {
        let ball = |radius: f64| 4.0 / 3.0 * PI * radius.powi(3);
        match *self {
            Shape::Capsule { from, to, radius } => {
                let length = (0..3).map(|i| (to[i] - from[i]).powi(2)).sum::<f64>().sqrt();
                PI * radius * radius * length + ball(radius)
            }
            Shape::Sphere { radius, .. } => ball(radius),
        }
    }
}

/// A box that does not move, with its sides along the axes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Block {
    /// Its middle.
    pub centre: Vector3,
    /// Half its width, depth and height.
    pub half: Vector3,
    /// What happens when it is touched.
    pub surface: Surface,
}

/// What a part or the floor does to what touches it.
///
/// Two surfaces touch when the `touches` of one and the `touched_by` of the other share a bit,
/// either way round (MuJoCo's `contype` and `conaffinity`), unless they belong to the same link or
/// to a link and its parent. The friction of a pair is the larger one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Surface {
    /// Coefficient of sliding friction.
    pub friction: f64,
    /// What it is: `contype`.
    pub touches: u32,
    /// What can touch it: `conaffinity`.
    pub touched_by: u32,
}

impl Surface {
    /// What touches everything of its kind, and anything that others say it does: MuJoCo's default.
    pub fn everything(friction: f64) -> Self {
        Surface { friction, touches: 1, touched_by: 1 }
    }

    /// What touches only what [`everything`](Self::everything) describes, such as the floor, and not
    /// its own kind.
    pub fn others(friction: f64) -> Self {
        Surface { friction, touches: 1, touched_by: 0 }
    }
}

/// A motor that pushes along one degree of freedom of a link's joint.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Motor {
    /// The link whose joint it moves.
    pub link: usize,
    /// Which of the joint's velocities it acts on.
    pub axis: usize,
    /// Torque in N m (force in N) at an action of 1.
    pub gear: f64,
    /// The largest action and, negated, the smallest; actions beyond are clipped.
    pub limit: f64,
}

/// A fluid at rest around the robot.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fluid {
    /// Density in kg/m³.
    pub density: f64,
    /// Viscosity in Pa s.
    pub viscosity: f64,
}

impl Robot {
    /// How many generalised positions the robot has.
    pub fn positions(&self) -> usize {
        self.links.iter().map(|link| link.joint.positions()).sum()
    }

    /// How many generalised velocities the robot has: its degrees of freedom.
    pub fn velocities(&self) -> usize {
        self.links.iter().map(|link| link.joint.velocities()).sum()
    }

    /// Time of one step of the environment, in s.
    pub fn control_step(&self) -> f64 {
        self.time_step * self.steps as f64
    }

    /// Mass of all links in kg.
    pub fn mass(&self) -> f64 {
        self.links.iter().map(Link::mass).sum()
    }

    /// The robot with all densities scaled so that it weighs `mass` kg.
    pub fn with_mass(mut self, mass: f64) -> Self {
        let factor = mass / self.mass();
        self.links.iter_mut().flat_map(|link| &mut link.parts).for_each(|part| part.density *= factor);
        self
    }

    /// The index of the link called `name`.
    pub fn link(&self, name: &str) -> Option<usize> {
        self.links.iter().position(|link| link.name == name)
    }
}

impl Link {
    /// A link called `name` that hangs on the link `parent`, or on the world.
    pub fn new(
        name: &str,
        parent: Option<usize>,
        offset: Vector3,
        joint: Joint,
        parts: impl Into<Vec<Part>>,
    ) -> Self {
        Link { name: name.into(), parent, offset, joint, parts: parts.into() }
    }

    /// Mass of all parts in kg.
    pub fn mass(&self) -> f64 {
        self.parts.iter().map(Part::mass).sum()
    }
}
