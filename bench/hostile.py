"""What hostile records among good ones cost the good ones: latency and memory beside a run without them.

    python -m bench.hostile [--events 10000] [--hostile 500] [--rate 500] [--rounds 3]

The runs take turns on one broker, each with a topic of its own of 3 partitions: good events alone; with hostile
records of every small kind of tests/fakes/hostile_records.py; with all, batches too that become 8 MiB when unpacked.
Latency is the time from producing a good event to its arrival at the sink. Prints a Markdown table: medians of the
rounds, and each against the good events alone. Needs what `make bench` needs.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from statistics import median, quantiles
from typing import Final, NamedTuple

from confluent_kafka import Producer

from bench.builds import GO, build
from bench.processes import cpu_seconds, peak_memory_mb
from bench.sink import Sink
from bench.workload import Workload, producer
from tests.fakes.fake_registry import FakeRegistry, running_registry
from tests.fakes.hostile_records import BOMB_BYTES, CODECS, EVIL_SCHEMAS, SENT, Hostile, among, kinds
from tests.real_broker.broker import JVM_OPTIONS_IN_PRODUCTION, Broker
from tests.real_broker.running_service import Service, wait_until

PARTITIONS: Final = 3
USERS: Final = 2_000
LATENCY_MS: Final = 5.0
WARM_UP_SHARE: Final = 0.1
"""Of the events: their latency is not counted."""
ABSENT_ID: Final = 999
PATIENCE_SECONDS: Final = 120.0


class Figures(NamedTuple):
    """Of one run."""

    p50_ms: float
    p99_ms: float
    peak_memory_mb: float
    cpu_seconds: float


def main() -> int:
    """Measure and print; an event that is lost or out of order ends it with an error."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--events", type=int, default=10_000)
    arguments.add_argument("--hostile", type=int, default=500)
    arguments.add_argument("--rate", type=float, default=500.0, help="records a second")
    arguments.add_argument("--rounds", type=int, default=3)
    given = arguments.parse_args()
    if (problem := build(GO)) is not None:
        print(problem, file=sys.stderr)
        return 1
    every = [one for one in kinds(range(1, 1 + len(EVIL_SCHEMAS)), ABSENT_ID) if SENT not in one.ends]
    small = [one for one in every if len(one.value or b"") < BOMB_BYTES]
    runs: dict[str, list[Hostile | None]] = {
        "good events alone": [None] * given.events,
        "with hostile records": among(given.events, given.hostile, small),
        "with 8 MiB batches too": among(given.events, given.hostile, every),
    }
    found: dict[str, list[Figures]] = {name: [] for name in runs}
    with Broker(jvm_options=JVM_OPTIONS_IN_PRODUCTION) as broker, running_registry() as registry:
        for number in range(given.rounds):
            for name, records in list(runs.items())[:: -1 if number % 2 else 1]:
                found[name].append(measure(broker, registry, records, given.rate))
                print(f"round {number + 1}, {name}: {found[name][-1]}", file=sys.stderr, flush=True)
    print("\n".join(table(found)))
    return 0


def table(found: dict[str, list[Figures]]) -> Iterator[str]:
    """The rows; ratios are taken round by round."""
    alone = next(iter(found.values()))
    yield "| | p50 ms | p99 ms | peak MB | CPU s |\n|---|---|---|---|---|"
    for name, rounds in found.items():
        cells = [name]
        for values, base in zip(zip(*rounds, strict=True), zip(*alone, strict=True), strict=True):
            ratio = median(value / beside for value, beside in zip(values, base, strict=True))
            cells.append(f"{median(values):.1f} ({ratio:.2f})")
        yield f"| {' | '.join(cells)} |"


def measure(broker: Broker, registry: FakeRegistry, records: Sequence[Hostile | None], rate: float) -> Figures:
    """Produce these at an even rate while a service reads them; None is the next good event."""
    for number, schema in enumerate(EVIL_SCHEMAS, 1):
        registry.put(f"/schemas/ids/{number}", schema)
    topic, good = f"hostile-{uuid.uuid4().hex[:8]}", records.count(None)
    broker.create_topic(topic, PARTITIONS)
    with tempfile.TemporaryDirectory() as folder, Sink(LATENCY_MS, USERS, good) as sink:
        environ = {
            "CUSTOMFIT_API_URL": sink.url,
            "CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
            "CUSTOMFIT_KAFKA_TOPIC": topic,
            "CUSTOMFIT_KAFKA_GROUP_ID": topic,
            "CUSTOMFIT_SCHEMA_REGISTRY_URL": registry.url,
        }
        with Service(Path(folder), environ).wait_ready() as service:
            produced = produce(broker.bootstrap_servers, topic, records, rate)
            wait_until(lambda: sink.stats()["events"] >= good, f"all events; {service.log[-2000:]}", PATIENCE_SECONDS)
            wait_until(service.caught_up, "caught up", PATIENCE_SECONDS)
            stats, arrivals = sink.stats(), sink.arrivals()
            used = (peak_memory_mb(service.process.pid), cpu_seconds(service.process.pid))
            assert service.stop() == 0, service.log
    assert 0 == stats["out_of_order"] == stats["before_identify"] == stats["wrong"], stats
    late_ms = [(arrived - at) / 1e6 for at, arrived in zip(produced, arrivals, strict=True)]
    hundredths = quantiles(late_ms[int(good * WARM_UP_SHARE) :], n=100, method="inclusive")
    return Figures(hundredths[49], hundredths[98], *used)


def produce(bootstrap_servers: str, topic: str, records: Sequence[Hostile | None], rate: float) -> list[int]:
    """Produce them; gives the time of each good one, as unix nanoseconds."""
    small = producer(bootstrap_servers, 0)
    common = {"bootstrap.servers": bootstrap_servers, "message.max.bytes": 2 * BOMB_BYTES}
    large = {codec: Producer({**common, "compression.type": codec}) for codec in CODECS}
    good = islice(Workload(users=USERS, events=len(records)), len(records))
    produced: list[int] = []
    key = b""
    started = time.monotonic()
    for number, one in enumerate(records):
        while (early := started + number / rate - time.monotonic()) > 0:
            time.sleep(early)
        if one is None:
            key, value = next(good)
            produced.append(time.time_ns())
            small.produce(topic, value, key)
        else:  # with the key of a good event, so that it lies among that user's
            large.get(one.codec, small).produce(topic, one.value, key, headers=list(one.headers))
        small.poll(0)
    for client in (small, *large.values()):
        client.flush()
    return produced


if __name__ == "__main__":
    sys.exit(main())
