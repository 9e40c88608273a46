"""What the loop costs with its engine and a real sink, but without Kafka: for a change to the core, in half a minute.

    python -m bench.loop_alone --rounds 5
    python -m bench.loop_alone --known --users 100000

`--known`: tracks of users who were all identified before, one event a request, as in the scenario `users`.

CPU time of the whole process, in which there is one thread: Kafka's part is done here (records are made of what was
prepared), and the state knows nobody and answers at once. Beside another checkout: loop_beside.py.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parents[1]
FETCH_RECORDS: Final = 400
WARM_SHARE: Final = 0.3
"""Of the events; what is measured begins behind them."""
BATCH_EVENTS_MAX: Final = 100
"""The default."""

Prepared = tuple[int, int, bytes, bytes]
"""Number of the partition, offset, key, value."""


class _Edges:
    """Kafka, state and dead letters in one: gives what there is room for, and takes everything at once."""

    def __init__(self, prepared: list[Prepared], inbox: Any) -> None:
        self._prepared = prepared
        self._inbox = inbox
        self._handed = self._handed_before = 0
        self._limit = 0
        self.limit_bytes = 0
        self.wanted: Mapping[Any, int] = {}

    @property
    def limit_records(self) -> int:
        return self._limit

    @limit_records.setter
    def limit_records(self, limit: int) -> None:
        self._limit = limit
        begin = self._handed - self._handed_before
        left = len(self._prepared) - begin
        room = min(limit - self._handed, FETCH_RECORDS, left)
        if room > 0 and room >= min(FETCH_RECORDS, left):
            some = self._prepared[begin : begin + room]
            self._handed += room
            self._inbox.post_here(fetched(sorted(some)))

    def more(self, prepared: list[Prepared]) -> None:
        """These come next; all before them was handed over."""
        self._prepared, self._handed_before = prepared, self._handed
        self.limit_records = self._limit

    def commit(self, points: Mapping[Any, Any]) -> None:
        self._post("Committed", points, list(points), None)

    def look_up(self, _users: Any) -> None:
        self._post("LookedUp", {})

    def open(self, assignment: Any) -> None:
        self._post("StateOpened", assignment, 0)

    def write(self, actions: Any) -> None:
        self._post("StateWritten", [action.lane for action in actions], {})

    def _post(self, name: str, *values: Any) -> None:
        from consumer.ports import inputs

        self._inbox.post_here(getattr(inputs, name)(*values))

    def __getattr__(self, _name: str) -> Any:
        return lambda *_args, **_named: None


def fetched(some: list[Prepared]) -> Any:
    """What Kafka's thread would post of them."""
    from consumer.ports.inputs import Fetched
    from consumer.sequencing.events import Partition, Record

    now = time.monotonic()
    partitions = {number: Partition("t", number) for number, *_ in some}  # one object each, as in Kafka's thread
    made = [
        Record(partitions[number], offset, 1_795_428_000_000 + offset, key, value, None, now, len(key) + len(value))
        for number, offset, key, value in some
    ]
    if "records" in Fetched.__dataclass_fields__:
        return Fetched(made, {})
    runs: dict[Any, list[Any]] = {}
    for record in made:
        runs.setdefault(record.partition, []).append(record)
    return Fetched(runs, {})  # type: ignore[arg-type]


class Running(NamedTuple):
    """A loop at work."""

    task: asyncio.Task[None]
    edge: Any
    sequencer: Any

    @property
    def finished(self) -> int:
        """How many events have ended."""
        return sum(self.sequencer.account.finished.values())

    async def finish(self, goal: int) -> None:
        """Return when so many have ended."""
        while self.finished < goal:
            assert not self.task.done(), self.task.exception()
            await asyncio.sleep(0.02)


