//! The simulation of one robot: built from its description, stepped, read and restored.
//!
//! rapier simulates the robot as a multibody, in reduced coordinates: joints cannot drift apart,
//! and generalised positions and velocities are read from the solver's own state. What had to be
//! found out by measuring is in the comments; `tests/physics.rs` holds it.
//!
//! rapier changes velocities by the forces first and then moves with the new velocities, whose error
//! is of first order in the time step. The same steps are a leapfrog, of second order, if its
//! positions are taken as those half a step ahead of its velocities. So a [`World`] starts half a step
//! along its velocities ahead, and what it tells is taken back by half a step, unless the robot is
//! one that MuJoCo integrates to first order too.

use std::f64::consts::PI;

use rapier3d::prelude::*;
use serde::{Deserialize, Serialize};

use super::{
    limits,
    robot::{Axle, Fluid, Integration, Joint, Link, Motor, Robot, Shape, Vector3},
};
use crate::{Error, error::check_length};

/// What holds an upright robot in its plane: inertia (kg) and damping (N s/m) of the sideways axis.
///
/// Locking the axis instead would be exact, but then no contact has friction: the tangent that the
/// robot cannot move along has an almost empty row, and the solver's two tangents share one bound.
const SIDEWAYS_ARMATURE: Real = 1e3;
const SIDEWAYS_DAMPING: Real = 1e4;

/// Generalised velocities (m/s or rad/s) beyond which a simulation has broken down.
const FASTEST: f64 = 1e5;

/// A robot in motion. Cloned or serialised, it continues bit for bit.
#[derive(Clone, Serialize, Deserialize)]
pub struct World {
    gravity: Vector,
    parameters: IntegrationParameters,
    /// Time by which the simulator's positions are ahead of its velocities; see [`ahead`].
    ahead: Real,
    islands: IslandManager,
    broad_phase: BroadPhaseBvh,
    narrow_phase: NarrowPhase,
    bodies: RigidBodySet,
    colliders: ColliderSet,
    multibody_joints: MultibodyJointSet,
    /// The body of each link.
    links: Vec<RigidBodyHandle>,
    /// What holds each link's joint back at the end of its range, if it has one.
    limits: Vec<Limit>,
    /// Steps of the simulation so far.
    elapsed: u64,
    positions: Vec<f64>,
    velocities: Vec<f64>,
    previous_positions: Vec<f64>,
    #[serde(skip)]
    workspace: Workspace,
}

/// The ends of a joint's range.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Limit {
    /// Of the joint, in the robot's reference pose, in 1/kg or 1/(kg m²).
    inverse_inertia: f64,
    /// Force on the joint in the last step of the simulation: where it is linear in the joint's
    /// velocity after the step, the constant and the factor.
    force: [f64; 2],
}

/// What rapier needs beside the state: buffers, and sets that stay empty here.
struct Workspace {
    pipeline: PhysicsPipeline,
    impulse_joints: ImpulseJointSet,
    soft_bodies: SoftBodySet,
    ccd_solver: CCDSolver,
}

impl Default for Workspace {
    fn default() -> Self {
        Workspace {
            pipeline: PhysicsPipeline::new(),
            impulse_joints: ImpulseJointSet::new(),
            soft_bodies: SoftBodySet::new(),
            ccd_solver: CCDSolver::new(),
        }
    }
}

impl Clone for Workspace {
    /// Nothing that it holds matters to the future.
    fn clone(&self) -> Self {
        Workspace::default()
    }
}

