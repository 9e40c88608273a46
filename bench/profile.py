"""Where our microseconds go: this project under load, sampled by py-spy, as CPU time an event by thread and function.

A sample counts for the innermost function of this project on the stack, so what a library or the kernel does for it is
its own: `send` of the engine is mostly the system call that writes. The threads of librdkafka and the workers of
the event loop run no Python; the kernel says what they have cost.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bench.builds import PY_SPY, PY_SPY_BIN, build
from bench.contenders import CONTENDERS, OURS
from bench.measure import Conditions, Run
from bench.processes import thread_cpu_seconds
from bench.workload import Workload, fill
from tests.real_broker.broker import Broker

WARM_UP_SECONDS = 4.0
SAMPLES_PER_SECOND = 100
ROWS_MAX = 30
TOPIC = "bench-profile"
STARTERS = ("consumer/cli/", "consumer/__main__")
"""What stands below the event loop on each stack."""

_FRAME = re.compile(r"(?P<function>\S+) \((?P<file>\S+?)(?::\d+)?\)$")
_THREAD = re.compile(r"thread \((?P<id>\w+)\)(?:: (?P<name>.*))?")


def measured(broker: Broker, events: int, seconds: float) -> dict[str, Any]:
    """Microseconds an event: of each thread, and of each function of the threads that run Python."""
    if (problem := build(PY_SPY)) is not None:
        raise RuntimeError(problem)
    workload = Workload(events=events)
    broker.create_topic(TOPIC, 6)
    fill(broker.bootstrap_servers, TOPIC, workload)
    conditions = Conditions(TOPIC, workload, 0.0, 64, WARM_UP_SECONDS, seconds)
    with tempfile.TemporaryDirectory() as folder, Run(broker, CONTENDERS[OURS], conditions) as run:
        first = run.wait(lambda look: look.events > 0)
        begin = run.wait(lambda look: look.at >= first.at + WARM_UP_SECONDS)
        before = thread_cpu_seconds(run.pid)
        stacks = _sampled(run.pid, seconds, Path(folder, "stacks"))
        after = thread_cpu_seconds(run.pid)
        end = run.look()
        run.stop()
        if end.events >= events:
            raise RuntimeError("all events had come before the sampling was over: --events")
        arrived = end.events - begin.events
    spent = Counter({thread: after[thread] - before.get(thread, 0.0) for thread in after})
    return {
        "title": "Where our microseconds go: 64 at once, 0 ms, while a sampler looks on",
        "events": arrived,
        "events_per_request": arrived / (end.stats["requests"] - begin.stats["requests"]),
        "threads": _threads(spent, arrived),
        "functions": _functions(stacks, spent, arrived),
    }


def _sampled(pid: int, seconds: float, path: Path) -> list[str]:
    # Not stopped for each sample: it ran at a quarter of its speed then.
    options = [
        "--nonblocking",
        "--threads",
        "--format",
        "raw",
        "--rate",
        str(SAMPLES_PER_SECOND),
        "--duration",
        str(int(seconds)),
    ]
    command = [str(PY_SPY_BIN), "record", *options, "--pid", str(pid), "--output", str(path)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return path.read_text().splitlines()


def _threads(spent: Counter[tuple[int, str]], events: int) -> list[tuple[str, float]]:
    by_name: Counter[str] = Counter()
    for (_, name), seconds in spent.items():
        by_name[re.sub(r"\d+$", "", name)] += seconds
    return [(name, _microseconds(seconds, events)) for name, seconds in by_name.most_common(8)]


def _functions(stacks: Iterable[str], spent: Counter[tuple[int, str]], events: int) -> list[tuple[str, str, float]]:
    """Samples share out what their thread has cost."""
    samples: dict[str, Counter[str]] = {}
    for line in stacks:
        stack, _, count = line.rpartition(" ")
        thread, *frames = stack.split(";")
        samples.setdefault(thread, Counter())[_place(frames)] += int(count)
    rows: list[tuple[str, str, float]] = []
    for thread, places in samples.items():
        number, name = _thread(thread)
        cost = sum(seconds for (thread_id, _), seconds in spent.items() if thread_id == number)
        total = places.total()
        rows += [(name, place, _microseconds(cost * count / total, events)) for place, count in places.items()]
    return sorted(rows, key=lambda row: -row[2])[:ROWS_MAX]


def _thread(shown: str) -> tuple[int, str]:
    """Its number and name, of `thread (28717): MainThread`."""
    found = _THREAD.match(shown)
    assert found is not None, shown
    return int(found["id"], 0), found["name"] or ""


def _place(frames: list[str]) -> str:
    for frame in reversed(frames):
        found = _FRAME.search(frame)
        if found is not None and found["file"].startswith("consumer/") and not found["file"].startswith(STARTERS):
            return f"{found['file'].removeprefix('consumer/')}: {found['function']}"
    return "event loop"


def _microseconds(seconds: float, events: int) -> float:
    return seconds / max(events, 1) * 1e6
