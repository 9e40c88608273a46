"""`audit` against a real broker: what the service did is proved, and planted faults are named."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from consumer.emulator.server import Emulator
from tests.real_broker.broker import Broker
from tests.real_broker.running_service import wait_until
from tests.real_broker.scene import Scene

Audit = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def partitions() -> int:
    """One, so that offsets are known."""
    return 1


@pytest.fixture
def ledger(tmp_path: Path, emulator: Emulator) -> Callable[[], Path]:
    """Write what the emulator has accepted so far into a file, as `emulator --ledger` does."""

    def write() -> Path:
        path = tmp_path / "ledger.jsonl"
        path.write_bytes(b"".join(line + b"\n" for line in emulator.ledger.lines()))
        return path

    return write


@pytest.fixture
def audit(broker: Broker, topic_name: str) -> Audit:
    """Run the command; gives its exit code, and what it says as JSON (or its error)."""

    def run(*options: str, **settings: str) -> tuple[int, dict[str, Any]]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("CUSTOMFIT_")}
        environ = {
            **inherited,
            "CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
            "CUSTOMFIT_KAFKA_TOPIC": topic_name,
            "CUSTOMFIT_KAFKA_GROUP_ID": topic_name,
            **settings,
        }
        window = [] if "--from" in options else ["--from", "-1h", "--to", "now"]
        done = subprocess.run(
            [sys.executable, "-m", "consumer", "audit", "--json", *window, *options],
            env=environ,
            check=False,
            capture_output=True,
            text=True,
        )
        return done.returncode, json.loads(done.stdout.splitlines()[-1]) if done.stdout else {"error": done.stderr}

    return run


def commit(broker: Broker, topic: str, offset: int) -> None:
    """The group commits this, whatever became of the records."""
    consumer = Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": topic})
    consumer.commit(offsets=[TopicPartition(topic, 0, offset)], asynchronous=False)
    consumer.close()


def send(broker: Broker, topic: str, *values: bytes, times_ms: list[int] | None = None) -> None:
    """Records in partition 0, of these times."""
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers})
    for index, value in enumerate(values):
        producer.produce(topic, value, partition=0, timestamp=0 if times_ms is None else times_ms[index])
    assert producer.flush(30) == 0


def track(number: int, **more: Any) -> bytes:
    """A track with a messageId."""
    return json.dumps({"type": "track", "userId": "ann", "event": "E", "messageId": f"m{number}", **more}).encode()


def test_what_the_service_did_is_proved_and_what_it_did_not_is_named(
    *, scene: Scene, broker: Broker, emulator: Emulator, ledger: Callable[[], Path], audit: Audit
) -> None:
    """Delivered, skipped, dead-lettered, replayed in a transaction; then a commit that comes too early."""
    topic = scene.topic
    emulator.faults.change({"refuse_names": ["Poison"], "latency_seconds": 0.0})
    batch = {"batch": [json.loads(track(10)), json.loads(track(11, event="Poison")), {"type": "alias"}]}
    values = [track(0), b"{", track(1, event="Poison"), json.dumps(batch).encode(), b'{"type": "group"}']
    send(broker, topic, *values)
    scene.settings["CUSTOMFIT_DEAD_LETTER_RATIO_MAX"] = "1"
    with scene.member("one").wait_ready() as service:
        wait_until(lambda: scene.outside.all_committed() and len(scene.letters()) == 3, "three dead letters")
        code, said = audit("--ledger", str(ledger()))
        _, unproved = audit()
        emulator.faults.change({"refuse_names": []})
        settings = {
            "CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
            "CUSTOMFIT_KAFKA_TOPIC": topic,
            "CUSTOMFIT_KAFKA_GROUP_ID": topic,
        }
        replay = [sys.executable, "-m", "consumer", "dlq", "replay", "--json"]
        subprocess.run(replay, env={**os.environ, **settings}, check=True, capture_output=True)
        wait_until(lambda: emulator.ledger.summary()["events"] == 5, "the replays")
        wait_until(service.caught_up, "caught up")
        assert 0 == service.stop()
    after, replayed = audit("--ledger", str(ledger()))

    assert (0, 2, {"skipped": {"unsupported": 2}, "dead_lettered": {"refused": 2, "undecodable": 1}}) == (
        code,
        said["events"]["delivered"],
        said["reasons"],
    )
    assert (0, 2) == (unproved["events"]["delivered"], unproved["events"]["committed"])
    assert (0, 4) == (after, replayed["events"]["delivered"])

    send(broker, topic, track(20), track(21), b"{")
    commit(broker, topic, 8)
    code, early = audit("--ledger", str(ledger()))

    expected = [("commit_ahead", 5, 6, 2), ("no_dead_letter", 7, 7, 1)]
    assert 1 == code
    assert expected == [tuple(run[key] for key in ("gap", "first", "last", "events")) for run in early["gap_runs"]]


def test_receipts_prove_what_arrived_and_what_did_not_without_a_ledger(
    *, scene: Scene, broker: Broker, emulator: Emulator, audit: Audit
) -> None:
    """From where they begin; over a kill, and for items of a batch; an early commit and a dropped record are named."""
    topic, receipts = scene.topic, {"CUSTOMFIT_RECEIPT_TOPIC": f"{scene.topic}.receipts"}
    emulator.faults.change({"latency_seconds": 0.0})
    send(broker, topic, track(0))
    with scene.member("before").wait_ready() as before:
        scene.wait_committed()
        assert 0 == before.stop()
    scene.settings |= receipts
    batch = json.dumps({"batch": [json.loads(track(10)), json.loads(track(11)), {"type": "alias"}]}).encode()
    send(broker, topic, track(1), batch, *map(track, range(20, 40)))
    with scene.member("one").wait_ready() as one:
        scene.wait_committed()
        one.kill()
        one.restart()
        send(broker, topic, *map(track, range(40, 60)))
        wait_until(lambda: emulator.ledger.summary()["events"] >= 44, "all events")
        scene.wait_committed()
        assert 0 == one.stop()

    code, said = audit(**receipts)

    assert (0, ["receipts"], 1, 43) == (code, said["proofs"], said["events"]["committed"], said["events"]["delivered"])

    send(broker, topic, track(60), track(61))
    commit(broker, topic, 44)
    with scene.member("two").wait_ready() as two:
        scene.wait_committed()
        assert 0 == two.stop()
    send(broker, topic, track(62))
    commit(broker, topic, 46)
    code, said = audit(**receipts)

    expected = [("not_delivered", 43, 43, 1), ("commit_ahead", 45, 45, 1)]
    assert 1 == code
    assert expected == [tuple(run[key] for key in ("gap", "first", "last", "events")) for run in said["gap_runs"]]


def test_a_window_older_than_the_topic_keeps_can_not_be_judged(scene: Scene, broker: Broker, audit: Audit) -> None:
    """Exit 69, which names the topic; a window that begins behind what was removed is judged."""
    now_ms = 1_795_428_000_000
    broker.create_topic(scene.dead_letter_topic)
    send(broker, scene.topic, *map(track, range(4)), times_ms=[now_ms + 1000 * n for n in range(4)])
    scene.admin.delete_records([TopicPartition(scene.topic, 0, 2)])[TopicPartition(scene.topic, 0)].result(60)
    window = ["--to", "now", "--from"]

    code, said = audit(*window, "1795428000")

    assert 69 == code
    assert f"{scene.topic} does not keep all of the window: partition 0" in said["error"]
    assert (0, 1) == (audit(*window, "1795428003")[0], audit(*window, "1795428003")[1]["records"])


def test_records_out_of_the_order_of_their_times_are_in_the_window_by_their_time(
    scene: Scene, broker: Broker, audit: Audit
) -> None:
    """One from the future does not end the window, and what lies between and is of another time is not in it."""
    begin = int(time.time()) - 10_000  # Kafka deletes what is older than a week, some minutes after it was written
    seconds = [begin + behind for behind in (0, 4000, 1, -100, 4001, 2)]
    broker.create_topic(scene.dead_letter_topic)
    send(broker, scene.topic, *map(track, range(6)), times_ms=[second * 1000 for second in seconds])

    for options in ([], ["--each"]):
        code, said = audit("--from", str(begin), "--to", str(begin + 1000), *options)

        assert (0, 3) == (code, said.get("records")), said


def test_a_commit_beyond_the_end_and_one_of_an_earlier_topic_are_told(
    scene: Scene, broker: Broker, audit: Audit
) -> None:
    """The first is a gap; the second says nothing of the topic as it is."""
    broker.create_topic(scene.dead_letter_topic)
    send(broker, scene.topic, track(0))
    commit(broker, scene.topic, 5)
    code, said = audit()

    assert (1, ["beyond_end"]) == (code, [run["gap"] for run in said["gap_runs"]])


def test_what_is_missing_to_judge_by_is_named(topic_name: str, audit: Audit) -> None:
    """No topic, no zone, a window that ends before it begins, a ledger that is none."""
    code, said = audit()

    assert (69, True) == (code, f"there is no topic '{topic_name}'" in said["error"])

    for options in (["--from", "2026-11-23T10:00:00", "--to", "now"], ["--from", "now", "--to", "-1h"]):
        assert 2 == audit(*options)[0]
