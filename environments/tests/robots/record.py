"""Records what MuJoCo and Gymnasium do with the robots, for the tests of ours.

    python -m pip install 'mujoco==3.17.0' 'gymnasium[mujoco]==1.4.0' 'gymnasium-robotics==1.4.2' 'mo-gymnasium==1.3.2'
    python environments/tests/robots/record.py

writes one file for each robot and maze beside this script, and `returns.recording` (minutes). The
tests that read the files need no Python. Running it again with the same versions on the same kind
of machine writes the same bytes. README.md beside this file says what is recorded and how it is
stored; arguments choose files by name, for example `hopper returns`.
"""

import contextlib
import importlib.metadata
import pathlib
import platform
import sys

import gymnasium
import mujoco
import numpy as np

with contextlib.redirect_stdout(sys.stderr):
    import gymnasium_robotics
    import mo_gymnasium  # noqa: F401 (registers its environments)

    gymnasium.register_envs(gymnasium_robotics)
from gymnasium_robotics.envs.maze import maps

HERE = pathlib.Path(__file__).resolve().parent
PACKAGES = ["mujoco", "gymnasium", "gymnasium-robotics", "mo-gymnasium", "numpy"]

FREE, RANDOM, CASES, RETURNS = 4, 6, 40, 400  # traces, traces, cases, episodes
LONGEST = 1.0, 64  # of a trace: seconds and control steps, whichever is less

# file: Gymnasium's name, how far it is lifted for flight, MO-Gymnasium's names, the start of a case
# (how far positions and velocities are spread around the initial pose)
ROBOTS = {
    "inverted_pendulum": ("InvertedPendulum-v5", 0.0, [], (0.25, 1.0)),
    "inverted_double_pendulum": ("InvertedDoublePendulum-v5", 0.0, [], (0.9, 8.0)),
    "reacher": ("Reacher-v5", 0.0, [], (0.2, 5.0)),
    "swimmer": ("Swimmer-v5", 0.0, ["mo-swimmer-v5"], (1.0, 2.0)),
    "hopper": ("Hopper-v5", 10.0, ["mo-hopper-v5", "mo-hopper-2obj-v5"], (0.3, 8.0)),
    "half_cheetah": ("HalfCheetah-v5", 10.0, ["mo-halfcheetah-v5"], (0.5, 5.0)),
    "walker2d": ("Walker2d-v5", 10.0, ["mo-walker2d-v5"], (0.9, 8.0)),
    "ant": ("Ant-v5", 10.0, ["mo-ant-v5", "mo-ant-2obj-v5"], (0.4, 2.0)),
}

# file: prefix and version of the names, maps, cells of the start and the goal in each
MAZES = {
    "point_maze": ("PointMaze", "v3"),
    "ant_maze": ("AntMaze", "v5"),
}
LAYOUTS = {
    "Open": (maps.OPEN, (1, 1), (3, 5)),
    "UMaze": (maps.U_MAZE, (3, 1), (1, 1)),
    "Medium": (maps.MEDIUM_MAZE, (1, 1), (6, 6)),
    "Large": (maps.LARGE_MAZE, (7, 1), (1, 10)),
}


def make(name, **options):
    return gymnasium.make(name, disable_env_checker=True, **options).unwrapped


def generator(purpose):
    """A generator of its own for every purpose, so that one more trace shifts no other."""
    return np.random.Generator(np.random.PCG64([20240901, *purpose.encode()]))


def write(file, facts, arrays):
    """A header in TOML, a line `---`, and the arrays one after the other."""
    lines = [f'{key} = {quoted(value)}' for key, value in facts.items()]
    lines += [f'{name.replace("-", "_")} = "{importlib.metadata.version(name)}"' for name in PACKAGES]
    lines += [f'python = "{platform.python_version()}"']
    body = b""
    for name, values in arrays.items():
        kind = {"float64": "f64", "float32": "f32", "uint8": "u8"}[str(values.dtype)]
        lines += ["", "[[arrays]]", f'name = "{name}"', f'type = "{kind}"', f"shape = {list(values.shape)}"]
        assert np.isfinite(values).all(), f"{file}: {name}"
        body += values.astype(values.dtype.newbyteorder("<")).tobytes()
    path = HERE / f"{file}.recording"
    path.write_bytes("\n".join([*lines, "---", ""]).encode() + body)
    print(f"{path.name}: {path.stat().st_size:,} bytes")


def quoted(value):
    if isinstance(value, list):
        return "[" + ", ".join(quoted(v) for v in value) + "]"
    return f'"{value}"' if isinstance(value, str) else repr(value.item() if hasattr(value, "item") else value)