impl World {
    /// The robot with the given generalised positions and velocities, which must have the lengths
    /// [`Robot::positions`] and [`Robot::velocities`].
    pub fn new(robot: &Robot, positions: &[f64], velocities: &[f64]) -> Result<Self, Error> {
        check_length("generalised positions", positions.len(), robot.positions())?;
        check_length("generalised velocities", velocities.len(), robot.velocities())?;
        let mut world = World {
            gravity: Vector::new(0.0, 0.0, -robot.gravity as Real),
            parameters: solver(robot),
            ahead: ahead(robot) as Real,
            islands: IslandManager::new(),
            broad_phase: BroadPhaseBvh::new(),
            narrow_phase: NarrowPhase::new(),
            bodies: RigidBodySet::new(),
            colliders: ColliderSet::new(),
            multibody_joints: MultibodyJointSet::new(),
            links: Vec::with_capacity(robot.links.len()),
            limits: vec![Limit::default(); robot.links.len()],
            elapsed: 0,
            positions: positions.to_vec(),
            velocities: velocities.to_vec(),
            previous_positions: positions.to_vec(),
            workspace: Workspace::default(),
        };
        // The floor is no part of the multibody: contacts with its root would count as contacts of
        // the robot with itself.
        if let Some(surface) = robot.floor {
            let floor = ColliderBuilder::new(SharedShape::halfspace(Vector::Z));
            world.colliders.insert(touchable(floor, surface));
        }
        for block in &robot.blocks {
            let [x, y, z] = block.half.map(|half| half as Real);
            let collider = ColliderBuilder::cuboid(x, y, z).translation(vector(block.centre));
            world.colliders.insert(touchable(collider, block.surface));
        }
        let root = world.bodies.insert(RigidBodyBuilder::fixed());
        for link in &robot.links {
            world.add_link(link, root);
        }
        world.set_state(robot);
        Ok(world)
    }

    fn add_link(&mut self, link: &Link, root: RigidBodyHandle) {
        let body = RigidBodyBuilder::dynamic()
            .additional_mass_properties(mass_properties(link))
            .can_sleep(false)
            .build();
        let body = self.bodies.insert(body);
        self.bodies[body].set_allow_fast_rotation(true);
        for part in &link.parts {
            if let Some(surface) = part.surface {
                let collider = touchable(collider(part.shape), surface).density(0.0);
                self.colliders.insert_with_parent(collider, body, &mut self.bodies);
            }
        }
        // Kinematics and energy need the mass before rapier's first step works it out.
        self.bodies[body].recompute_mass_properties_from_colliders(&self.colliders);
        let parent = link.parent.map_or(root, |parent| self.links[parent]);
        self.multibody_joints.insert(parent, body, joint(link), true);
        self.links.push(body);
    }

    /// Puts the new world into the state of `positions` and `velocities`.
    fn set_state(&mut self, robot: &Robot) {
        let Some(multibody) = multibody_mut(&mut self.multibody_joints, &self.links) else { return };
        // The root's degrees of freedom go when the kinematics find it fixed; only then is there
        // one armature and one damping for each that remains.
        multibody.forward_kinematics(&self.bodies, true);
        multibody.damping_mut().fill(0.0);
        let ahead = ahead(robot);
        let mut displacement = vec![0.0; multibody.ndofs()];
        let (mut position, mut velocity) = (0, 0);
        for (i, link) in robot.links.iter().enumerate() {
            let Some(first) = multibody.link(i + 1).map(MultibodyLink::assembly_id) else { return };
            let q = &self.positions[position..position + link.joint.positions()];
            let v = &self.velocities[velocity..velocity + link.joint.velocities()];
            position += q.len();
            velocity += v.len();
            let axes = Axes::of(&link.joint);
            for k in 0..v.len() {
                displacement[first + axes.place(k)] = (q[k] + ahead * v[k]) as Real;
                multibody.generalized_velocity_mut()[first + axes.place(k)] = v[k] as Real;
            }
            match &link.joint {
                Joint::Hinge(axle) | Joint::Slide(axle) => {
                    multibody.armature_mut()[first] = axle.armature as Real;
                }
                Joint::Upright => {
                    multibody.armature_mut()[first + 1] = SIDEWAYS_ARMATURE;
                    multibody.damping_mut()[first + 1] = SIDEWAYS_DAMPING;
                }
                Joint::Flat { armature } => {
                    (0..3).for_each(|k| multibody.armature_mut()[first + k] = *armature as Real);
                }
                Joint::Gliding { damping } => {
                    (0..2).for_each(|k| multibody.damping_mut()[first + k] = *damping as Real);
                }
                Joint::Free => {
                    let rotation = rotation(&q[3..7]);
                    let spin = rotation * vector([v[3], v[4], v[5]]);
                    let turn = (turned(spin * ahead as Real) * rotation).to_scaled_axis();
                    for k in 0..3 {
                        displacement[first + 3 + k] = turn[k];
                        multibody.generalized_velocity_mut()[first + 3 + k] = spin[k];
                    }
                }
            }
        }
        // In the reference pose, with armature and without damping, as MuJoCo's limits take it.
        let inverse = multibody.dof_inverse_inertia(&self.bodies);
        for (i, limit) in self.limits.iter_mut().enumerate() {
            let Some(first) = multibody.link(i + 1).map(MultibodyLink::assembly_id) else { return };
            limit.inverse_inertia = f64::from(inverse[first]);
        }
        multibody.apply_displacements(&displacement);
        multibody.forward_kinematics(&self.bodies, false);
        multibody.update_rigid_bodies(&mut self.bodies, true);
    }