def running(url: str, prepared: list[Prepared], partitions: int, batch_events_max: int) -> Running:
    """The pipeline with its engine, of the package `consumer` that is found first."""
    from consumer.avro.known_schemas import KnownSchemas
    from consumer.customfit.key_rotation import RotatingEngine
    from consumer.loop.pipeline import Pipeline
    from consumer.ops.metrics import Metrics
    from consumer.ops.reporter import Reporter
    from consumer.ports.edges import Edges
    from consumer.ports.inbox import Inbox
    from consumer.ports.inputs import Assigned, StartPoint
    from consumer.sequencing.events import Partition
    from consumer.sequencing.gate import Gate
    from consumer.sequencing.rules import SequencingRules
    from consumer.sequencing.sequencer import Sequencer
    from consumer.service import _tune_interpreter
    from consumer.settings import load_settings

    settings = load_settings(
        {
            "CUSTOMFIT_API_KEY": "benchmark-key",
            "CUSTOMFIT_API_URL": url,
            "CUSTOMFIT_KAFKA_TOPIC": "t",
            "CUSTOMFIT_IN_FLIGHT_MAX": "64",
            "CUSTOMFIT_BATCH_EVENTS_MAX": str(batch_events_max),
        }
    )
    inbox = Inbox()
    sequencer = Sequencer(settings.fill(SequencingRules), Gate(64, lambda _n: 1.0), lambda _n: 1.0)
    reporter = Reporter(Metrics(lambda: pipeline.snapshot), "letters")
    edge: Any = _Edges(prepared, inbox)
    engine = RotatingEngine(settings, lambda: settings)
    edges = Edges(edge, edge, edge, engine, edge, edge)
    pipeline = Pipeline(settings, inbox, sequencer, edges, reporter, KnownSchemas({}, has_registry=False))
    inbox.post_here(Assigned({Partition("t", number): StartPoint(0, None) for number in range(partitions)}, "c"))
    _tune_interpreter()
    return Running(asyncio.get_running_loop().create_task(pipeline.run()), edge, sequencer)


async def _measured(  # noqa: PLR0917  called once
    url: str, prepared: list[Prepared], partitions: int, stats: Any, warm: int, batch_events_max: int
) -> dict[str, float]:
    loop = running(url, prepared, partitions, batch_events_max)
    marks = []
    for goal in (warm, len(prepared)):
        await loop.finish(goal)
        marks.append((loop.finished, time.process_time(), time.monotonic(), stats()["requests"]))
    loop.task.cancel()
    (events, cpu, at, requests), (events_2, cpu_2, at_2, requests_2) = marks
    some = events_2 - events
    return {
        "microseconds": (cpu_2 - cpu) / some * 1e6,
        "rate": some / (at_2 - at),
        "events_a_request": some / max(requests_2 - requests, 1),
        "unfinished": loop.sequencer.account.unfinished,
    }


def _child(events: int, users: int, partitions: int, known: int) -> None:
    import uvloop

    from bench.sink import Sink
    from bench.workload import Workload

    offsets = [0] * partitions
    prepared: list[Prepared] = []
    identified = users if known else 0
    workload = Workload(users=users, identify_share=0, identify_all=True, even=True) if known else Workload(users=users)
    for key, value in islice(workload, identified + events):
        number = int(key[1:]) % partitions
        prepared.append((number, offsets[number], key, value))
        offsets[number] += 1
    gc.collect()
    with Sink(0.0, users) as sink:
        warm = identified + int(events * WARM_SHARE)
        measured = _measured(sink.url, prepared, partitions, sink.stats, warm, 1 if known else BATCH_EVENTS_MAX)
        print(json.dumps(uvloop.run(measured)), flush=True)
        order = sink.stats()
    assert not order["out_of_order"], order
    os._exit(0)


def command(folder: Path, called: str) -> list[str]:
    """For a process that runs this harness's code upon the package `consumer` of the folder."""
    # The harness is this one's whatever is measured.
    code = (
        "import sys\n"
        f"sys.path.insert(0, {str(ROOT)!r}); import bench.sink, bench.workload, bench.loop_beside\n"
        f"sys.path.insert(0, {str(folder)!r})\n"
        f"{called}"
    )
    return [sys.executable, "-c", code]


def environ(folder: Path) -> dict[str, str]:
    """Of such a process."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT), os.environ.get("PYTHONPATH", "")])}


def _round(*sizes: int) -> dict[str, float]:
    done = subprocess.run(
        command(ROOT, f"from bench.loop_alone import _child; _child(*{sizes})"),
        cwd=ROOT,
        env=environ(ROOT),
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Print each round, and the median."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--partitions", type=int, default=6)
    parser.add_argument("--known", action="store_true")
    options = parser.parse_args()
    costs = []
    for _ in range(options.rounds):
        found = _round(options.events, options.users, options.partitions, int(options.known))
        costs.append(found["microseconds"])
        print("  ".join(f"{name} {value:,.1f}" for name, value in found.items()), flush=True)
    print(f"median {statistics.median(costs):.1f} µs of CPU an event")


if __name__ == "__main__":
    main()
