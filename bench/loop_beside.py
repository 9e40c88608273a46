"""What an event costs beside another checkout: `python -m bench.loop_beside FOLDER [--pairs 101] [--keep FILE]`.

The loop of this checkout and that of the other take turns of a second, each in a process that lives through all of
them, so that a machine that is busy with something else disturbs both alike. CPU time of the process whose turn it is;
events are made before it, and not counted. What is said of all pairs is the median of their ratios, and between which
values the true one lies (95 %, by the order of the ratios: nothing is assumed about how they are spread).

`--keep`: pairs are appended there, and all that stand there are counted: they may be measured in several pieces.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

from bench.loop_alone import BATCH_EVENTS_MAX, ROOT, Prepared, command, environ, running
from bench.sink import Sink
from bench.workload import Workload

WARM_TURNS: Final = 4
PARTITIONS: Final = 6
CONFIDENCE: Final = 0.95


class Interval(NamedTuple):
    """Where the median lies."""

    low: float
    median: float
    high: float


def interval(values: Sequence[float]) -> Interval:
    """By their order: the true median lies between the k-th from below and from above in 95 of 100 cases."""
    ordered = sorted(values)
    count, outside, k = len(ordered), 0.0, 0
    while k < count // 2 and (outside := outside + math.comb(count, k) / 2**count) <= (1 - CONFIDENCE) / 2:
        k += 1
    place = max(k - 1, 0)
    return Interval(ordered[place], statistics.median(ordered), ordered[-1 - place])


class Side:
    """One checkout; a context manager."""

    def __init__(self, folder: Path, users: int) -> None:
        self._process = subprocess.Popen(
            command(folder, f"bench.loop_beside.child({users})"),
            cwd=folder,
            env=environ(folder),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        assert self._process.wait(30) == 0

    def turn(self, events: int) -> float:
        """Microseconds of CPU an event."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{events}\n")
        self._process.stdin.flush()
        return float(json.loads(self._process.stdout.readline()))


def child(users: int) -> None:
    """One side: for each line that says how many events, a line with what one of them cost."""
    import uvloop

    with Sink(0.0, users) as sink:
        uvloop.run(_turns(sink.url, users))
        order = sink.stats()
    assert not order["out_of_order"], order
    os._exit(0)


async def _turns(url: str, users: int) -> None:
    offsets = [0] * PARTITIONS
    workload = iter(Workload(users=users))
    loop = running(url, [], PARTITIONS, BATCH_EVENTS_MAX)
    goal = 0
    # Read here and not in a thread: what waits for the next turn costs nothing.
    while line := sys.stdin.readline():
        prepared = _prepared(workload, int(line), offsets)
        goal += len(prepared)
        await asyncio.sleep(0.1)  # what has fallen due meanwhile is done
        began = time.process_time()
        loop.edge.more(prepared)
        await loop.finish(goal)
        print((time.process_time() - began) / len(prepared) * 1e6, flush=True)
    loop.task.cancel()


def _prepared(workload: Any, events: int, offsets: list[int]) -> list[Prepared]:
    prepared = []
    for key, value in islice(workload, events):
        number = int(key[1:]) % len(offsets)
        prepared.append((number, offsets[number], key, value))
        offsets[number] += 1
    return prepared


def main() -> None:
    """Print each pair, and what all of them say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="The other checkout.")
    parser.add_argument("--pairs", type=int, default=101)
    parser.add_argument("--events", type=int, default=20_000, help="Of a turn.")
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    pairs: list[list[float]] = []
    if options.keep is not None and options.keep.exists():
        pairs += [json.loads(line) for line in options.keep.read_text().splitlines()]
    with Side(ROOT, options.users) as this, Side(options.folder.resolve(), options.users) as other:
        for number in range(-WARM_TURNS, options.pairs):
            sides = [this, other] if number % 2 == 0 else [other, this]
            costs = {side: side.turn(options.events) for side in sides}
            if number < 0:
                continue
            pairs.append([costs[this], costs[other]])
            if options.keep is not None:
                with options.keep.open("a") as file:
                    print(json.dumps(pairs[-1]), file=file)
    this_median, other_median = (statistics.median(column) for column in zip(*pairs, strict=True))
    found = interval([mine / others for mine, others in pairs])
    print(
        f"{len(pairs)} pairs: {this_median:.1f} µs of CPU an event beside {other_median:.1f}; "
        f"ratio {found.median:.3f}, {CONFIDENCE:.0%} between {found.low:.3f} and {found.high:.3f}"
    )


if __name__ == "__main__":
    main()
