"""How long a partition stands still when a member without it takes it over, and what following it costs before.

    python -m bench.takeover [--users 1000000] [--standby off,all] [--rate 5000]

One partition, whose state names so many users, and three members: one has the partition and is killed, another has the
replays, and the third, which has nothing, takes over. Events of known users come all the time. Measured from the line
of its log in which it gets the partition until the first request that the destination accepts from it. What following
costs is measured beside it, from /proc. A line of JSON for each.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
import time
from contextlib import ExitStack, contextmanager
from datetime import datetime
from hashlib import blake2b
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import Producer

from bench.processes import cpu_seconds, peak_memory_mb
from consumer.emulator.server import Emulator, running_emulator
from consumer.log_codes import Code
from consumer.sequencing.events import User
from consumer.settings import Settings, load_settings
from consumer.state.records import StateKey, encode_key, encode_value
from consumer.state.topic import prepare_state_topic
from tests.real_broker.broker import JVM_OPTIONS_IN_PRODUCTION, Broker
from tests.real_broker.running_service import KEY, Service, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

TOPIC: Final = "segment-events"
WITHOUT: Final = {"CUSTOMFIT_STANDBY": "off"}
LIVE_USERS: Final = 500
LIVE_SECONDS: Final = 0.01
"""From one event to the next."""
IDLE_SECONDS: Final = 10.0
PATIENCE_SECONDS: Final = 3600.0


def main() -> None:
    """Measure each kind on a broker of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--standby", default="off,all")
    parser.add_argument("--rate", type=int, default=5_000, help="CUSTOMFIT_STANDBY_RECORDS_PER_SECOND_MAX")
    arguments = parser.parse_args()
    for standby in arguments.standby.split(","):
        print(json.dumps(measure(arguments.users, standby, arguments.rate)), flush=True)