    /// The world as if the last control step had led to it from the generalised positions
    /// `previous`. Errors when there are more or fewer than the robot has.
    pub fn coming_from(mut self, previous: &[f64]) -> Result<Self, Error> {
        check_length("generalised positions", previous.len(), self.positions.len())?;
        self.previous_positions.copy_from_slice(previous);
        Ok(self)
    }

    /// Advances by one control step under the motors' `actions`, one for each; those beyond a
    /// motor's limits are clipped. `robot` must be the one that the world was built from.
    ///
    /// Errors with the link and the step when the simulation breaks down; the world is of no more
    /// use then.
    pub fn step(&mut self, robot: &Robot, actions: &[f32]) -> Result<(), Error> {
        if let Some(limit) = robot.speed_limit
            && let Some(multibody) = multibody_mut(&mut self.multibody_joints, &self.links)
        {
            let limit = limit as Real;
            multibody.generalized_velocity_mut().iter_mut().for_each(|v| *v = v.clamp(-limit, limit));
        }
        for _ in 0..robot.steps {
            self.push(robot, actions);
            let Workspace { pipeline, impulse_joints, soft_bodies, ccd_solver } = &mut self.workspace;
            pipeline.step(
                self.gravity,
                &self.parameters,
                &mut self.islands,
                &mut self.broad_phase,
                &mut self.narrow_phase,
                &mut self.bodies,
                &mut self.colliders,
                impulse_joints,
                &mut self.multibody_joints,
                soft_bodies,
                ccd_solver,
                &(),
                &(),
            );
            self.elapsed += 1;
            if let Some(&body) = pipeline.quarantine().bodies().first() {
                let link = self.links.iter().position(|link| *link == body).unwrap_or(0);
                return Err(self.unstable(robot, link, "its motion is not finite"));
            }
        }
        self.read_state(robot);
        self.check(robot)
    }

    /// Applies the forces of motors, springs and fluid for one step of the simulation.
    fn push(&mut self, robot: &Robot, actions: &[f32]) {
        for i in 0..self.links.len() {
            let flow = robot.fluid.map(|fluid| (fluid, self.motion(i)));
            let body = &mut self.bodies[self.links[i]];
            body.reset_forces(false);
            body.reset_torques(false);
            if let Some((fluid, motion)) = flow {
                drag(body, motion, fluid);
            }
        }
        for (motor, &action) in robot.motors.iter().zip(actions) {
            self.drive(robot, motor.link, motor.axis, strength(motor, action));
        }
        for (i, link) in robot.links.iter().enumerate() {
            if let Joint::Hinge(axle) | Joint::Slide(axle) = &link.joint {
                self.hold(robot, i, axle, actions);
            }
        }
    }

    /// Applies what else acts along a hinge or slide for one step of the simulation: spring, damping,
    /// armature, and the ends of its range.
    fn hold(&mut self, robot: &Robot, index: usize, axle: &Axle, actions: &[f32]) {
        let Some(multibody) = multibody_mut(&mut self.multibody_joints, &self.links) else { return };
        let Some(state) = multibody.link(index + 1) else { return };
        let (dof, axis) = (state.assembly_id(), Axes::of(&robot.links[index].joint).ours[0]);
        let position = f64::from(state.joint().coords()[axis]);
        let velocity = f64::from(multibody.generalized_velocity()[dof]);
        let mut force = -axle.stiffness * position;
        let motors = robot.motors.iter().zip(actions).filter(|(motor, _)| motor.link == index);
        let driven: f64 = motors.map(|(motor, action)| strength(motor, *action)).sum();
        let limit = &mut self.limits[index];
        let unheld = (driven + force - axle.damping * velocity) * limit.inverse_inertia;
        let held = limits::hold(axle, &robot.limits, limit.inverse_inertia, [position, velocity], unheld);
        let (mut armature, mut damping) = (axle.armature, axle.damping);
        limit.force = [0.0; 2];
        if let Some(held) = held {
            force += held.force;
            armature += held.armature;
            let inertia = held.armature / robot.time_step;
            limit.force = match robot.integration {
                Integration::Leapfrog => {
                    damping += held.damping;
                    let half = 0.5 * held.damping;
                    [held.force + (inertia - half) * velocity, -inertia - half]
                }
                Integration::Euler => {
                    force -= held.damping * velocity;
                    [held.force + (inertia - held.damping) * velocity, -inertia]
                }
            };
        }
        // The simulator's damping acts by the velocity after the step. Half of it taken from the
        // armature leaves the mean of the velocities before and after it.
        multibody.armature_mut()[dof] = (armature - ahead(robot) * damping) as Real;
        multibody.damping_mut()[dof] = damping as Real;
        if force != 0.0 {
            self.drive(robot, index, 0, force);
        }
    }

