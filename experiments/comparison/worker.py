"""One measurement of a Python implementation; `compare.py` starts this, each time in a new process.

    python worker.py IMPLEMENTATION WORKLOAD SECONDS [--cleanrl CHECKOUT]

Prints one line of JSON: how many steps or updates were done in how many seconds, and the process's
peak memory. Implementations are used as their users would use them, with one thread. The clock
starts after a warm-up and is read between whole iterations, so neither imports nor a part of an
iteration are in the numbers.
"""

import argparse
import contextlib
import importlib.metadata
import json
import os
import pathlib
import runpy
import sys
import tempfile
import time

WARM_UP_STEPS = 500  # before the clock starts, off-policy; on-policy one whole iteration
LEARNING_STARTS = 256  # environment steps before the first update, off-policy: one batch
ROLLOUT = 2_048
COPIES = 1_024  # of CartPole, where it is stepped as a batch
# Robots: Gymnasium's name, and the mean length of an episode with random actions, as recorded in
# environments/tests/robots/returns.recording.
ROBOTS = {
    "hopper-step": ("Hopper-v5", 22),
    "walker2d-step": ("Walker2d-v5", 22),
    "half-cheetah-step": ("HalfCheetah-v5", 1_000),
    "ant-step": ("Ant-v5", 165),
}
TIME_LIMIT = 1_000  # of their episodes
TRAJECTORY = 200  # steps, of which derivatives are taken
EPOCHS = 1_000  # over a batch of one minibatch, where only updates are measured


class Finished(Exception):
    """Ends a training loop from within its environment."""


class Clock:
    """Counts events and reads the time at every `period`-th, after `warm_up` events. `result` is the
    number of events, the seconds that passed, and those that the processor spent on this process."""

    def __init__(self, period, warm_up, seconds):
        self.period, self.warm_up, self.seconds = period, warm_up, seconds
        self.count, self.start = 0, None

    def tick(self):
        """Before each event. Raises `Finished` at the first period's end after enough time."""
        if self.count % self.period == 0 and self.count >= self.warm_up:
            now = (self.count, time.perf_counter(), time.process_time())
            if self.start is None:
                self.start = now
            elif now[1] - self.start[1] >= self.seconds:
                self.result = [end - start for start, end in zip(self.start, now)]
                raise Finished
        self.count += 1


def metered(make, clock):
    """`gymnasium.make` whose environments tell the clock of every step."""
    import gymnasium

    class Metered(gymnasium.Wrapper):
        def step(self, action):
            clock.tick()
            return self.env.step(action)

    return lambda *args, **kwargs: Metered(make(*args, **kwargs))


def on_policy_clock(seconds):
    return Clock(ROLLOUT, ROLLOUT, seconds)


def off_policy_clock(seconds):
    return Clock(100, WARM_UP_STEPS, seconds)


def stable_baselines3(workload, seconds):
    import gymnasium
    import stable_baselines3 as sb3

    algorithm, size = workload.split("-")[0], workload.split("-")[-1]
    if workload == "ppo-cartpole":
        clock = on_policy_clock(seconds)
        environment = metered(gymnasium.make, clock)("CartPole-v1")
        model = sb3.PPO("MlpPolicy", environment, seed=0, device="cpu")  # the defaults are the workload
    elif workload == "ppo-update":
        clock = Clock(64, 64, seconds)
        environment = metered(gymnasium.make, clock)("CartPole-v1")
        model = sb3.PPO(
            "MlpPolicy", environment, n_steps=64, batch_size=64, n_epochs=EPOCHS, seed=0, device="cpu"
        )
    else:
        clock = off_policy_clock(seconds)
        environment = metered(gymnasium.make, clock)("Pendulum-v1")
        model = {"sac": sb3.SAC, "td3": sb3.TD3}[algorithm](
            "MlpPolicy",
            environment,
            learning_starts=LEARNING_STARTS,
            batch_size=256,
            train_freq=1,
            gradient_steps=1,
            policy_kwargs={"net_arch": [int(size)] * 2},
            seed=0,
            device="cpu",
        )
    with contextlib.suppress(Finished):
        model.learn(total_timesteps=10**9)
    steps, *seconds = clock.result
    updates_per_step = EPOCHS / 64 if workload == "ppo-update" else 1
    return steps * updates_per_step, *seconds


