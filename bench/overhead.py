#!/usr/bin/env python3
"""Overhead per task, against the floor and the peers, in one run.

usage: bench/overhead.py [--tasks 10000] [--rounds 3] [--skip-peers]

Every round takes, one after the other and two tasks at a time: the bare posix_spawn loop (the floor), Foreshard
on independent tasks and on a layered graph, ninja, make, and HyperQueue where they are installed; then a bare
loop that spawns, hashes, syncs and renames one small output per task in 8 threads, and Foreshard with one
declared output per task. Ratios are taken within a round, because a shared machine drifts between rounds.

Needs a release build (`cargo build --release --examples --workspace`).
"""
import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
FORESHARD = TARGET / "foreshard"
FLOOR = TARGET / "examples" / "spawn_floor"


def layered(n, layers=50, deps=3, seed=1):
    """Equal layers; each task needs `deps` distinct random tasks of the layer before."""
    rng, per, graph = random.Random(seed), n // layers, []
    for i in range(n):
        k = i // per
        graph.append(sorted(rng.sample(range((k - 1) * per, k * per), deps)) if k else [])
    return graph


def foreshard_flat(n):
    return (f"foreshard: 1\nname: flat\ntasks:\n  t:\n    foreach: {{i: {{from: 1, to: {n}}}}}\n"
            "    argv: ['true']\n")


def foreshard_layered(graph):
    tasks = {f"t{i}": {"argv": ["true"], **({"needs": [f"t{j}" for j in d]} if d else {})}
             for i, d in enumerate(graph)}
    return json.dumps({"foreshard": 1, "name": "layered", "tasks": tasks})


def foreshard_outputs(n):
    return (f"foreshard: 1\nname: outputs\ntasks:\n  t:\n    foreach: {{i: {{from: 1, to: {n}}}}}\n"
            "    run: echo {i} > {outputs}\n    outputs: out/{i}\n")


def make_file(graph):
    yield ".PHONY: all " + " ".join(f"t{i}" for i in range(len(graph))) + "\n"
    yield "all: " + " ".join(f"t{i}" for i in range(len(graph))) + "\n"
    for i, d in enumerate(graph):
        yield f"t{i}: " + " ".join(f"t{j}" for j in d) + "\n\t@true\n"


def ninja_file(graph):
    yield "rule r\n  command = true\n  description = x\n"
    for i, d in enumerate(graph):
        yield f"build t{i}: r" + (" | " + " ".join(f"t{j}" for j in d) if d else "") + "\n"


def spawn_floor(folder, n):
    """The referee's C loop where it is there, else ours."""
    source = Path(os.environ.get("FORESHARD_BENCH", ROOT / "../shared/bench")) / "peers" / "spawn.c"
    if source.exists() and shutil.which("cc"):
        program = folder / "spawn"
        subprocess.run(["cc", "-O2", "-o", program, source], check=True)
        return [str(program), "vfork", "true", str(n), "2"]
    return [str(FLOOR), "spawn", str(n), "2"]


def foreign_cpu():
    fields = list(map(int, open("/proc/stat").readline().split()[1:9]))
    return (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")


def timed(command, cwd):
    """Wall seconds and the cores that other programs used meanwhile."""
    busy, start = foreign_cpu(), time.monotonic()
    process = subprocess.Popen(command, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    message = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - start
    if status:
        sys.exit(f"{command[0]} failed: {message.decode()[-2000:]}")
    return wall, max(0.0, (foreign_cpu() - busy) / wall)


def contenders(n, folder, with_peers):
    """Name, the floor it is measured against, command, and what to remove before."""
    graph = layered(n)
    files = {"flat.yaml": foreshard_flat(n), "layered.json": foreshard_layered(graph),
             "outputs.yaml": foreshard_outputs(n // 5),
             "flat.mk": "".join(make_file([[]] * n)), "layered.mk": "".join(make_file(graph)),
             "flat.ninja": "".join(ninja_file([[]] * n)), "layered.ninja": "".join(ninja_file(graph))}
    for name, text in files.items():
        (folder / name).write_text(text)
    run = [str(FORESHARD), "run", "--quiet", "--jobs", "2"]
    yield "spawn loop (floor)", None, n, spawn_floor(folder, n), []
    yield "foreshard, independent", "spawn loop (floor)", n, run + ["flat.yaml"], [".foreshard"]
    yield "foreshard, layered", "spawn loop (floor)", n, run + ["layered.json"], [".foreshard"]
    if with_peers:
        for tool, command in (("ninja", ["ninja", "--quiet", "-j2", "-f"]), ("make", ["make", "-s", "-j2", "-f"])):
            ending = "ninja" if tool == "ninja" else "mk"
            if shutil.which(tool):
                for kind in ("flat", "layered"):
                    target = ["all"] if tool == "make" else []
                    yield (f"{tool} -j2, {kind}", "spawn loop (floor)", n,
                           command + [f"{kind}.{ending}"] + target, [".ninja_log", ".ninja_deps"])
    few = n // 5
    yield "spawn, hash, sync, rename (floor)", None, few, [str(FLOOR), "publish", str(few), "8"], ["floor"]
    yield ("foreshard, one output", "spawn, hash, sync, rename (floor)", few,
           run + ["outputs.yaml"], [".foreshard", "out"])


def clean(folder, names):
    for name in names:
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        elif path.exists():
            path.unlink()


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--tasks", type=int, default=10_000)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--skip-peers", action="store_true")
    chosen = options.parse_args()
    rates, ratios, foreign = {}, {}, {}
    with tempfile.TemporaryDirectory(prefix="foreshard-bench-") as name:
        folder = Path(name)
        everyone = list(contenders(chosen.tasks, folder, not chosen.skip_peers))
        for _ in range(chosen.rounds):
            walls = {}
            for label, floor, n, command, remove in everyone:
                clean(folder, remove)
                wall, others = timed(command, folder)
                walls[label] = wall / n
                rates.setdefault(label, []).append(n / wall)
                foreign.setdefault(label, []).append(others)
                if floor:
                    ratios.setdefault(label, []).append(walls[floor] / walls[label])
    print(f"{'':36} {'tasks/s':>9} {'us/task':>9} {'of floor':>9}   rounds")
    for label, _, _, _, _ in everyone:
        rate = statistics.median(rates[label])
        ratio = statistics.median(ratios[label]) if label in ratios else None
        rounds = " ".join(f"{r:.2f}" for r in ratios.get(label, []))
        print(f"{label:36} {rate:9.0f} {1e6 / rate:9.0f} {f'{ratio:.2f}' if ratio else '':>9}   {rounds}")


main()