    /// Adds a force or torque along one degree of freedom of a link's joint, and the opposite one on
    /// its parent.
    fn drive(&mut self, robot: &Robot, index: usize, dof: usize, strength: f64) {
        let link = &robot.links[index];
        let parent = link.parent.map(|parent| self.links[parent]);
        let turn = parent.map_or(Rotation::IDENTITY, |parent| *self.bodies[parent].rotation());
        let body = self.links[index];
        let axis = Axes::of(&link.joint).ours[dof];
        let (direction, point) = match &link.joint {
            Joint::Hinge(axle) | Joint::Slide(axle) => (axle.axis, axle.anchor),
            _ => ([0, 1, 2].map(|i| if i == axis % 3 { 1.0 } else { 0.0 }), [0.0; 3]),
        };
        let push = turn * vector(direction).normalize() * strength as Real;
        let point = *self.bodies[body].position() * vector(point);
        for (body, push) in [(Some(body), push), (parent, -push)] {
            let Some(body) = body else { continue };
            if axis < 3 {
                self.bodies[body].add_force_at_point(push, point, false);
            } else {
                self.bodies[body].add_torque(push, false);
            }
        }
    }

    /// Reads the generalised positions and velocities out of the multibody.
    fn read_state(&mut self, robot: &Robot) {
        std::mem::swap(&mut self.positions, &mut self.previous_positions);
        let Some(multibody) = multibody(&self.multibody_joints, &self.links) else { return };
        let speeds = multibody.generalized_velocity();
        let ahead = ahead(robot);
        let (mut position, mut velocity) = (0, 0);
        for (i, link) in robot.links.iter().enumerate() {
            let Some(state) = multibody.link(i + 1) else { return };
            let q = &mut self.positions[position..position + link.joint.positions()];
            let v = &mut self.velocities[velocity..velocity + link.joint.velocities()];
            position += q.len();
            velocity += v.len();
            let (coordinates, first) = (state.joint().coords(), state.assembly_id());
            let axes = Axes::of(&link.joint);
            for k in 0..v.len() {
                v[k] = f64::from(speeds[first + axes.place(k)]);
                q[k] = f64::from(coordinates[axes.ours[k]]) - ahead * v[k];
            }
            if link.joint == Joint::Free {
                let spin = Vector::new(speeds[first + 3], speeds[first + 4], speeds[first + 5]);
                let rotation = turned(spin * -ahead as Real) * state.joint().joint_rot();
                let spin = rotation.inverse() * spin;
                let [x, y, z, w] = rotation.to_array();
                q[3..7].copy_from_slice(&[w, x, y, z].map(f64::from));
                v[3..6].copy_from_slice(&spin.to_array().map(f64::from));
            }
        }
    }

    /// Errors unless the state is one that a robot can be in.
    fn check(&self, robot: &Robot) -> Result<(), Error> {
        let (mut position, mut velocity) = (0, 0);
        for (i, link) in robot.links.iter().enumerate() {
            let q = &self.positions[position..position + link.joint.positions()];
            let v = &self.velocities[velocity..velocity + link.joint.velocities()];
            position += q.len();
            velocity += v.len();
            if !q.iter().chain(v).all(|x| x.is_finite()) {
                return Err(self.unstable(robot, i, "its motion is not finite"));
            }
            if v.iter().any(|v| v.abs() > FASTEST) {
                return Err(self.unstable(robot, i, &format!("it moves faster than {FASTEST:e}")));
            }
        }
        Ok(())
    }

