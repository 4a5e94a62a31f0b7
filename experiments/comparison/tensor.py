"""The workloads of `benches/tensor.rs` in PyTorch, eager, one thread: microseconds per call.

    python experiments/comparison/tensor.py [--fused]

`--fused` takes PyTorch's fused Adam. Prints the median and the fastest of many rounds as JSON, with
the version.
"""

import argparse
import json
import math
import statistics
import time

import torch
from torch import nn

OBSERVATION, ACTION = 11, 3


def stack(inputs, hidden, outputs, activation, last=None):
    layers = [nn.Linear(inputs, hidden), activation(), nn.Linear(hidden, hidden), activation()]
    layers.append(nn.Linear(hidden, outputs))
    if last is not None:
        layers.append(last())
    return nn.Sequential(*layers)


def uniform(*shape):
    return torch.rand(*shape) * 2 - 1


def forward_backward(inputs, hidden, outputs, batch):
    network = stack(inputs, hidden, outputs, nn.Tanh)
    data = uniform(batch, inputs)

    def run():
        network.zero_grad(set_to_none=True)
        network(data).square().mean().backward()

    return run


def ppo(fused, batch=64):
    policy = stack(OBSERVATION, 64, ACTION, nn.Tanh)
    value = stack(OBSERVATION, 64, 1, nn.Tanh)
    log_deviation = nn.Parameter(torch.zeros(ACTION))
    parameters = [*policy.parameters(), log_deviation, *value.parameters()]
    adam = torch.optim.Adam(parameters, lr=3e-4, eps=1e-5, fused=fused)
    observations, actions = uniform(batch, OBSERVATION), uniform(batch, ACTION)
    old_log_probs, advantages, returns = uniform(batch) - 3.5, uniform(batch), uniform(batch)
    constant = 0.5 * math.log(2 * math.pi) * ACTION

    def run():
        standardised = (policy(observations) - actions) * torch.exp(-log_deviation)
        log_probs = -0.5 * standardised.square().sum(1) - log_deviation.sum() - constant
        ratio = torch.exp(log_probs - old_log_probs)
        clipped = torch.clamp(ratio, 0.8, 1.2) * advantages
        policy_loss = -torch.minimum(clipped, ratio * advantages).mean()
        value_loss = (value(observations).flatten() - returns).square().mean()
        loss = policy_loss + 0.5 * value_loss - 0.01 * log_deviation.sum()
        adam.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 0.5)
        adam.step()

    return run


def td3(fused, batch=256):
    actor, target_actor = (stack(OBSERVATION, 256, ACTION, nn.ReLU, nn.Tanh) for _ in range(2))
    critics = [stack(OBSERVATION + ACTION, 256, 1, nn.ReLU) for _ in range(2)]
    target_critics = [stack(OBSERVATION + ACTION, 256, 1, nn.ReLU) for _ in range(2)]
    target_actor.load_state_dict(actor.state_dict())
    for critic, target in zip(critics, target_critics):
        target.load_state_dict(critic.state_dict())
    critic_parameters = [p for critic in critics for p in critic.parameters()]
    actor_adam = torch.optim.Adam(actor.parameters(), lr=3e-4, fused=fused)
    critic_adam = torch.optim.Adam(critic_parameters, lr=3e-4, fused=fused)
    observations, actions = uniform(batch, OBSERVATION), uniform(batch, ACTION)
    next_observations, noise = uniform(batch, OBSERVATION), 0.2 * uniform(batch, ACTION)
    rewards = uniform(batch, 1)
    online = [*actor.parameters(), *critic_parameters]
    targets = [*target_actor.parameters(), *(p for t in target_critics for p in t.parameters())]

    def run():
        with torch.no_grad():
            next_actions = (target_actor(next_observations) + noise).clamp(-1, 1)
            joined = torch.cat([next_observations, next_actions], 1)
            next_values = torch.minimum(*(target(joined) for target in target_critics))
            target_values = rewards + 0.99 * next_values
        joined = torch.cat([observations, actions], 1)
        loss = sum((critic(joined) - target_values).square().mean() for critic in critics)
        critic_adam.zero_grad(set_to_none=True)
        loss.backward()
        critic_adam.step()
        # The critic is a constant here, as in ours: its parameters get no gradient.
        for parameter in critic_parameters:
            parameter.requires_grad_(False)
        loss = -critics[0](torch.cat([observations, actor(observations)], 1)).mean()
        actor_adam.zero_grad(set_to_none=True)
        loss.backward()
        actor_adam.step()
        for parameter in critic_parameters:
            parameter.requires_grad_(True)
        with torch.no_grad():
            torch._foreach_lerp_(targets, online, 0.005)

    return run


def infer(rows):
    policy = stack(OBSERVATION, 64, ACTION, nn.Tanh)
    observations = uniform(rows, OBSERVATION)

    def run():
        with torch.inference_mode():
            policy(observations)

    return run


def measure(run, calls, rounds):
    for _ in range(calls):
        run()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        for _ in range(calls):
            run()
        times.append((time.perf_counter() - start) / calls * 1e6)
    return {"median_us": round(statistics.median(times), 2), "fastest_us": round(min(times), 2)}


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--fused", action="store_true", help="PyTorch's fused Adam")
    fused = arguments.parse_args().fused
    torch.set_num_threads(1)
    torch.manual_seed(0)
    results = {
        "forward and backward 11-64-64-3 × 64": measure(forward_backward(11, 64, 3, 64), 50, 60),
        "forward and backward 14-256-256-1 × 256": measure(forward_backward(14, 256, 1, 256), 10, 40),
        "update/ppo": measure(ppo(fused), 50, 60),
        "update/td3": measure(td3(fused), 5, 40),
        "infer 11-64-64-3/1 rows": measure(infer(1), 500, 60),
        "infer 11-64-64-3/16 rows": measure(infer(16), 500, 60),
    }
    print(json.dumps({"torch": torch.__version__, "fused_adam": fused, "results": results}, indent=2))


if __name__ == "__main__":
    main()
