"""This project beside the plain loop, on the same topic of a real broker, in turn; the ledger checked event by event.

python -m bench.compare [--events 200000] [--users 20000] [--rounds 3] [--plain-events 5000] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import uuid
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
from confluent_kafka import Producer

from consumer.emulator import Emulator, running_emulator
from consumer.samples import encoded_samples
from tests.kafka.broker import Broker
from tests.kafka.running_service import Service, wait_until

PARTITIONS = 6


def main() -> None:
    """Print a line a round, then the medians and the ratio."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--plain-events", type=int, default=5_000)
    parser.add_argument("--buffer-events", type=int, default=20_000, help="CUSTOMFIT_BUFFER_EVENTS_MAX")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    topic = f"bench-{uuid.uuid4().hex[:8]}"
    rounds: list[dict[str, Any]] = []
    with Broker() as broker, running_emulator(Emulator(keys=None)) as emulator:
        broker.create_topic(topic, PARTITIONS)
        produced = produce(broker, topic, options.users, options.events)
        for number in range(1, options.rounds + 1):
            ours = run_service(broker, topic, emulator, options.events, options.buffer_events)
            ours |= verify(produced, emulator)
            plain = run_plain(broker, topic, emulator, options.plain_events)
            rounds.append(
                {"ours": ours, "plain": plain, "ratio": ours["events_per_second"] / plain["events_per_second"]}
            )
            print(f"round {number}: {json.dumps(rounds[-1])}", flush=True)
    print(f"events/s, median of {options.rounds}: {median(r['ours']['events_per_second'] for r in rounds):,.0f}")
    ratios = sorted(r["ratio"] for r in rounds)
    print(f"times the plain loop: {median(ratios):.1f} ({ratios[0]:.1f} to {ratios[-1]:.1f})")
    if options.json:
        options.json.write_text(json.dumps(rounds, indent=2))


def produce(broker: Broker, topic: str, users: int, events: int) -> list[tuple[bytes, bytes]]:
    """Fill the topic, keyed by user."""
    produced = list(encoded_samples(users, events, seed=1, others=False))
    producer = Producer(
        {"bootstrap.servers": broker.bootstrap_servers, "partitioner": "murmur2_random", "linger.ms": 20}
    )
    for number, (key, value) in enumerate(produced):
        producer.produce(topic, value, key)
        if number % 10_000 == 0:
            producer.flush()
    producer.flush()
    return produced


def run_service(broker: Broker, topic: str, emulator: Emulator, events: int, buffer_events: int) -> dict[str, Any]:
    """One run of `customfit-consumer run` from the beginning of the topic; CPU seconds are those of its process."""
    emulator.ledger.clear()
    environ = {
        "CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
        "CUSTOMFIT_KAFKA_TOPIC": topic,
        "CUSTOMFIT_KAFKA_GROUP_ID": f"ours-{uuid.uuid4().hex[:8]}",
        "CUSTOMFIT_API_URL": emulator.url,
        "CUSTOMFIT_BUFFER_EVENTS_MAX": str(buffer_events),
    }
    with tempfile.TemporaryDirectory() as folder, Service(Path(folder), environ) as service:
        service.wait_ready()
        wait_until(lambda: delivered(emulator) >= events, "all events", 600)
        wait_until(service.caught_up, "the commit")
        samples = service.samples()
        service.stop()
    return rate(emulator, events) | {
        "cpu_seconds": samples["process_cpu_seconds_total"],
        "memory_mb": samples["process_resident_memory_bytes"] / 1e6,
        "requests": emulator.ledger.summary()["accepted"],
    }


def run_plain(broker: Broker, topic: str, emulator: Emulator, events: int) -> dict[str, Any]:
    """The plain loop on the first events of the same topic."""
    emulator.ledger.clear()
    group_id = f"plain-{uuid.uuid4().hex[:8]}"
    arguments = [broker.bootstrap_servers, topic, group_id, emulator.url, str(events)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "bench.plain_loop", *arguments], check=True, env=os.environ)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return rate(emulator, events) | {"cpu_seconds": cpu_seconds}


def delivered(emulator: Emulator) -> int:
    """How many events of the topic were accepted."""
    summary = emulator.ledger.summary()
    return int(summary["events"] - summary["introductions"])


def rate(emulator: Emulator, events: int) -> dict[str, Any]:
    """Events a second between the first and the last accepted request."""
    entries = emulator.ledger.entries()
    seconds = entries[-1].accepted_at - entries[0].accepted_at
    return {"events": events, "seconds": round(seconds, 3), "events_per_second": round(events / max(seconds, 1e-9))}


def verify(produced: list[tuple[bytes, bytes]], emulator: Emulator) -> dict[str, int]:
    """Compare the ledger with what was produced: every user's events, in order, once, an identify first."""
    wanted = defaultdict[str, list[str]](list)
    identifies = set[str]()
    for _, value in produced:
        event = msgspec.json.decode(value)
        wanted[event["userId"]].append(event["messageId"])
        if event["type"] == "identify":
            identifies.add(event["messageId"])
    arrived = defaultdict[str, list[str]](list)
    for entry in emulator.ledger.entries():
        if entry.identify != "introduction":
            arrived[entry.user_id] += entry.insert_ids
    out_of_order = lost = twice = 0
    for user, ids in wanted.items():
        got = arrived[user]
        first = next((i for i in ids if i in identifies), None)
        lost += len(set(ids) - set(got))
        twice += len(got) - len(set(got))
        out_of_order += [i for i in ids if i != first] != [i for i in got if i != first]
    before = emulator.ledger.summary()["identifies_first_violations"]
    return {"users_out_of_order": out_of_order, "lost": lost, "twice": twice, "before_identify": before}


if __name__ == "__main__":
    started = time.monotonic()
    main()
    print(f"{time.monotonic() - started:.0f} s in all")
