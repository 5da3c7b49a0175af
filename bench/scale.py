#!/usr/bin/env python3
"""A million tasks: what checking, planning, running and resuming take, beside their limits.

usage: bench/scale.py [--tasks 1000000] [--run-tasks 100000] [--seconds 60]

`check` and `plan` of three files of a million tasks: a bare foreach, one with an input and an output for each
task, and a WfFormat recording in which half of the tasks have two parents. Then runs of 100,000 tasks that do
nothing, two at a time: how memory grows from 10 % of the tasks to 90 %, and how soon a resume hands out new
work after `kill -9`. Last, a run of the million is watched for a while and interrupted.

A figure past its limit is marked, and the exit code is 1. Times depend on what else the machine does: the load
is printed with them. Needs a release build (`cargo build --release`).
"""
import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
FORESHARD = str(TARGET / "foreshard")
# Runs on this machine that others have started are not to share it with these.
ALONE = {**os.environ, "FORESHARD_LEDGER": "none"}
MIB = 1024


def flat(n):
    yield (f"foreshard: 1\nname: flat\ntasks:\n  t:\n    foreach: {{i: {{from: 1, to: {n}}}}}\n"
           "    argv: ['true']\n")


def with_files(n):
    """Half of the tasks read one file that is there, the others what the first half writes."""
    half = f"    foreach: {{i: {{from: 1, to: {n // 2}}}}}\n    run: cp {{inputs}} {{outputs}}\n"
    yield (f"foreshard: 1\nname: files\ntasks:\n  first:\n{half}    inputs: in.txt\n    outputs: first/{{i}}\n"
           f"  second:\n{half}    inputs: first/{{i}}\n    outputs: second/{{i}}\n")


