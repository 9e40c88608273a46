"""One run of one contender: started, watched through the sink and /proc, stopped."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import quantiles
from typing import Any, Self
from urllib.request import urlopen

from confluent_kafka import Consumer, TopicPartition

from bench.contenders import Contender, Job
from bench.processes import cpu_seconds, peak_memory_mb
from bench.sink import Sink
from bench.workload import Workload, fill, produce_at
from tests.real_broker.broker import Broker

LOOK_SECONDS = 0.1
STALL_SECONDS_MAX = 60.0
RESTORE_SECONDS_MAX = 300.0
MEANWHILE_EVENTS = 600
WARM_UP_SECONDS = 20.0
"""The same for all. The JVM compiles meanwhile: on a busy machine its rate still rose after 15 s (measured)."""
WARM_UP_SHARE_MAX = 0.5  # of the events: a fast contender has warmed up with these
STOP_SECONDS_MAX = 20.0
FIRST_BYTES = 2_000


@dataclass(frozen=True, slots=True)
class Conditions:
    """Under which all contenders of one comparison run."""

    topic: str
    workload: Workload
    latency_ms: float
    in_flight: int
    warm_up_seconds: float
    """Between the first event that arrives and the begin of what is measured."""
    seconds_max: float
    """Of what is measured; it ends earlier when all events have arrived."""
    warm_up_events: int = 0
    """At least so many arrive before."""
    identifies_first: bool = False
    """The topic is empty: first come the identifies of all users, and the rest when these are stored."""
    settings: Mapping[str, str] = field(default_factory=dict)


def measure(broker: Broker, contender: Contender, conditions: Conditions) -> dict[str, Any]:
    """Events a second, CPU and memory of one run from the beginning of the topic."""
    with Run(broker, contender, conditions) as run:
        if contender.reads_only:
            return run.own_figures()
        if conditions.identifies_first:
            _make_all_known(broker, run, conditions)
        first = run.wait(lambda look: look.events > 0)
        enough_for_warm_up = max(conditions.workload.events * WARM_UP_SHARE_MAX, conditions.warm_up_events)
        begin = run.wait(
            lambda look: (
                look.events >= conditions.warm_up_events
                and (look.at >= first.at + conditions.warm_up_seconds or look.events >= enough_for_warm_up)
            )
        )
        end = run.wait(
            lambda look: look.events >= conditions.workload.events or look.at >= begin.at + conditions.seconds_max
        )
        run.stop()
        return run.figures(begin, end) | run.checked(end)


def _make_all_known(broker: Broker, run: Run, conditions: Conditions) -> None:
    """Produce the identifies, wait until all are delivered and stored, and only then produce the rest.

    In one go, half of the identifies of 100,000 users came among the measured tracks: partitions differ in pace.
    """
    users = conditions.workload.users
    identifies = replace(conditions.workload, events=users)
    fill(broker.bootstrap_servers, conditions.topic, identifies)
    delivered = run.wait(lambda look: look.events >= users)
    while _identified_users(run) < users:
        if run.since(delivered) > STALL_SECONDS_MAX:
            raise RuntimeError(f"not all users were stored after {STALL_SECONDS_MAX:g} s")
        time.sleep(LOOK_SECONDS)
    fill(broker.bootstrap_servers, conditions.topic, identifies, more=conditions.workload.events - users)


def _identified_users(run: Run) -> int:
    """How many it has stored."""
    users = re.findall(r"^customfit_identified_users{.*} (\S+)$", _answer(f"{run.url}/metrics"), re.MULTILINE)
    return round(sum(map(float, users)))


def measure_latency(
    broker: Broker, contender: Contender, conditions: Conditions, events_per_second: float
) -> dict[str, Any]:
    """How long events take from being produced to arriving at the sink, when there is no backlog."""
    workload = conditions.workload
    with Run(broker, contender, conditions, arrivals=workload.events) as run:
        started = run.look()
        produced = produce_at(broker.bootstrap_servers, conditions.topic, workload, events_per_second)
        end = run.wait(lambda look: look.events >= workload.events)
        arrivals = run.sink.arrivals()
        run.stop()
        warm_from = end.stats["first_ns"] + conditions.warm_up_seconds * 1e9
        late_ms = [(a - p) / 1e6 for p, a in zip(produced, arrivals, strict=True) if a and p >= warm_from]
        hundredths = quantiles(late_ms, n=100, method="inclusive") if len(late_ms) > 1 else [float("nan")] * 99
        return {
            "events": len(late_ms),
            "p50_ms": hundredths[49],
            "p99_ms": hundredths[98],
            "max_ms": max(late_ms, default=float("nan")),
            "cpu_percent": 100 * (end.cpu_seconds - started.cpu_seconds) / (end.at - started.at),
            "peak_memory_mb": end.peak_memory_mb,
        } | run.checked(end)


def measure_restore(broker: Broker, contender: Contender, conditions: Conditions) -> dict[str, Any]:
    """How long until a member without files is ready, all users being in the state; then with them, and delivers."""
    with Run(broker, contender, conditions) as run:
        run.wait(lambda look: look.events >= conditions.workload.events)
        run.stop()
        run.start_elsewhere()
        started, ready = _until_ready(run)
        users = _identified_users(run)
        run.stop()
        checked = run.checked(ready)
        fill(broker.bootstrap_servers, conditions.topic, conditions.workload, more=MEANWHILE_EVENTS)
        run.start_again()
        started_again, ready_again = _until_ready(run)
        arrived = run.wait(lambda look: look.events > conditions.workload.events)
        run.stop()
        return {
            "users": users,
            "ready_seconds": ready.at - started.at,
            "ready_again_seconds": ready_again.at - started_again.at,
            "delivers_again_seconds": arrived.at - started_again.at,
            "cpu_seconds": ready.cpu_seconds,
            "peak_memory_mb": ready.peak_memory_mb,
        } | checked


def _until_ready(run: Run) -> tuple[_Look, _Look]:
    """The look at its start, and the look when all partitions had their state, for which `/readyz` does not wait."""
    started = run.look()
    while not (views := _partitions(run)) or any(view["restoring"] for view in views):
        if run.since(started) > RESTORE_SECONDS_MAX:
            raise RuntimeError(f"not ready after {RESTORE_SECONDS_MAX:g} s")
        time.sleep(LOOK_SECONDS)
    return started, run.look()


def _partitions(run: Run) -> list[dict[str, Any]]:
    return list(json.loads(_answer(f"{run.url}/status") or "{}").get("partitions", ()))


def _answer(url: str) -> str:
    """The body of a 200; nothing where nobody listens yet, or it is another status."""
    try:
        with urlopen(url, timeout=5) as response:  # noqa: S310  our own process
            return str(response.read().decode())
    except OSError:
        return ""


@dataclass(frozen=True, slots=True)
class _Look:
    """What was to be seen at one time."""

    at: float
    wall_ns: int
    stats: Mapping[str, int]
    cpu_seconds: float
    sink_cpu_seconds: float
    peak_memory_mb: float

    @property
    def events(self) -> int:
        return self.stats["events"]


class Run:
    """A sink and a contender, both gone at the end."""

    def __init__(self, broker: Broker, contender: Contender, conditions: Conditions, arrivals: int = 0) -> None:
        self._broker = broker
        self._contender = contender
        self._conditions = conditions
        self._folder = tempfile.TemporaryDirectory(prefix="customfit-bench-")
        self._log = Path(self._folder.name, "log")
        users = max(conditions.workload.users, conditions.in_flight)
        self.sink = Sink(conditions.latency_ms, users, arrivals)
        self._job = Job(
            bootstrap_servers=broker.bootstrap_servers,
            topic=conditions.topic,
            group_id=f"{contender.name}-{uuid.uuid4().hex[:8]}",
            sink_url=self.sink.url,
            sink_address=self.sink.address,
            in_flight=conditions.in_flight,
            events=conditions.workload.events,
            folder=Path(self._folder.name),
            settings=conditions.settings,
        )
        self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("CUSTOMFIT_")}
        self.environ = {**inherited, **self._contender.environ(self._job)}
        with self._log.open("wb") as log:
            command = self._contender.command(self._job)
            return subprocess.Popen(command, env=self.environ, stdout=log, stderr=log)

    @property
    def pid(self) -> int:
        """Of the contender."""
        return self._process.pid

    @property
    def url(self) -> str:
        """Where this project answers."""
        return f"http://127.0.0.1:{self.environ['CUSTOMFIT_HTTP_PORT']}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._process.kill()
        self._process.wait()
        self.sink.__exit__()
        self._folder.cleanup()

    def look(self) -> _Look:
        """What is to be seen now; an error where the contender has ended."""
        if self._process.poll() is not None:
            raise RuntimeError(f"{self._contender.name} ended by itself:\n{self._log.read_text()[:FIRST_BYTES]}")
        return _Look(
            at=time.monotonic(),
            wall_ns=time.time_ns(),
            stats=self.sink.stats(),
            cpu_seconds=cpu_seconds(self._process.pid),
            sink_cpu_seconds=cpu_seconds(self.sink.process.pid),
            peak_memory_mb=peak_memory_mb(self._process.pid),
        )

    def said(self, beginning: str) -> list[str]:
        """Lines of its log that begin so."""
        return [line for line in self._log.read_text().splitlines() if line.startswith(beginning)]

    def since(self, look: _Look) -> float:
        """Seconds."""
        return time.monotonic() - look.at

    def wait(self, enough: Callable[[_Look], bool]) -> _Look:
        """Give the first look that is enough; an error where nothing more arrives."""
        look = progress = self.look()
        while not enough(look):
            time.sleep(LOOK_SECONDS)
            look = self.look()
            if look.events > progress.events:
                progress = look
            elif look.at > progress.at + STALL_SECONDS_MAX:
                raise RuntimeError(
                    f"{self._contender.name}: nothing arrived for {STALL_SECONDS_MAX:g} s after {look.events} events\n"
                    + self._log.read_text()[:FIRST_BYTES]
                )
        return look

    def start_elsewhere(self) -> None:
        """Start again in the same group, without anything that lay in the folder."""
        folder = Path(self._folder.name, "elsewhere")
        folder.mkdir()
        self._job = replace(self._job, folder=folder)
        self.start_again()

    def start_again(self) -> None:
        """In the same group, with all that lies in the folder."""
        self._process = self._start()

    def own_figures(self) -> dict[str, Any]:
        """Of a contender that measures itself and ends."""
        self._process.wait()
        figures = dict(json.loads(self._log.read_text()))
        return figures | {
            "events_per_second": figures["events"] / figures["seconds"],
            "cpu_seconds_per_100k": 1e5 * figures["cpu_seconds"] / figures["events"],
        }

    def figures(self, begin: _Look, end: _Look) -> dict[str, Any]:
        """What was done between two looks, and what it cost."""
        events = end.events - begin.events
        if events <= 0:
            raise RuntimeError(f"{self._contender.name}: all events had come before the warm-up was over: --events")
        seconds = end.at - begin.at
        if end.events >= self._conditions.workload.events:  # and was idle between the last arrival and the last look
            seconds -= (end.wall_ns - end.stats["last_ns"]) / 1e9
        per_100k = 1e5 / events
        return {
            "events": events,
            "seconds": seconds,
            "events_per_second": events / seconds,
            "events_per_request": events / max(end.stats["requests"] - begin.stats["requests"], 1),
            "cpu_seconds_per_100k": (end.cpu_seconds - begin.cpu_seconds) * per_100k,
            "cpu_percent": 100 * (end.cpu_seconds - begin.cpu_seconds) / (end.at - begin.at),
            "sink_cpu_seconds_per_100k": (end.sink_cpu_seconds - begin.sink_cpu_seconds) * per_100k,
            "start_cpu_seconds": begin.cpu_seconds,
            "peak_memory_mb": end.peak_memory_mb,
        }

    def checked(self, end: _Look) -> dict[str, Any]:
        """Whether what came was in order, and how far the offsets got that were committed (after `stop`)."""
        stats = self.sink.stats()
        return {
            "all_arrived": stats["events"] == self._conditions.workload.events,
            "out_of_order_or_twice": stats["out_of_order"],
            "before_identify": stats["before_identify"],
            "not_understood": stats["wrong"] if end.stats["wrong"] else 0,  # a contender that is killed breaks off
            "introductions": stats["introductions"],
            "in_flight_max": stats["in_flight_max"],
            "committed": self._committed(),
            "state_mb": sum(f.stat().st_size for f in self._job.folder.rglob("state/**/*") if f.is_file()) / 1e6,
        }

    def _committed(self) -> int | None:
        if not self._contender.from_kafka:
            return None
        consumer = Consumer({"bootstrap.servers": self._job.bootstrap_servers, "group.id": self._job.group_id})
        try:
            topic = consumer.list_topics(self._job.topic, timeout=10).topics[self._job.topic]
            partitions = [TopicPartition(self._job.topic, number) for number in topic.partitions]
            return sum(max(partition.offset, 0) for partition in consumer.committed(partitions, timeout=10))
        finally:
            consumer.close()

    def stop(self) -> None:
        """Ask the contender to end, and see to it that it does."""
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
