"""The same workloads in Python and in Assay: one machine, one core, several times, interleaved.

    python -m pip install 'stable_baselines3==2.9.2' 'gymnasium==1.4.0' 'mujoco==3.17.0'
    python experiments/comparison/compare.py --cleanrl CHECKOUT --cleanrl-python PYTHON

builds Assay's `speed` example, runs every implementation of every workload in a process of its own,
writes each measurement as a row of `results/<machine>.csv` as soon as it is there, and prints a
summary. README.md beside this file says what the workloads are. Needs Linux.
"""

import argparse
import collections
import csv
import datetime
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
OURS = "assay"

# Workload: what is counted, and who does it besides us.
WORKLOADS = {
    "ppo-cartpole": ("steps", ["stable-baselines3", "cleanrl"]),
    "ppo-update": ("updates", ["stable-baselines3", "pytorch"]),
    "sac-pendulum-256": ("updates", ["stable-baselines3", "cleanrl"]),
    "sac-pendulum-64": ("updates", ["stable-baselines3"]),
    "td3-pendulum-256": ("updates", ["stable-baselines3", "cleanrl"]),
    "td3-pendulum-64": ("updates", ["stable-baselines3"]),
    "policy-gradient-64": ("gradients", ["pytorch"]),
    "hessian-product-64": ("products", ["pytorch"]),
    "cartpole-step": ("steps", ["gymnasium", "gymnasium-vector"]),
    "hopper-step": ("steps", ["gymnasium", "mujoco"]),
    "walker2d-step": ("steps", ["gymnasium", "mujoco"]),
    "half-cheetah-step": ("steps", ["gymnasium", "mujoco"]),
    "ant-step": ("steps", ["gymnasium", "mujoco"]),
}

COLUMNS = [
    "workload", "implementation", "repetition", "unit", "count", "seconds", "cpu_seconds", "per_second",
    "peak_memory_bytes", "load_average", "versions", "time",
]

# A measurement is undisturbed when its process had at least this share of the core.
QUIET = 0.95

# Around the summary in the README.
BEGIN, END = "<!-- summary of compare.py -->", "<!-- summary ends -->"

ONE_THREAD = {
    name: "1"
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS")
}


def options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=15, help="length of a measurement (default: 15)")
    parser.add_argument("--repetitions", type=int, default=5, help="of each measurement (default: 5)")
    parser.add_argument("--workloads", nargs="+", choices=WORKLOADS, default=list(WORKLOADS))
    parser.add_argument("--implementations", nargs="+", help="only these (default: all)")
    parser.add_argument("--core", type=int, default=0, help="the core that everything runs on (default: 0)")
    parser.add_argument("--assay", type=pathlib.Path, help="the speed example's binary (default: built)")
    parser.add_argument("--cleanrl", type=pathlib.Path, help="a CleanRL checkout (default: left out)")
    parser.add_argument("--cleanrl-python", default=sys.executable,
                        help="an interpreter with what CleanRL needs (default: this one)")
    parser.add_argument("--output", type=pathlib.Path, help="the file of raw numbers, which is added to")
    parser.add_argument("--summary", type=pathlib.Path, metavar="FILE",
                        help="only summarise an earlier file")
    parser.add_argument("--publish", action="store_true", help="put the summary into the README")
    return parser.parse_args()


def build():
    """Assay's binary, from the workspace that this file stands in."""
    command = ["cargo", "build", "--release", "-p", "assay-experiments", "--example", "speed",
               "--message-format", "json-render-diagnostics"]
    messages = subprocess.run(command, cwd=HERE, check=True, capture_output=True, text=True).stdout
    artifacts = [json.loads(line) for line in messages.splitlines()]
    return [a["executable"] for a in artifacts if a.get("executable")][-1]


def command(implementation, workload, arguments):
    if implementation == OURS:
        return [str(arguments.assay), workload, str(arguments.seconds)]
    python = arguments.cleanrl_python if implementation == "cleanrl" else sys.executable
    extra = ["--cleanrl", str(arguments.cleanrl)] if implementation == "cleanrl" else []
    return [python, str(HERE / "worker.py"), implementation, workload, str(arguments.seconds), *extra]