    fn unstable(&self, robot: &Robot, link: usize, what: &str) -> Error {
        let name = robot.links.get(link).map_or("the robot", |link| &link.name);
        let reason = format!("link `{name}`, step {} of the simulation: {what}", self.elapsed);
        Error::Unstable { environment: robot.name.clone(), reason }
    }

    /// The generalised positions, link by link; see [`Joint`].
    pub fn positions(&self) -> &[f64] {
        &self.positions
    }

    /// The generalised positions before the last control step.
    pub fn previous_positions(&self) -> &[f64] {
        &self.previous_positions
    }

    /// The generalised velocities, link by link; see [`Joint`].
    pub fn velocities(&self) -> &[f64] {
        &self.velocities
    }

    /// The force (N, first) of all contacts of a part, and its torque (N m) about a point of the
    /// world, in the last step of the simulation.
    pub fn contact_force(&self, link: usize, part: usize, about: Vector3) -> [Vector3; 2] {
        let (mut force, mut torque) = (Vector::ZERO, Vector::ZERO);
        let Some(collider) = self.bodies[self.links[link]].colliders().get(part) else {
            return [[0.0; 3]; 2];
        };
        for pair in self.narrow_phase.contact_pairs_with(*collider) {
            for manifold in pair.solver_manifolds() {
                // The normal points from the first collider to the second.
                let sign = if pair.collider1 == *collider { 1.0 } else { -1.0 };
                for contact in &manifold.points {
                    let impulse =
                        contact.data.warmstart_tangent_world - manifold.data.normal * contact.data.impulse;
                    let push = impulse * (sign / self.parameters.dt);
                    let place = self.colliders[pair.collider1].position() * contact.local_p1;
                    force += push;
                    torque += (place - vector(about)).cross(push);
                }
            }
        }
        [force, torque].map(|vector| vector.to_array().map(f64::from))
    }

    /// The force (N or N m) with which the end of a hinge's or slide's range pushes back, in the last
    /// step of the simulation.
    pub fn limit_force(&self, link: usize) -> f64 {
        let Some(multibody) = multibody(&self.multibody_joints, &self.links) else { return 0.0 };
        let Some(state) = multibody.link(link + 1) else { return 0.0 };
        let [constant, factor] = self.limits[link].force;
        constant + factor * f64::from(multibody.generalized_velocity()[state.assembly_id()])
    }

    /// Centre of mass of the robot.
    pub fn centre_of_mass(&self) -> Vector3 {
        let (mut sum, mut mass) = (Vector::ZERO, 0.0);
        for &link in &self.links {
            let body = &self.bodies[link];
            sum += body.center_of_mass() * body.mass();
            mass += body.mass();
        }
        (sum / mass).to_array().map(f64::from)
    }

    /// Total momentum in kg m/s.
    pub fn momentum(&self) -> Vector3 {
        let momentum = |i: usize| self.motion(i)[0] * self.bodies[self.links[i]].mass();
        (0..self.links.len()).map(momentum).sum::<Vector>().to_array().map(f64::from)
    }

    /// Kinetic and potential energy of the links in J, without what motors and springs hold.
    pub fn energy(&self) -> f64 {
        let energy = |i: usize| {
            let (body, [velocity, spin]) = (&self.bodies[self.links[i]], self.motion(i));
            let inertia = body.mass_properties().effective_angular_inertia();
            let kinetic = (body.mass() * velocity.length_squared() + spin.dot(inertia * spin)) / 2.0;
            let height = body.center_of_mass().z - self.ahead * velocity.z;
            f64::from(kinetic) - f64::from(body.mass() * self.gravity.z) * f64::from(height)
        };
        (0..self.links.len()).map(energy).sum()
    }

    /// The velocity of a link's centre of mass (m/s) and its angular velocity (rad/s).
    ///
    /// rapier's bodies still hold those from before the last step of the simulation.
    fn motion(&self, link: usize) -> [Vector; 2] {
        let Some(multibody) = multibody(&self.multibody_joints, &self.links) else {
            return [Vector::ZERO; 2];
        };
        let velocity = multibody.body_jacobian(link + 1) * multibody.generalized_velocity();
        [0, 3].map(|first| Vector::new(velocity[first], velocity[first + 1], velocity[first + 2]))
    }

