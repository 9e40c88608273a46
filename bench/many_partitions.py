"""What a thousand partitions cost, and whether those who wait for nobody are delayed by them.

python -m bench.many_partitions [--partitions 1000] [--rounds 3]

The delay from producing to arriving with 8 and with 256 partitions in turn, at 300 events/s of which a tenth is of
users who were never seen; and beside it that of the same client that only reads, with the same properties. Then: ready
with an empty folder and topics just made, ready again, /metrics, the loop's longest turn, the stop.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any
from urllib.request import urlopen

from confluent_kafka import Consumer, TopicPartition

from bench.builds import GO, build
from bench.contenders import CONTENDERS, OURS, Contender
from bench.measure import Conditions, Run, measure_latency
from bench.workload import Workload, fill, produce_at
from consumer.kafka.client import consumer_config
from consumer.settings import load_settings
from tests.real_broker.broker import JVM_OPTIONS_IN_PRODUCTION, Broker

EVENTS_PER_SECOND = 300.0
SECONDS = 20
WARM_UP_SECONDS = 5.0
NEW_ONE_IN = 10
READY_SECONDS_MAX = 120.0
WITH_TURNS_TIMED = """
import sys, time
from consumer.loop.pipeline import Pipeline
longest, turn = [0.0], Pipeline._turn
def timed(self, inputs, now):
    started = time.monotonic()
    turn(self, inputs, now)
    took = time.monotonic() - started
    if took > longest[0]:
        longest[0] = took
        print(f"longest turn {took:.4f} {len(inputs)} {[type(one).__name__ for one in inputs][:8]}", flush=True)
Pipeline._turn = timed
from consumer.cli import main
sys.argv[:] = ["customfit-consumer", "run"]
main()
"""
"""The service, which says each turn that is longer than all before."""


@dataclass(frozen=True, slots=True)
class WithNewUsers(Workload):
    """Each tenth event is the first one of its user."""

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        """Those of a workload in which all users come in turn, in another order."""
        firsts = iter(Workload(users=self.users, events=self.events, identify_all=True))
        chance = random.Random(self.seed).random
        later = list(zip(range(self.events), Workload(users=1, events=self.events), strict=False))
        seen = 0
        for number in range(self.events):
            if number % NEW_ONE_IN == 0:
                key, value = next(firsts)
                seen += 1
            else:
                key = b"u%08d" % int(chance() * seen)
                value = later[number][1][1].replace(b"u00000000", key)
            yield key, _numbered(value, number)


def _numbered(value: bytes, number: int) -> bytes:
    at = value.index(b'"messageId":"e') + 14
    return value[:at] + b"%010d" % number + value[at + 10 :]


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--partitions", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3, help="of the delays; 0: none")
    options = parser.parse_args()
    if (problem := build(GO)) is not None:
        print(problem, file=sys.stderr)
        return 1
    if options.rounds:
        with Broker(jvm_options=JVM_OPTIONS_IN_PRODUCTION) as broker:
            delays(broker, options.rounds)
    with Broker(jvm_options=JVM_OPTIONS_IN_PRODUCTION) as broker:
        starts(broker, options.partitions)
    return 0


def starts(broker: Broker, partitions: int) -> None:
    """From the start to the stop, twice."""
    topic = f"bench-{partitions}-partitions"
    broker.create_topic(topic, partitions)
    workload = Workload(users=2_000, events=20_000)
    fill(broker.bootstrap_servers, topic, workload)
    ours = CONTENDERS[OURS]
    spoken = Contender(OURS, "", lambda _job: [sys.executable, "-c", WITH_TURNS_TIMED], ours.environ)
    with Run(broker, spoken, Conditions(topic, workload, 0.0, 64, 0.0, 60.0)) as run:
        for what in ("topics just made", "started again"):
            if what != "topics just made":
                run.start_again()
            started = time.monotonic()
            figures: dict[str, Any] = {"start": what, "ready_seconds": _until_ready(run, started)}
            figures["longest_turn_until_ready"] = run.said("longest turn")[-1:]
            run.wait(lambda look: look.events >= workload.events)
            asked = time.monotonic()
            _answer(run, "metrics")
            figures["metrics_seconds"] = time.monotonic() - asked
            asked = time.monotonic()
            run.stop()
            figures["stop_seconds"] = time.monotonic() - asked
            figures["longest_turn_with_a_backlog"] = run.said("longest turn")[-1:]
            print(json.dumps(figures), flush=True)


def delays(broker: Broker, rounds: int) -> None:
    """Rounds of 8 and 256 partitions in turn."""
    events = int(EVENTS_PER_SECOND * SECONDS)
    workload = WithNewUsers(users=events // NEW_ONE_IN, events=events)
    found: dict[int, list[float]] = {8: [], 256: []}
    read: dict[int, list[float]] = {8: [], 256: []}
    for number in range(rounds):
        for partitions in sorted(found, reverse=bool(number % 2)):
            topic = f"bench-delay-{partitions}-{number}"
            broker.create_topic(topic, partitions)
            read[partitions].append(median(_read_ms(broker, topic, partitions, workload)))
            topic += "-delivered"
            broker.create_topic(topic, partitions)
            conditions = Conditions(topic, workload, 0.0, 64, WARM_UP_SECONDS, 60.0)
            figures = measure_latency(broker, CONTENDERS[OURS], conditions, EVENTS_PER_SECOND)
            found[partitions].append(figures["p50_ms"])
            shown = {"partitions": partitions, "read_p50_ms": read[partitions][-1], **figures}
            print(json.dumps(shown), flush=True)
    ratios = [many / few for few, many in zip(found[8], found[256], strict=True)]
    print(f"median delay, 256 to 8 partitions: {median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
    print(f"only read: {median(many / few for few, many in zip(read[8], read[256], strict=True)):.2f}")


def _read_ms(broker: Broker, topic: str, partitions: int, workload: Workload) -> list[float]:
    """From producing to the hands of a program that does nothing with it."""
    settings = load_settings({"CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers}, api_key_required=False)
    consumer = Consumer({**consumer_config(settings), "group.id": topic})
    consumer.assign([TopicPartition(topic, number, 0) for number in range(partitions)])
    arrived: dict[bytes | None, int] = {}
    ended = threading.Event()

    def read() -> None:
        while not ended.is_set():
            first = consumer.poll(0.05)
            for message in [] if first is None else [first, *consumer.consume(1000, 0)]:
                arrived[message.value()] = time.time_ns()

    thread = threading.Thread(target=read)
    thread.start()
    produced = produce_at(broker.bootstrap_servers, topic, workload, EVENTS_PER_SECOND)
    time.sleep(1)
    ended.set()
    thread.join()
    consumer.close()
    warm_from = produced[0] + WARM_UP_SECONDS * 1e9
    events = zip(workload, produced, strict=False)
    return [(arrived[value] - at) / 1e6 for (_, value), at in events if at >= warm_from and value in arrived]


def _until_ready(run: Run, started: float) -> float:
    while not _answer(run, "readyz"):
        if time.monotonic() - started > READY_SECONDS_MAX:
            raise RuntimeError(f"not ready after {READY_SECONDS_MAX:g} s")
        time.sleep(0.1)
    return time.monotonic() - started


def _answer(run: Run, page: str) -> bytes:
    try:
        with urlopen(f"http://127.0.0.1:{run.environ['CUSTOMFIT_HTTP_PORT']}/{page}", timeout=30) as answer:
            return bytes(answer.read())
    except OSError:
        return b""


if __name__ == "__main__":
    sys.exit(main())
