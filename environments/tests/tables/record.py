"""Records the exact tables of Gymnasium's toy-text environments.

    python environments/tests/tables/record.py

writes one CSV file for each environment beside this script: a comment line with the versions it was
recorded with, a header, and one line for each possible outcome of each action in each state. It
needs `gymnasium` and nothing else; the tests that read the files need no Python.
"""

import pathlib
import platform

import gymnasium
import numpy as np

TABLES = {
    "frozen_lake_4x4": ("FrozenLake-v1", {"map_name": "4x4"}),
    "frozen_lake_8x8": ("FrozenLake-v1", {"map_name": "8x8"}),
    "frozen_lake_not_slippery": ("FrozenLake-v1", {"map_name": "4x4", "is_slippery": False}),
    "cliff_walking": ("CliffWalking-v1", {}),
    "cliff_walking_slippery": ("CliffWalking-v1", {"is_slippery": True}),
}

for name, (environment, arguments) in TABLES.items():
    table = gymnasium.make(environment, **arguments).unwrapped.P
    versions = f"gymnasium {gymnasium.__version__}, numpy {np.__version__}, Python {platform.python_version()}"
    lines = [f"# {environment} {arguments}, {versions}", "state,action,probability,next,reward,terminated"]
    for state, actions in table.items():
        for action, outcomes in actions.items():
            for probability, following, reward, terminated in outcomes:
                end = "true" if terminated else "false"
                lines.append(f"{state},{action},{float(probability)!r},{int(following)},{float(reward)!r},{end}")
    (pathlib.Path(__file__).parent / f"{name}.csv").write_text("\n".join(lines) + "\n")