    /// Where a point of a link's frame is in the world.
    pub fn point(&self, link: usize, point: Vector3) -> Vector3 {
        let body = &self.bodies[self.links[link]];
        let place = *body.position() * vector(point);
        let [velocity, spin] = self.motion(link);
        let velocity = velocity + spin.cross(place - body.center_of_mass());
        (place - velocity * self.ahead).to_array().map(f64::from)
    }
}

/// Time (s) by which the simulator's positions are ahead of its velocities.
fn ahead(robot: &Robot) -> f64 {
    match robot.integration {
        Integration::Leapfrog => 0.5 * robot.time_step,
        Integration::Euler => 0.0,
    }
}

/// The force (N or N m) of a motor at an action.
fn strength(motor: &Motor, action: f32) -> f64 {
    motor.gear * f64::from(action).clamp(-motor.limit, motor.limit)
}

/// The solver's settings: chosen by measuring accuracy against MuJoCo and speed.
fn solver(robot: &Robot) -> IntegrationParameters {
    IntegrationParameters {
        dt: robot.time_step as Real,
        num_solver_iterations: 1,
        num_internal_pgs_iterations: 2,
        num_internal_stabilization_iterations: 1,
        max_ccd_substeps: 0,
        contact_recycling: false,
        ..IntegrationParameters::default()
    }
}

/// A joint's degrees of freedom as spatial axes: 0 to 2 along x, y and z, 3 to 5 about them.
struct Axes {
    /// In the order of the generalised velocities.
    ours: &'static [usize],
    /// As rapier's joint has them.
    free: &'static [usize],
}

impl Axes {
    fn of(joint: &Joint) -> Self {
        // An axle's own frame has its x axis along the axle.
        let (ours, free): (&[usize], &[usize]) = match joint {
            Joint::Hinge(_) => (&[3], &[3]),
            Joint::Slide(_) => (&[0], &[0]),
            Joint::Upright => (&[0, 2, 4], &[0, 1, 2, 4]),
            Joint::Flat { .. } => (&[0, 1, 5], &[0, 1, 5]),
            Joint::Gliding { .. } => (&[0, 1], &[0, 1]),
            Joint::Free => (&[0, 1, 2, 3, 4, 5], &[0, 1, 2, 3, 4, 5]),
        };
        Axes { ours, free }
    }

    fn locked(&self) -> JointAxesMask {
        let free = self.free.iter().fold(0, |mask, axis| mask | 1 << axis);
        JointAxesMask::all() - JointAxesMask::from_bits_truncate(free)
    }

    /// Where our `k`-th degree of freedom is among rapier's.
    fn place(&self, k: usize) -> usize {
        self.free.iter().take_while(|axis| **axis != self.ours[k]).count()
    }
}

/// rapier's joint between a link and its parent.
fn joint(link: &Link) -> GenericJoint {
    let hung_on = |axle: &Axle| {
        let turn = Rotation::from_rotation_arc(Vector::X, vector(axle.axis).normalize());
        let anchor = vector(axle.anchor);
        (Pose::from_parts(vector(link.offset) + anchor, turn), Pose::from_parts(anchor, turn))
    };
    let (frame1, frame2) = match &link.joint {
        Joint::Hinge(axle) | Joint::Slide(axle) => hung_on(axle),
        _ => (Pose::from_translation(vector(link.offset)), Pose::IDENTITY),
    };
    let axes = Axes::of(&link.joint);
    GenericJointBuilder::new(axes.locked())
        .local_frame1(frame1)
        .local_frame2(frame2)
        .contacts_enabled(false)
        .build()
}

fn mass_properties(link: &Link) -> MassProperties {
    let of = |shape: Shape, density: Real| match shape {
        Shape::Capsule { from, to, radius } => {
            MassProperties::from_capsule(density, vector(from), vector(to), radius as Real)
        }
        Shape::Sphere { centre, radius } => {
            let ball = MassProperties::from_ball(density, radius as Real);
            MassProperties { local_com: vector(centre), ..ball }
        }
    };
    link.parts.iter().map(|part| of(part.shape, part.density as Real)).sum()
}