def recording(n):
    """WfFormat 1.5: task 2p + 1 and task 2p + 3 come after task p, so that each odd task has two parents."""
    def row(fields):
        return json.dumps(fields, separators=(",", ":"))

    def task(i):
        parents = [(i - 3) // 2, (i - 1) // 2] if i % 2 and i >= 5 else []
        children = [c for c in (2 * i + 1, 2 * i + 3) if 5 <= c < n]
        return row({"name": f"kind{i % 10}", "id": f"t{i}", "parents": [f"t{p}" for p in parents],
                    "children": [f"t{c}" for c in children],
                    "inputFiles": [f"f{parents[0]}" if parents else "in"], "outputFiles": [f"f{i}"]})

    def rows(make):
        for i in range(n):
            yield ("," if i else "") + make(i)

    yield '{"name":"recording","schemaVersion":"1.5","workflow":{"specification":{"tasks":['
    yield from rows(task)
    yield '],"files":[{"id":"in","sizeInBytes":100},'
    yield from rows(lambda i: row({"id": f"f{i}", "sizeInBytes": 100 + i % 50}))
    yield ']},"execution":{"makespanInSeconds":1000,"executedAt":"2026-01-01T00:00:00Z","tasks":['
    yield from rows(lambda i: row({"id": f"t{i}", "runtimeInSeconds": 1 + i % 7, "coreCount": 1, "avgCPU": 90}))
    yield "]}}}"


def write(path, parts):
    path.parent.mkdir()
    with open(path, "w") as file:
        file.writelines(parts)
    return path


class Table:
    """Figures as they come, each with what it may be at most."""

    def __init__(self):
        self.is_sound = True
        print(f"{'':54} {'figure':>10} {'limit':>10}")

    def row(self, label, figure, limit, unit):
        number = f"{{:.{3 if unit == 'x' else 2 if unit == 's' else 0}f}} {unit}"
        over = "" if figure <= limit else "  over"
        self.is_sound &= not over
        print(f"{label:54} {number.format(figure):>10} {number.format(limit):>10}{over}", flush=True)


def answer(table, label, path, seconds, mib):
    """`check` and `plan` of one file: the time they take and the memory they peak at."""
    for command in ("check", "plan"):
        start = time.monotonic()
        process = subprocess.Popen([FORESHARD, command, path.name], cwd=path.parent, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - start
        if status:
            sys.exit(f"{command} of {path.name} failed")
        table.row(f"{command}, {label}", wall, seconds, "s")
        table.row("    peak memory", usage.ru_maxrss / MIB, mib, "MiB")


class Watched:
    """A run and its keeper, followed through the files in which they talk to each other."""

    def __init__(self, folder, words):
        self.folder, self.read, self.n_committed, self.has_started = folder, {}, 0, False
        self.began = time.monotonic()
        self.process = subprocess.Popen([FORESHARD, *words], cwd=folder, env=ALONE, stderr=subprocess.PIPE)

    def files(self, name):
        return self.folder.glob(f".foreshard/runs/*/allocations/*/{name}")

    def news(self, path):
        with open(path, "rb") as file:
            file.seek(self.read.get(path, 0))
            text = file.read()
        self.read[path] = self.read.get(path, 0) + len(text)
        return text

    def look(self):
        for path in self.files("progress"):
            text = self.news(path)
            self.n_committed += text.count(b'{"committed":')
            self.has_started |= b'{"started":' in text
        if self.process.poll() is not None:
            sys.exit(f"the run ended early: {self.process.stderr.read().decode()[-2000:]}")

    def until(self, condition):
        while not condition():
            time.sleep(0.02)
            self.look()

    def seconds(self):
        return time.monotonic() - self.began

    def keeper(self):
        """The one that was started last."""
        newest = max(self.files("progress"), key=lambda path: path.stat().st_ctime_ns)
        with open(newest) as file:
            return json.loads(file.readline().split(" ", 1)[1])["hello"]["pid"]

    def kill(self, keeper_too=False):
        keeper = self.keeper()
        self.process.kill()
        if keeper_too:
            os.kill(keeper, signal.SIGKILL)
        self.process.wait()

    def interrupt(self):
        start = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        self.process.communicate()
        return time.monotonic() - start


def memory(pid, field):
    """In MiB. VmRSS: resident now; VmHWM: the most so far."""
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(field + ":")) / MIB


def measure_growth(table, folder, n):
    """Runs until 95 %, where it is killed."""
    run = Watched(folder, ["run", "--quiet", "--jobs", "2", "flat.yaml"])

    def sizes(share):
        run.until(lambda: run.n_committed >= share * n)
        return memory(run.process.pid, "VmRSS"), memory(run.keeper(), "VmRSS")

    early, late = sizes(0.1), sizes(0.9)
    for who, before, after in zip(("orchestrator", "keeper"), early, late):
        table.row(f"memory at 90 % to that at 10 %, {who}", after / before, 1.05, "x")
    run.until(lambda: run.n_committed >= 0.95 * n)
    rate = run.n_committed / run.seconds()
    run.kill()
    return rate


def measure_resume(table, label, folder):
    """How long after its start a resume has written its first order; the run goes on."""
    before = {path: path.stat().st_size for path in folder.glob(".foreshard/runs/*/allocations/*/orders")}
    run = Watched(folder, ["resume", "--quiet"])
    run.read = dict(before)

    def has_ordered():
        return any(b'"lease"' in run.news(path) for path in run.files("orders"))

    while not has_ordered():
        time.sleep(0.002)
        if run.process.poll() is not None:
            sys.exit(f"resume failed: {run.process.stderr.read().decode()[-2000:]}")
    table.row(f"resume until new work, {label}", run.seconds(), 2, "s")
    return run


def measure_resumes(table, folder, n):
    """Once with the keeper alive, once with both dead."""
    run = Watched(folder, ["run", "--quiet", "--jobs", "2", "flat.yaml"])
    run.until(lambda: run.n_committed >= 0.5 * n)
    run.kill()
    run = measure_resume(table, "killed at 50 %", folder)
    run.kill(keeper_too=True)
    run = measure_resume(table, "killed at 50 % with its keeper", folder)
    table.row("    interrupt", run.interrupt(), 5, "s")


def watch_large(table, folder, seconds):
    run = Watched(folder, ["run", "--quiet", "--jobs", "2", "flat.yaml"])
    run.until(lambda: run.has_started)
    table.row("run, bare foreach: until the first task", run.seconds(), 10, "s")
    run.until(lambda: run.seconds() >= seconds)
    peak, keeper = memory(run.process.pid, "VmHWM"), memory(run.keeper(), "VmHWM")
    table.row(f"    peak memory in {seconds:.0f} s, orchestrator", peak, 1536, "MiB")
    table.row(f"    peak memory in {seconds:.0f} s, keeper", keeper, 1536, "MiB")
    table.row("    interrupt", run.interrupt(), 5, "s")


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--tasks", type=int, default=1_000_000)
    options.add_argument("--run-tasks", type=int, default=100_000)
    options.add_argument("--seconds", type=float, default=60)
    chosen = options.parse_args()
    n, few = chosen.tasks, chosen.run_tasks
    print(f"{n:,} tasks; runs of {few:,}; load before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cpus")
    with tempfile.TemporaryDirectory(prefix="foreshard-bench-") as name:
        folder = Path(name)
        large = write(folder / "large" / "flat.yaml", flat(n))
        files = write(folder / "files" / "files.yaml", with_files(n))
        (files.parent / "in.txt").write_text("in\n")
        recorded = write(folder / "recorded" / "recording.json", recording(n))
        table = Table()
        for label, path in (("bare foreach", large), ("with files", files), ("WfFormat", recorded)):
            answer(table, label, path, 10, 1536)
        first, second = (write(folder / name / "flat.yaml", flat(few)).parent for name in ("first", "second"))
        rate = measure_growth(table, first, few)
        run = measure_resume(table, "killed at 95 %", first)
        _, message = run.process.communicate()
        if run.process.returncode:
            sys.exit(f"the resumed run failed: {message.decode()[-2000:]}")
        measure_resumes(table, second, few)
        watch_large(table, large.parent, chosen.seconds)
    print(f"{rate:.0f} tasks/s until 95 %; load after: {os.getloadavg()[0]:.1f}")
    sys.exit(not table.is_sound)


main()