def cleanrl(workload, seconds, checkout):
    """Runs the checkout's own script, unchanged."""
    import gymnasium

    script, options, clock = {
        "ppo-cartpole": (
            "ppo.py",
            "--num-envs 1 --num-steps 2048 --num-minibatches 32 --update-epochs 10 --learning-rate 3e-4 "
            "--ent-coef 0 --no-clip-vloss --no-anneal-lr --env-id CartPole-v1",
            on_policy_clock(seconds),
        ),
        "sac-pendulum-256": (
            "sac_continuous_action.py",
            f"--env-id Pendulum-v1 --batch-size 256 --learning-starts {LEARNING_STARTS}",
            off_policy_clock(seconds),
        ),
        "td3-pendulum-256": (
            "td3_continuous_action.py",
            f"--env-id Pendulum-v1 --batch-size 256 --learning-starts {LEARNING_STARTS}",
            off_policy_clock(seconds),
        ),
    }[workload]
    checkout = pathlib.Path(checkout).resolve()
    sys.path.insert(0, str(checkout))
    sys.argv = [script, "--no-cuda", "--total-timesteps", "1000000", *options.split()]
    gymnasium.make = metered(gymnasium.make, clock)
    with tempfile.TemporaryDirectory() as folder, open(os.devnull, "w") as nothing:
        os.chdir(folder)  # it writes TensorBoard files where it stands
        with contextlib.redirect_stdout(nothing), contextlib.suppress(Finished):
            runpy.run_path(str(checkout / "cleanrl" / script), run_name="__main__")
        os.chdir("/")
    return clock.result


def derivatives(workload, seconds):
    """Over one trajectory with coefficients c, the gradient of sum c log pi, or the product of the Hessian
    estimate with a vector, which comes with it, by differentiating twice in reverse. (Forward over
    reverse, with torch.func, takes twice as long at this size.)"""
    import torch
    from torch import nn
    from torch.autograd import grad

    torch.manual_seed(0)
    policy = nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 2))
    parameters = list(policy.parameters())
    direction = [torch.randn_like(parameter) for parameter in parameters]
    observations, coefficients = torch.randn(TRAJECTORY, 4), torch.rand(TRAJECTORY)
    actions = torch.randint(2, (TRAJECTORY, 1))

    def log_probs():
        return torch.log_softmax(policy(observations), 1).gather(1, actions).squeeze(1)

    def gradient():
        return grad((coefficients * log_probs()).sum(), parameters)

    def product():
        of_steps = log_probs()
        score = grad(of_steps.sum(), parameters, retain_graph=True)
        slope = sum((s * v).sum() for s, v in zip(score, direction))
        first = grad((coefficients * of_steps).sum(), parameters, create_graph=True)
        second = grad(first, parameters, grad_outputs=direction)
        return [slope * g.detach() + h for g, h in zip(first, second)]

    calculate = {"policy-gradient-64": gradient, "hessian-product-64": product}[workload]
    clock = Clock(10, 50, seconds)
    with contextlib.suppress(Finished):
        while True:
            clock.tick()
            calculate()
    return clock.result


def pytorch(workload, seconds):
    """PPO's update of one minibatch written directly in PyTorch: nothing but the update; or
    derivatives of a policy."""
    import torch
    from torch import nn

    if workload != "ppo-update":
        return derivatives(workload, seconds)
    torch.manual_seed(0)

    def network(outputs):
        return nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, outputs))

    policy, value = network(2), network(1)
    parameters = [*policy.parameters(), *value.parameters()]
    adam = torch.optim.Adam(parameters, lr=3e-4, eps=1e-5)
    observations = torch.randn(64, 4)
    actions = torch.randint(2, (64,))
    old_log_probs = torch.full((64,), -0.7)
    advantages, returns = torch.randn(64), torch.randn(64)
    clock = Clock(100, 200, seconds)
    with contextlib.suppress(Finished):
        while True:
            clock.tick()
            distribution = torch.distributions.Categorical(logits=policy(observations))
            ratio = (distribution.log_prob(actions) - old_log_probs).exp()
            standardised = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
            clipped = ratio.clamp(0.8, 1.2)
            policy_loss = -torch.min(ratio * standardised, clipped * standardised).mean()
            value_loss = nn.functional.mse_loss(value(observations).flatten(), returns)
            loss = policy_loss + 0.5 * value_loss - 0.0 * distribution.entropy().mean()
            adam.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, 0.5)
            adam.step()
    return clock.result