class Columns(dict):
    """Rows of named values, which become arrays with one row more in front."""

    def add(self, **values):
        for name, value in values.items():
            self.setdefault(name, []).append(np.asarray(value))

    def arrays(self, prefix):
        return {f"{prefix}.{name}": np.stack(rows) for name, rows in self.items()}


def set_state(env, qpos, qvel):
    """The start of a trace or case: nothing is left of what was simulated before."""
    mujoco.mj_resetData(env.model, env.data)
    env.set_state(qpos, qvel)


def steps_of(env):
    seconds, steps = LONGEST
    return min(int(round(seconds / env.dt)), steps)


def mid_range(model, qpos):
    """The pose with every limited joint in the middle of its range."""
    qpos = qpos.copy()
    for joint in range(model.njnt):
        if model.jnt_limited[joint]:
            qpos[model.jnt_qposadr[joint]] = model.jnt_range[joint].mean()
    return qpos


def trace(env, qpos, qvel, actions):
    """Positions and velocities after every control step, the number of contacts, and whether any
    constraint (contact or joint limit) was active at any simulation step."""
    set_state(env, qpos, qvel)
    states, contacts, constrained = [(env.data.qpos.copy(), env.data.qvel.copy())], [], False
    for action in actions:
        env.data.ctrl[:] = action
        for _ in range(env.frame_skip):
            mujoco.mj_step(env.model, env.data)
            constrained |= env.data.nefc > 0
        states.append((env.data.qpos.copy(), env.data.qvel.copy()))
        contacts.append(env.data.ncon)
    positions, velocities = zip(*states)
    return np.stack(positions), np.stack(velocities), np.array(contacts, dtype=np.uint8), constrained


def free(name, env, lift):
    """Motion without any contact or joint limit, in flight where there is a floor: half the traces
    passive, half driven by random torques. Attempts become gentler until one keeps all joints from
    their limits."""
    rng, traces = generator(f"free {name}"), Columns()
    model, steps = env.model, steps_of(env)
    height = {"ant": 2}.get(name, 1)
    low, high = model.actuator_ctrlrange.T
    for index in range(FREE):
        constrained, scale = True, 1.0
        while constrained:
            qpos = mid_range(model, env.init_qpos) + 0.2 * scale * rng.uniform(-1, 1, model.nq)
            qpos[height] += lift
            qvel = 1.5 * scale * rng.normal(size=model.nv)
            driven = index % 2
            actions = (driven * scale * rng.uniform(low, high, (steps, model.nu))).astype(np.float32)
            positions, velocities, _, constrained = trace(env, qpos, qvel, actions)
            scale *= 0.98
        traces.add(qpos=positions, qvel=velocities, action=actions)
    return traces.arrays("free")


def random(name, env):
    """From resets on, with random actions; and how far MuJoCo itself is off at a tenth of its
    simulation step, which says what agreement can be expected."""
    rng, traces = generator(f"random {name}"), Columns()
    low, high = env.model.actuator_ctrlrange.T
    timestep, frame_skip = env.model.opt.timestep, env.frame_skip
    for index in range(RANDOM):
        env.reset(seed=index)
        qpos, qvel = env.data.qpos.copy(), env.data.qvel.copy()
        actions = rng.uniform(low, high, (steps_of(env), env.model.nu)).astype(np.float32)
        positions, velocities, contacts, _ = trace(env, qpos, qvel, actions)
        env.model.opt.timestep, env.frame_skip = timestep / 10, frame_skip * 10
        refined, _, _, _ = trace(env, qpos, qvel, actions)
        env.model.opt.timestep, env.frame_skip = timestep, frame_skip
        difference = np.abs(refined - positions).max(axis=1).astype(np.float32)
        traces.add(qpos=positions, qvel=velocities, action=actions, contacts=contacts,
                   refinement_difference=difference)
    return traces.arrays("random")


def extras(name, data):
    """What observation and reward use beside positions and velocities."""
    if name == "ant":
        return {"contact_forces": data.cfrc_ext.copy(), "torso": data.body(1).xpos.copy()}
    if name == "inverted_double_pendulum":
        return {"tip": data.site_xpos[0].copy(), "constraint_force": data.qfrc_constraint[:1].copy()}
    if name == "reacher":
        return {"fingertip": data.body("fingertip").xpos.copy(), "target": data.body("target").xpos.copy()}
    return {}