def measure(implementation, workload, arguments):
    """One process; its last line is the result."""
    environment = os.environ | ONE_THREAD | {"CUDA_VISIBLE_DEVICES": ""}
    process = subprocess.run(
        command(implementation, workload, arguments),
        env=environment,
        preexec_fn=lambda: os.sched_setaffinity(0, {arguments.core}),
        capture_output=True,
        text=True,
    )
    if process.returncode != 0:
        sys.exit(f"{implementation} failed on {workload}:\n{process.stderr}")
    return json.loads(process.stdout.splitlines()[-1])


def machine():
    """The processor's name, for the records' file name."""
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.processor() or platform.machine()


def commit(checkout):
    describe = ["git", "-C", str(checkout), "describe", "--always", "--dirty"]
    return subprocess.run(describe, capture_output=True, text=True).stdout.strip()


def summarise(path):
    """The medians as a Markdown table, and a warning about measurements on a busy machine."""
    rates, memory, units = collections.defaultdict(list), collections.defaultdict(list), {}
    disturbed = 0
    with path.open() as file:
        for row in csv.DictReader(file):
            key = row["workload"], row["implementation"]
            rates[key].append(float(row["per_second"]))
            memory[key].append(int(row["peak_memory_bytes"]) / 2**20)
            units[row["workload"]] = row["unit"]
            disturbed += float(row["cpu_seconds"]) < QUIET * float(row["seconds"])
    lines = ["| workload | implementation | median per second | least | most | runs | peak memory, MiB | Assay is |",
             "| :-- | :-- | --: | --: | --: | --: | --: | --: |"]
    for (workload, implementation), values in rates.items():
        ours = rates.get((workload, OURS))
        median = statistics.median(values)
        faster = f"{statistics.median(ours) / median:.1f} × as fast" if ours and implementation != OURS else ""
        lines.append(
            f"| {workload}, {units[workload]} | {implementation} | {median:,.0f} | {min(values):,.0f} | "
            f"{max(values):,.0f} | {len(values)} | {max(memory[workload, implementation]):,.0f} | {faster} |"
        )
    if disturbed:
        lines.append(f"\nIn {disturbed} of {sum(map(len, rates.values()))} measurements other programs took more "
                     f"than {1 - QUIET:.0%} of the core's time.")
    return "\n".join(lines)


def publish(summary, page=HERE / "README.md"):
    """Puts the summary into its block of the page."""
    before, rest = page.read_text().split(BEGIN)
    page.write_text(f"{before}{BEGIN}\n{summary}\n{END}{rest.split(END)[1]}")


def finish(path, arguments):
    summary = summarise(path)
    print(summary)
    if arguments.publish:
        publish(summary)


def main():
    arguments = options()
    if arguments.summary:
        return finish(arguments.summary, arguments)
    chosen = lambda name: not arguments.implementations or name in arguments.implementations
    if chosen(OURS):
        arguments.assay = (arguments.assay or pathlib.Path(build())).resolve()
    name = "-".join(machine().lower().replace("(r)", "").split())
    output = arguments.output or HERE / "results" / f"{name}.csv"
    output.parent.mkdir(parents=True, exist_ok=True)
    if not output.exists():
        output.write_text(",".join(COLUMNS) + "\n")
    for repetition in range(arguments.repetitions):
        for workload in arguments.workloads:
            unit, others = WORKLOADS[workload]
            implementations = [name for name in [OURS, *others] if chosen(name)]
            if arguments.cleanrl is None and "cleanrl" in implementations:
                implementations.remove("cleanrl")
            # Everybody is first in turn, so that none always runs on a warmer or a busier machine.
            turn = repetition % max(len(implementations), 1)
            for implementation in implementations[turn:] + implementations[:turn]:
                load = os.getloadavg()[0]
                result = measure(implementation, workload, arguments)
                rate = result["count"] / result["seconds"]
                versions = result.get("versions") or {"assay": commit(HERE)}
                if implementation == "cleanrl":
                    versions["cleanrl"] = commit(arguments.cleanrl)
                row = [workload, implementation, repetition, unit, round(result["count"]),
                       round(result["seconds"], 4), round(result["cpu_seconds"], 4), round(rate, 2),
                       result["peak_memory"], load,
                       " ".join(f"{k}={v}" for k, v in versions.items()),
                       datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")]
                with output.open("a", newline="") as file:
                    csv.writer(file, lineterminator="\n").writerow(row)
                print(f"{workload} {implementation}: {rate:,.0f} {unit} per second", file=sys.stderr, flush=True)
    finish(output, arguments)


main()