def robot(workload):
    """A robot without any wrapper, and 1000 random actions."""
    import gymnasium
    import numpy as np

    name, random_length = ROBOTS[workload]
    environment = gymnasium.make(name, disable_env_checker=True).unwrapped
    environment.reset(seed=0)
    shape = (1_000, *environment.action_space.shape)
    actions = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
    return environment, list(actions), random_length


def gymnasium_robot(workload, seconds):
    """A robot's environment as Gymnasium has it, reset at the end of every episode."""
    environment, actions, _ = robot(workload)
    clock, length = Clock(100, 1_000, seconds), 0
    with contextlib.suppress(Finished):
        while True:
            for action in actions:
                clock.tick()
                _, _, terminated, _, _ = environment.step(action)
                length += 1
                if terminated or length == TIME_LIMIT:
                    environment.reset()
                    length = 0
    return clock.result


def mujoco(workload, seconds):
    """A robot in MuJoCo's Python package and nothing else: no observation, no reward. It starts anew
    as often as episodes with random actions end on average."""
    import mujoco

    environment, actions, random_length = robot(workload)
    model, data, frame_skip = environment.model, environment.data, environment.frame_skip
    mujoco.mj_resetData(model, data)
    clock, length = Clock(100, 1_000, seconds), 0
    with contextlib.suppress(Finished):
        while True:
            for action in actions:
                clock.tick()
                data.ctrl[:] = action
                mujoco.mj_step(model, data, nstep=frame_skip)
                length += 1
                if length == random_length:
                    mujoco.mj_resetData(model, data)
                    length = 0
    return clock.result


def gymnasium_scalar(workload, seconds):
    """CartPole stepped one by one, with random actions drawn beforehand."""
    import gymnasium
    import numpy as np

    if workload in ROBOTS:
        return gymnasium_robot(workload, seconds)
    assert workload == "cartpole-step"
    environment = gymnasium.make("CartPole-v1")
    environment.reset(seed=0)
    actions = np.random.default_rng(0).integers(0, 2, 1_000).tolist()
    clock = Clock(1_000, 1_000, seconds)
    with contextlib.suppress(Finished):
        while True:
            for action in actions:
                clock.tick()
                _, _, terminated, truncated, _ = environment.step(action)
                if terminated or truncated:
                    environment.reset()
    return clock.result


def gymnasium_vector(workload, seconds):
    """Gymnasium's own CartPole on NumPy arrays, which steps all copies at once."""
    import gymnasium
    import numpy as np

    assert workload == "cartpole-step"
    environment = gymnasium.make_vec(
        "CartPole-v1", num_envs=COPIES, vectorization_mode="vector_entry_point"
    )
    environment.reset(seed=0)
    actions = list(np.random.default_rng(0).integers(0, 2, (100, COPIES)))
    clock = Clock(100, 100, seconds)
    with contextlib.suppress(Finished):
        while True:
            for action in actions:
                clock.tick()
                environment.step(action)
    batches, *seconds = clock.result
    return batches * COPIES, *seconds


def peak_memory():
    """The most memory that this process has held, in bytes (Linux)."""
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("implementation")
    parser.add_argument("workload")
    parser.add_argument("seconds", type=float)
    parser.add_argument("--cleanrl")
    arguments = parser.parse_args()
    if arguments.implementation not in ("gymnasium", "gymnasium-vector", "mujoco"):
        import torch

        torch.set_num_threads(1)
    run = {
        "stable-baselines3": stable_baselines3,
        "cleanrl": lambda *a: cleanrl(*a, checkout=arguments.cleanrl),
        "pytorch": pytorch,
        "gymnasium": gymnasium_scalar,
        "gymnasium-vector": gymnasium_vector,
        "mujoco": mujoco,
    }[arguments.implementation]
    count, seconds, cpu_seconds = run(arguments.workload, arguments.seconds)
    versions = {
        package: importlib.metadata.version(package)
        for package in ("stable_baselines3", "torch", "gymnasium", "mujoco", "numpy")
        if package in sys.modules
    }
    result = {
        "count": count,
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "peak_memory": peak_memory(),
        "versions": versions,
    }
    print(json.dumps(result))


main()