def cases(name, env, others, spread):
    """Single steps from states of all kinds, and what Gymnasium makes of them. One action in three
    is beyond its bounds."""
    rng, rows, terms = generator(f"cases {name}"), Columns(), []
    low, high = env.model.actuator_ctrlrange.T
    others = [make(other) for other in others]
    for index in range(CASES):
        scale = 1.0 if index % 3 else 0.05
        qpos = env.init_qpos + scale * spread[0] * rng.uniform(-1, 1, env.model.nq)
        qvel = env.init_qvel + scale * spread[1] * rng.uniform(-1, 1, env.model.nv)
        if name == "ant":
            qpos[3:7] /= np.linalg.norm(qpos[3:7])
            qpos[2] += rng.uniform(-0.5, 0.3)
        action = (rng.uniform(low, high) * (1.5 if index % 3 == 2 else 1)).astype(np.float32)
        set_state(env, qpos, qvel)
        before = env.data.qpos.copy(), env.data.qvel.copy()
        if name == "ant":
            rows.add(torso_before=env.data.body(1).xpos.copy())
        observation, reward, terminated, _, info = env.step(action)
        terms = [key for key in info if key.startswith("reward_") or key.endswith("_penalty")]
        rows.add(
            qpos_before=before[0], qvel_before=before[1], action=action,
            qpos=env.data.qpos.copy(), qvel=env.data.qvel.copy(), observation=observation,
            reward=np.float64(reward), terminated=np.uint8(terminated),
            terms=[np.float64(info[key]) for key in terms], **extras(name, env.data),
        )
        for number, other in enumerate(others):
            set_state(other, qpos, qvel)
            same, vector, *_ = other.step(action)
            assert (same == observation).all()
            rows.add(**{f"vector_reward_{number}": vector.astype(np.float32)})
    ends = int(np.sum(rows["terminated"]))
    assert ends == 0 or 5 <= ends <= CASES - 5, f"{name}: {ends} ends"
    return terms, rows.arrays("cases")


def record_robot(file):
    name, lift, others, spread = ROBOTS[file]
    env = make(name)
    terms, case_arrays = cases(file, env, others, spread)
    facts = {"environment": name, "vector_rewards": others, "terms": terms,
             "timestep": env.model.opt.timestep, "frame_skip": env.frame_skip,
             "init_qpos": [float(x) for x in env.init_qpos]}
    write(file, facts, free(file, env, lift) | random(file, env) | case_arrays)


def record_returns():
    """Undiscounted returns and lengths of episodes with uniformly random actions."""
    facts, arrays = {}, {}
    for file, (name, *_) in ROBOTS.items():
        env, rng = gymnasium.make(name, disable_env_checker=True), generator(f"returns {name}")
        low, high = env.action_space.low, env.action_space.high
        returns, lengths = [], []
        for episode in range(RETURNS):
            env.reset(seed=episode)
            total, length, done = 0.0, 0, False
            while not done:
                _, reward, terminated, truncated, _ = env.step(rng.uniform(low, high).astype(np.float32))
                total, length, done = total + reward, length + 1, terminated or truncated
            returns.append(total)
            lengths.append(length)
        arrays[f"{file}.returns"] = np.array(returns)
        arrays[f"{file}.lengths"] = np.array(lengths, dtype=np.float32)
        resampled = rng.choice(returns, (10_000, RETURNS)).mean(axis=1)
        facts[f"{file}.mean"] = float(np.mean(returns))
        facts[f"{file}.mean_interval_95"] = [float(x) for x in np.quantile(resampled, [0.025, 0.975])]
        facts[f"{file}.standard_deviation"] = float(np.std(returns, ddof=1))
        facts[f"{file}.mean_length"] = float(np.mean(lengths))
        print(f"{name}: {facts[f'{file}.mean']:.2f} ± {facts[f'{file}.standard_deviation']:.2f}")
    write("returns", facts, arrays)


def rows_of(layout):
    """`#` is a wall, `.` free; `r`, `g` and `c` are cells to start from, to go to, and for both."""
    return ["".join({"0": ".", "1": "#"}.get(str(cell), str(cell)) for cell in row) for row in layout]


def maze(prefix, version, layout, **options):
    name = f"{prefix}_{layout}-{version}"
    return gymnasium.make(name, disable_env_checker=True, **options).unwrapped


def towards(env, robot, path, rng):
    """A point's way along cells, often as fast as it can; an ant is driven at random."""
    if robot.model.nu != 2:
        return rng.uniform(-1, 1, robot.model.nu).astype(np.float32)
    here = robot.data.qpos[:2]
    if len(path) > 1 and np.linalg.norm(path[0] - here) < 0.25:
        path.pop(0)
    pull = 4 * (path[0] - here) - 0.4 * robot.data.qvel[:2] + rng.normal(scale=0.7, size=2)
    return (2 * pull).astype(np.float32)