fn collider(shape: Shape) -> ColliderBuilder {
    match shape {
        Shape::Capsule { from, to, radius } => {
            ColliderBuilder::capsule_from_endpoints(vector(from), vector(to), radius as Real)
        }
        Shape::Sphere { centre, radius } => ColliderBuilder::ball(radius as Real).translation(vector(centre)),
    }
}

fn touchable(collider: ColliderBuilder, surface: super::robot::Surface) -> ColliderBuilder {
    let (memberships, filter) =
        (Group::from_bits_truncate(surface.touches), Group::from_bits_truncate(surface.touched_by));
    collider
        .friction(surface.friction as Real)
        .friction_combine_rule(CoefficientCombineRule::Max)
        .collision_groups(InteractionGroups::new(memberships, filter, InteractionTestMode::Or))
}

/// Adds the resistance of a fluid at rest to the forces on a body: MuJoCo's model of a box with the
/// body's inertia ("Fluid forces" in its manual; the viscous part is Stokes' law for a sphere of the
/// box's mean width).
fn drag(body: &mut RigidBody, [velocity, spin]: [Vector; 2], fluid: Fluid) {
    let mass = f64::from(body.mass());
    let properties = &body.mass_properties().local_mprops;
    let inertia = properties.principal_inertia().to_array().map(f64::from);
    let turn = *body.rotation() * properties.principal_inertia_local_frame;
    let local = |v: Vector| (turn.inverse() * v).to_array().map(f64::from);
    let (velocity, spin) = (local(velocity), local(spin));
    let total: f64 = inertia.iter().sum();
    let width = inertia.map(|i| (6.0 * (total - 2.0 * i) / mass).max(0.0).sqrt());
    let mean = width.iter().sum::<f64>() / 3.0;
    let (mut force, mut torque) = ([0.0; 3], [0.0; 3]);
    for i in 0..3 {
        let (j, k) = (width[(i + 1) % 3], width[(i + 2) % 3]);
        force[i] = -3.0 * PI * mean * fluid.viscosity * velocity[i]
            - 0.5 * fluid.density * j * k * velocity[i].abs() * velocity[i];
        torque[i] = -PI * mean.powi(3) * fluid.viscosity * spin[i]
            - fluid.density * width[i] * (j.powi(4) + k.powi(4)) * spin[i].abs() * spin[i] / 64.0;
    }
    body.add_force(turn * vector(force), false);
    body.add_torque(turn * vector(torque), false);
}

fn multibody<'a>(joints: &'a MultibodyJointSet, links: &[RigidBodyHandle]) -> Option<&'a Multibody> {
    let index = joints.rigid_body_link(*links.first()?)?.multibody;
    joints.get_multibody(index)
}

fn multibody_mut<'a>(
    joints: &'a mut MultibodyJointSet,
    links: &[RigidBodyHandle],
) -> Option<&'a mut Multibody> {
    let index = joints.rigid_body_link(*links.first()?)?.multibody;
    joints.get_multibody_mut(index)
}

fn vector([x, y, z]: Vector3) -> Vector {
    Vector::new(x as Real, y as Real, z as Real)
}

/// The rotation about the axis `angle` by its length in rad.
fn turned(angle: Vector) -> Rotation {
    Rotation::from_scaled_axis(angle)
}

/// The rotation of a quaternion (w, x, y, z) of any length but zero.
fn rotation(quaternion: &[f64]) -> Rotation {
    let [w, x, y, z] = [0, 1, 2, 3].map(|i| quaternion[i] as Real);
    Rotation::from_xyzw(x, y, z, w).normalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::physics::robots;

    /// rapier factorises its mass matrix into new memory in every step; nothing else may.
    #[test]
    fn what_is_around_the_simulators_step_allocates_nothing() {
        for robot in [robots::swimmer::robot(), robots::half_cheetah::robot(), robots::ant::robot()] {
            let mut world = World::new(&robot, &robot.start, &vec![0.0; robot.velocities()]).unwrap();
            let actions = vec![0.5; robot.motors.len()];
            // The simulator's list of bodies to wake grows in the first steps.
            (0..3).for_each(|_| world.step(&robot, &actions).unwrap());
            let mut around = || {
                allocation_counter::measure(|| {
                    world.push(&robot, &actions);
                    world.read_state(&robot);
                    world.check(&robot).unwrap();
                })
            };
            around();
            assert_eq!(around().count_total, 0, "{}", robot.name);
        }
    }
}