def measure(users: int, standby: str, rate: int) -> dict[str, Any]:
    """One take-over."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        broker = stack.enter_context(Broker(jvm_options=JVM_OPTIONS_IN_PRODUCTION))
        emulator = stack.enter_context(running_emulator(Emulator(keys=frozenset({KEY}))))
        broker.create_topic(TOPIC, 1)
        environ = {
            "CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
            "CUSTOMFIT_KAFKA_PROPERTIES": json.dumps({"session.timeout.ms": 6000}),
            "CUSTOMFIT_API_URL": emulator.url,
            "CUSTOMFIT_LOG_FORMAT": "json",
            "CUSTOMFIT_STANDBY": standby,
            "CUSTOMFIT_STANDBY_RECORDS_PER_SECOND_MAX": str(rate),
        }
        _fill(load_settings({"CUSTOMFIT_API_KEY": KEY, **environ}), users)
        first = [stack.enter_context(_member(folder, name, environ | WITHOUT)) for name in ("one", "two")]
        wait_until(lambda: any(map(_owns, first)) and all(map(_has_any, first)), "both have some", PATIENCE_SECONDS)
        third = stack.enter_context(_member(folder, "three", environ))
        wait_until(third.ready, "the third is there", PATIENCE_SECONDS)
        following = _followed(third, users, standby)
        idle = cpu_seconds(third.process.pid)
        time.sleep(IDLE_SECONDS)
        idle = cpu_seconds(third.process.pid) - idle
        stack.enter_context(_live(broker))
        wait_until(lambda: emulator.ledger.summary()["events"] > LIVE_USERS, "events arrive", PATIENCE_SECONDS)
        assert not _has_any(third)
        next(filter(_owns, first)).kill()
        wait_until(lambda: _owns(third), "the third has the partition", PATIENCE_SECONDS)
        assigned_at = _assigned_at(third)
        first_at = wait_until(lambda: _first_after(emulator, assigned_at), "a delivery", PATIENCE_SECONDS)
        restored = third.sample("customfit_restored_records_total")
        assert emulator.ledger.summary()["introductions"] == 0
        size_bytes = sum(path.stat().st_size for path in (folder / "state-three").rglob("*") if path.is_file())
        return {
            "standby": standby,
            "users": users,
            "assigned_to_first_delivery_seconds": round(first_at - assigned_at, 2),
            "restored_records": restored,
            **following,
            "idle_cpu_percent": round(idle / IDLE_SECONDS * 100, 2),
            "peak_memory_mb": round(peak_memory_mb(third.process.pid), 1),
            "store_mb": round(size_bytes / 1e6, 1),
        }


def _followed(member: Service, users: int, standby: str) -> dict[str, Any]:
    """Wait until it has followed everything; what that took."""
    if standby == "off":
        return {"before_mb": round(peak_memory_mb(member.process.pid), 1)}
    before_mb, cpu, began = peak_memory_mb(member.process.pid), cpu_seconds(member.process.pid), time.monotonic()
    had = member.sample("customfit_standby_records_total") or 0
    wait_until(
        lambda: (
            member.sample("customfit_standby_behind_records") == 0
            and (member.sample("customfit_standby_records_total") or 0) >= users
        ),
        lambda: f"all is followed: {member.json('/status')['standby']}",
        PATIENCE_SECONDS,
    )
    seconds, used = time.monotonic() - began, cpu_seconds(member.process.pid) - cpu
    records = (member.sample("customfit_standby_records_total") or 0) - had
    return {
        "before_mb": round(before_mb, 1),
        "followed_mb": round(peak_memory_mb(member.process.pid), 1),
        "following_seconds": round(seconds, 1),
        "following_cpu_us_a_record": round(used / records * 1e6, 1),
        "following_cpu_percent": round(used / seconds * 100, 1),
    }


def _fill(settings: Settings, users: int) -> None:
    prepare_state_topic(settings, 1)
    producer = Producer({"bootstrap.servers": settings.kafka_bootstrap_servers, "linger.ms": 50})
    now_ms = time.time_ns() // 1_000_000
    for number in range(users):
        key = StateKey(settings.destination_name, User(_user(number)))
        value, name = encode_value(key, now_ms), encode_key(key)
        while True:
            try:
                producer.produce(settings.state_topic, value, name, partition=0)
                break
            except BufferError:
                producer.poll(0.1)
    assert producer.flush(600) == 0


def _user(number: int) -> str:
    """In no order: a store has to look for the place of each."""
    return blake2b(number.to_bytes(8), digest_size=16).hexdigest()


def _member(folder: Path, name: str, environ: dict[str, str]) -> Service:
    return Service(folder, {**environ, "CUSTOMFIT_STATE_DIR": str(folder / f"state-{name}")}, name=name)


def _views(member: Service) -> list[dict[str, Any]]:
    code, body = member.get("/status")
    return json.loads(body)["partitions"] if code == 200 else []


def _has_any(member: Service) -> bool:
    return bool(_views(member))


def _owns(member: Service) -> bool:
    return any(view["topic"] == TOPIC and not view["restoring"] for view in _views(member))


@contextmanager
def _live(broker: Broker) -> Iterator[None]:
    """Tracks of known users, all the time."""
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers})
    ending = threading.Event()

    def produce() -> None:
        for number in count():
            if ending.wait(LIVE_SECONDS):
                return
            user = _user(number % LIVE_USERS)
            body = {"userId": user, "messageId": f"event-{number}", "type": "track", "event": "E"}
            producer.produce(TOPIC, json.dumps(body), user)
            producer.poll(0)

    thread = threading.Thread(target=produce)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()
        producer.flush(10)


def _assigned_at(member: Service) -> float:
    """When the group gave it the source's partition, by its log."""
    lines = [json.loads(line) for line in member.log.splitlines() if line.startswith("{")]
    given = [line for line in lines if line["code"] == Code.PARTITIONS_ASSIGNED.value and f"{TOPIC}-0" in line["event"]]
    return datetime.fromisoformat(given[-1]["ts"]).timestamp()


def _first_after(emulator: Emulator, moment: float) -> float | None:
    return min((entry.accepted_at for entry in emulator.ledger.entries() if entry.accepted_at > moment), default=None)


if __name__ == "__main__":
    main()
