"""What looking on costs: `python -m bench.viewers [--seconds 300]`, and `python -m bench.viewers --lanes 200000`.

Looked at: five tabs of the page, which ask at different moments, a scraper, the probes of an orchestrator. Two members
each of 12 and of 300 partitions run at the same time, with the same few events a second; one of the two is looked at.
What that costs is the difference of their CPU seconds. No probe may be refused meanwhile.

Lanes: of one member, which has events of so many users in hand while nobody answers it. How long it takes until it has
said what one of them waits for, asked as `customfit-consumer user` asks.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Self
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from consumer.emulator.server import Emulator, running_emulator
from consumer.ops.pseudonyms import Pseudonyms
from consumer.sequencing.events import User
from tests.real_broker.broker import Broker
from tests.real_broker.running_service import KEY, Service, wait_until
from tests.real_broker.scene import GroupScene, Scene, event

TABS: Final = 5
TAB_SECONDS: Final = 2.0
HISTORY_SECONDS: Final = 60.0
SCRAPE_SECONDS: Final = 5.0
PROBE_SECONDS: Final = 5.0
PROMETHEUS: Final = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
"""What it accepts."""
PARTITIONS: Final = (12, 300)
EVENTS_PER_SECOND: Final = 10.0
ASKED: Final = 30


def main() -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(prog="python -m bench.viewers")
    parser.add_argument("--seconds", type=float, default=300.0, help="How long it is looked at.")
    parser.add_argument("--partitions", type=int, nargs="+", default=PARTITIONS, help="Of the members.")
    parser.add_argument("--lanes", type=int, default=0, help="Users with events in hand; 0: what looking on costs.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Broker() as broker:
        if options.lanes:
            _lanes(broker, Path(folder), options.lanes)
        else:
            _looking_on(broker, Path(folder), options.seconds, options.partitions)


# --- what looking on costs


class Looking:
    """At one member, in threads of this process; a context manager."""

    def __init__(self, service: Service) -> None:
        self.answers: Counter[tuple[str, int]] = Counter()
        self._service = service
        self._over = threading.Event()
        every = [("/status?members", TAB_SECONDS)] * TABS + [("/history", HISTORY_SECONDS)] * TABS
        every += [("/metrics", SCRAPE_SECONDS), ("/livez", PROBE_SECONDS), ("/readyz", PROBE_SECONDS)]
        self._threads = [
            threading.Thread(target=self._ask, args=(path, seconds, seconds * number / len(every)))
            for number, (path, seconds) in enumerate(every)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, path: str, seconds: float, later_seconds: float) -> None:
        due = time.monotonic() + later_seconds
        while not self._over.wait(max(due - time.monotonic(), 0.0)):
            self.answers[path, self._status(path)] += 1
            due += seconds

    def _status(self, path: str) -> int:
        """Of the answer; 0 where nothing answers."""
        accept = PROMETHEUS if path == "/metrics" else "*/*"
        try:
            with urlopen(Request(self._service.base_url + path, headers={"Accept": accept}), timeout=5) as answer:  # noqa: S310  our own process
                answer.read()
                return int(answer.status)
        except HTTPError as error:
            with error:
                return error.code
        except (URLError, ConnectionError):
            return 0


def _looking_on(broker: Broker, folder: Path, seconds: float, partition_counts: Sequence[int]) -> None:
    with ExitStack() as stack:
        emulator = stack.enter_context(running_emulator(Emulator(keys=frozenset({KEY}))))
        members: dict[tuple[int, str], tuple[GroupScene, Service]] = {}
        for partitions in partition_counts:
            for what in ("alone", "looked at"):
                topic = f"events-{partitions}-{what.replace(' ', '-')}"
                scene = Scene(broker, topic, emulator, folder, partitions)
                members[partitions, what] = scene, stack.enter_context(scene.member(topic)).wait_ready()
        over = threading.Event()
        producing = threading.Thread(target=_produce, args=([scene for scene, _ in members.values()], over))
        producing.start()
        time.sleep(10)  # a start costs, too
        looking = {number: Looking(members[number, "looked at"][1]) for number in partition_counts}
        for one in looking.values():
            stack.enter_context(one)
        before, began = {place: _cpu_seconds(service) for place, (_, service) in members.items()}, time.monotonic()
        time.sleep(seconds)
        lasted = time.monotonic() - began
        used = {place: _cpu_seconds(service) - before[place] for place, (_, service) in members.items()}
        over.set()
        producing.join()
    for number in partition_counts:
        alone, looked_at = used[number, "alone"], used[number, "looked at"]
        print(
            f"{number} partitions: alone {alone:.2f} s of CPU, looked at {looked_at:.2f} s, in {lasted:.0f} s: "
            f"looking on takes {(looked_at - alone) / lasted:.2%} of a core"
        )
        print(f"  answers: {dict(sorted(looking[number].answers.items()))}")


def _produce(scenes: list[GroupScene], over: threading.Event) -> None:
    number = 0
    while not over.wait(1.0):
        for scene in scenes:
            scene.produce(*(event(f"user-{(number + n) % 100}", (number + n) // 100) for n in range(10)))
        number += int(EVENTS_PER_SECOND)


def _cpu_seconds(service: Service) -> float:
    value = service.sample("process_cpu_seconds_total")
    assert value is not None
    return value


# --- many lanes


def _lanes(broker: Broker, folder: Path, lanes: int) -> None:
    with running_emulator(Emulator(keys=frozenset({KEY}))) as emulator:
        emulator.faults.change({"fail_rate": 1.0, "fail_status": 503})
        scene = Scene(broker, "events", emulator, folder, 6)
        scene.settings = {"CUSTOMFIT_BUFFER_EVENTS_MAX": str(2 * lanes), "CUSTOMFIT_BUFFER_BYTES_MAX": str(2**31)}
        for first in range(0, lanes, 10_000):
            scene.produce(*(event(f"user-{n}", 1) for n in range(first, min(first + 10_000, lanes))))
        with scene.member("one") as one:
            wait_until(lambda: one.total("customfit_events_unfinished") >= lanes, "all in hand", 240)
            time.sleep(3)
            pseudonyms = Pseudonyms(scene.topic, emulator.url)
            took, found = [], 0
            for number in range(ASKED):
                began = time.monotonic()
                status, body = one.get(f"/users/{pseudonyms.of(User(f'user-{number * lanes // ASKED}'))}")
                took.append((time.monotonic() - began) * 1000)
                found += status == 200 and json.loads(body)["here"]
                time.sleep(0.5)
    took.sort()
    print(
        f"{lanes} users with events in hand: {found} of {ASKED} found; median {statistics.median(took):.0f} ms, "
        f"{sum(one > 100 for one in took)} took longer than 100 ms, the longest {took[-1]:.0f} ms"
    )


if __name__ == "__main__":
    main()