def shortest_path(env, start, goal):
    """Centres of the cells from start to goal, by breadth-first search."""
    layout, before, queue = env.maze.maze_map, {start: None}, [start]
    for cell in queue:
        for step in ((0, 1), (1, 0), (0, -1), (-1, 0)):
            following = cell[0] + step[0], cell[1] + step[1]
            if layout[following[0]][following[1]] != 1 and following not in before:
                before[following] = cell
                queue.append(following)
    path = [goal]
    while before[path[-1]] is not None:
        path.append(before[path[-1]])
    return [env.maze.cell_rowcol_to_xy(cell) for cell in reversed(path)]


def record_maze(file):
    """A trace in every layout, into a wall at first, with both rewards; and the rewards at distances
    about the goal's radius."""
    prefix, version = MAZES[file]
    facts, arrays = {"layouts": list(LAYOUTS)}, {}
    length = {"point_maze": 300, "ant_maze": 20}[file]
    for layout, (_, start, goal) in LAYOUTS.items():
        env = maze(prefix, version, layout, continuing_task=False)
        dense = maze(prefix, version, f"{layout}Dense")
        robot = env.point_env if file == "point_maze" else env.ant_env
        rng = generator(f"{file} {layout}")
        env.reset(seed=0, options={"reset_cell": np.array(start), "goal_cell": np.array(goal)})
        if file == "ant_maze":  # on its way into the wall to the left, whose face is 1 m away
            qpos, qvel = robot.init_qpos.copy(), robot.init_qvel.copy()
            qpos[0], qvel[0] = env.maze.cell_rowcol_to_xy(start)[0] - 1.0, -3.0
            set_state(robot, qpos, qvel)
        path = shortest_path(env, start, goal)
        into_wall = 40
        columns = Columns()
        columns.add(qpos=robot.data.qpos.copy(), qvel=robot.data.qvel.copy())
        for step in range(length):
            action = towards(env, robot, path, rng)
            if file == "point_maze" and step < into_wall:
                action = np.array([-1.5, 0.4], dtype=np.float32)
            observation, reward, terminated, _, info = env.step(action)
            dense_reward = dense.compute_reward(observation["achieved_goal"], env.goal, {})
            columns.add(
                action=action, qpos=robot.data.qpos.copy(), qvel=robot.data.qvel.copy(),
                sparse=np.float64(reward), dense=np.float64(dense_reward), terminated=np.uint8(terminated),
                contacts=np.uint8(robot.data.ncon),
            )
            observed_positions = 0 if file == "point_maze" else 2  # from which on
            state = np.concatenate([robot.data.qpos[observed_positions:], robot.data.qvel])
            assert (observation["observation"][:state.size] == state).all()
        arrays |= columns.arrays(layout.lower())
        facts |= {f"{layout.lower()}.map": rows_of(env.maze.maze_map),
                  f"{layout.lower()}.time_limit": gymnasium.spec(f"{prefix}_{layout}-{version}").max_episode_steps,
                  f"{layout.lower()}.goal": [float(x) for x in env.goal]}
        centres = [[i, j, *env.maze.cell_rowcol_to_xy((i, j))]
                   for i in range(env.maze.map_length) for j in range(env.maze.map_width)]
        arrays[f"{layout.lower()}.centres"] = np.array(centres, dtype=np.float64)
    facts |= {"scaling": float(env.maze.maze_size_scaling), "height": float(env.maze.maze_height),
              "noise": float(env.position_noise_range), "timestep": robot.model.opt.timestep,
              "frame_skip": robot.frame_skip}

    # The last layout's goal, from places around it.
    rng, columns = generator(f"{file} rewards"), Columns()
    for index in range(32):
        angle, distance = rng.uniform(0, 2 * np.pi), [0.45, 0.9, 3.0, 30.0][index % 4] * rng.uniform(0, 2)
        achieved = env.goal + distance * np.array([np.cos(angle), np.sin(angle)])
        columns.add(
            achieved=achieved, goal=env.goal.copy(),
            sparse=np.float64(env.compute_reward(achieved, env.goal, {})),
            dense=np.float64(dense.compute_reward(achieved, env.goal, {})),
            terminated=np.uint8(env.compute_terminated(achieved, env.goal, {})),
        )
    arrays |= columns.arrays("rewards")
    for name, layout in vars(maps).items():
        if name.isupper() and isinstance(layout, list):
            facts[f"maps.{name.lower()}"] = rows_of(layout)
    write(file, facts, arrays)


def main():
    files = sys.argv[1:] or [*ROBOTS, *MAZES, "returns"]
    for file in files:
        if file == "returns":
            record_returns()
        elif file in MAZES:
            record_maze(file)
        else:
            record_robot(file)


if __name__ == "__main__":
    main()
