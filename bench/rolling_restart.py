"""A rolling restart and a fail-over under load, measured at the destination, partition by partition.

    python -m bench.rolling_restart [--rate 240] [--session-timeout 10] [--protocols classic,consumer]

Three members share six partitions. Each is stopped with SIGTERM and started again, one after the other; then one is
killed. A gap is the time between two accepted events of a partition; events of each come every 25 ms.
Prints a Markdown table: the rows of docs/chaos.md.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple

from confluent_kafka import KafkaError, Message, Producer

from consumer.emulator.server import Emulator, running_emulator
from tests.real_broker.broker import JVM_OPTIONS_IN_PRODUCTION, Broker
from tests.real_broker.running_service import KEY, Service, wait_until

PARTITIONS: Final = 6
MEMBERS: Final = 3
USERS: Final = 600
SETTLE_SECONDS: Final = 3.0
GAP_SECONDS_MAX: Final = 3.0
TAKEOVER_SECONDS_MAX: Final = 3.0
"""Beside the session timeout."""
HEARTBEAT_MS = 3_000
"""The classic protocol's default, with either protocol."""


class Answers(NamedTuple):
    """How long the destination takes: from `seconds` to `seconds` + `jitter_seconds`."""

    name: str
    seconds: float
    jitter_seconds: float


QUICK: Final = Answers("20-50 ms", 0.02, 0.03)
SLOW: Final = Answers("20 ms - 1 s", 0.02, 0.98)


class Row(NamedTuple):
    """One measurement."""

    protocol: str
    answers: str
    events: int
    twice: int
    before_identify: int
    gap_before_seconds: float
    """The longest of any partition while nothing happened."""
    gaps_seconds: list[float]
    """The longest of each partition in the rolling restart."""
    session_timeout_seconds: float
    takeover_seconds: float
    """From SIGKILL until all partitions of the dead member go on."""
    twice_after_kill: int
    lost: int

    @property
    def failed(self) -> bool:
        """Whether it is worse than promised; for the new protocol no gap is promised."""
        slow = self.protocol == "classic" and max(self.gaps_seconds) > GAP_SECONDS_MAX
        late = self.takeover_seconds > self.session_timeout_seconds + TAKEOVER_SECONDS_MAX
        return bool(slow or late or self.twice or self.lost or self.before_identify)


class Load:
    """Produces without end, in a thread: an identify of each user, then tracks."""

    def __init__(self, broker: Broker, topic: str, rate: float) -> None:
        self.partition_of: dict[str, int] = {}
        """Insert id → partition."""
        self._topic = topic
        self._rate = rate
        self._producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "partitioner": "murmur2_random"})
        self._stopping = False
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End when all is acknowledged."""
        self._stopping = True
        self._thread.join()

    def _run(self) -> None:
        started, number = time.monotonic(), 0
        while not self._stopping:
            while number < (time.monotonic() - started) * self._rate:
                self._produce(number)
                number += 1
            self._producer.poll(0.01)
        self._producer.flush()

    def _produce(self, number: int) -> None:
        user, insert_id = f"user-{number % USERS}", f"event-{number}"
        body: dict[str, Any] = {"userId": user, "messageId": insert_id, "type": "track", "event": "E"}
        if number < USERS:
            body |= {"type": "identify", "traits": {"plan": "pro"}}

        def note(error: KafkaError | None, message: Message) -> None:
            assert error is None
            self.partition_of[insert_id] = message.partition() or 0

        self._producer.produce(self._topic, json.dumps(body), user, on_delivery=note)


class Stage:
    """A broker's topic, a destination, a load and three members."""

    def __init__(self, broker: Broker, protocol: str, answers: Answers, rate: float, session_seconds: float) -> None:
        self._topic = f"rolling-{uuid.uuid4().hex[:8]}"
        self._broker = broker
        self.protocol = protocol
        broker.create_topic(self._topic, PARTITIONS)
        faults = {"latency_seconds": answers.seconds, "latency_jitter_seconds": answers.jitter_seconds}
        self.emulator = Emulator(keys=frozenset({KEY}))
        self.emulator.faults.change(faults)
        self.load = Load(broker, self._topic, rate)
        self._session_seconds = session_seconds
        self.members: list[Service] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        """All of it."""
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            stack.enter_context(running_emulator(self.emulator))
            for number in range(MEMBERS):
                self.members.append(stack.enter_context(self._member(folder, number)))
            self.wait_shared(self.members)
            self.load.start()
            yield

    def _member(self, folder: Path, number: int) -> Service:
        properties: dict[str, Any] = {"group.protocol": "consumer"}
        if self.protocol == "classic":
            properties = {"session.timeout.ms": round(self._session_seconds * 1000)}
        environ = {
            "CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS": self._broker.bootstrap_servers,
            "CUSTOMFIT_KAFKA_TOPIC": self._topic,
            "CUSTOMFIT_KAFKA_GROUP_ID": self._topic,
            "CUSTOMFIT_KAFKA_PROPERTIES": json.dumps(properties),
            "CUSTOMFIT_API_URL": self.emulator.url,
            "CUSTOMFIT_STATE_DIR": str(folder / f"state-{number}"),
        }
        return Service(folder, environ, name=f"member-{number}")

    def wait_shared(self, members: list[Service]) -> None:
        """Return when all partitions are somebody's and everybody has some."""

        def shared() -> bool:
            owned = [partitions_of(member) for member in members]
            return all(owned) and sum(map(len, owned)) == PARTITIONS

        wait_until(shared, "the partitions are shared", 120)

    def events(self) -> list[tuple[float, str]]:
        """When which event was accepted."""
        entries = [e for e in self.emulator.ledger.entries() if e.identify != "introduction"]
        return [(entry.accepted_at, insert_id) for entry in entries for insert_id in entry.insert_ids]

    def gaps(self, begins: float, ends: float) -> dict[int, float]:
        """The longest time without an accepted event, of each partition."""
        times: dict[int, list[float]] = {number: [begins] for number in range(PARTITIONS)}
        for at, insert_id in sorted(self.events()):
            if begins <= at <= ends:
                times[self.load.partition_of[insert_id]].append(at)
        return {number: max(b - a for a, b in pairwise([*at, ends])) for number, at in times.items()}

    def twice(self) -> int:
        """How many were accepted more than once."""
        return sum(count > 1 for count in Counter(insert_id for _, insert_id in self.events()).values())

    def finish(self) -> int:
        """Stop the load, wait until all has arrived; gives how many have not."""
        self.load.stop()
        sent = self.load.partition_of.keys()
        with suppress(AssertionError):  # then they are lost
            wait_until(lambda: sent <= {insert_id for _, insert_id in self.events()}, "all events", 60)
        return len(sent - {insert_id for _, insert_id in self.events()})


def partitions_of(service: Service) -> list[int]:
    """The partitions that are a member's; none while it does not answer."""
    code, body = service.get("/status")
    return (
        [view["partition"] for view in json.loads(body)["partitions"] if "replay" not in view["topic"]]
        if code == 200
        else []
    )


def measure(broker: Broker, protocol: str, answers: Answers, rate: float, session_seconds: float) -> Row:
    """One row."""
    stage = Stage(broker, protocol, answers, rate, session_seconds)
    with stage.running():
        wait_until(lambda: len(stage.events()) > 2 * USERS, "the load", 60)
        quiet = time.time()
        time.sleep(SETTLE_SECONDS)
        begins = time.time()
        for member in stage.members:
            member.stop()
            member.restart()
            wait_until(lambda member=member: partitions_of(member), "partitions again", 120)  # type: ignore[misc]
            stage.wait_shared(stage.members)
            time.sleep(SETTLE_SECONDS)
        ends = time.time()
        gaps, twice = stage.gaps(begins, ends), stage.twice()
        victim = stage.members[0]
        theirs = partitions_of(victim)
        victim.kill()
        killed = time.time()
        stage.wait_shared(stage.members[1:])
        time.sleep(SETTLE_SECONDS)
        after = stage.gaps(killed, time.time())
        lost = stage.finish()
        return Row(
            protocol=protocol,
            answers=answers.name,
            events=len(stage.load.partition_of),
            twice=twice,
            before_identify=stage.emulator.ledger.summary()["identifies_first_violations"],
            gap_before_seconds=max(stage.gaps(quiet, begins).values()),
            gaps_seconds=sorted(gaps.values()),
            session_timeout_seconds=session_seconds,
            takeover_seconds=max(after[number] for number in theirs),
            twice_after_kill=stage.twice() - twice,
            lost=lost,
        )


def rows(rate: float, session_seconds: float, protocols: list[str]) -> list[Row]:
    """All measurements, on one broker."""
    session_ms = round(session_seconds * 1000)
    properties: Mapping[str, object] = {
        "group.consumer.session.timeout.ms": session_ms,
        # With the new protocol the broker says it (by default 5 s, for a session of 45 s): so soon members hear of a
        # rebalance.
        "group.consumer.heartbeat.interval.ms": HEARTBEAT_MS,
    }
    with Broker(properties, jvm_options=JVM_OPTIONS_IN_PRODUCTION) as broker:
        return [
            measure(broker, protocol, answers, rate, session_seconds)
            for protocol in protocols
            for answers in (QUICK, SLOW)
        ]


def table(measured: list[Row]) -> str:
    """The rows in Markdown."""
    headings = (
        "group protocol",
        "answers in",
        "events",
        "sent twice",
        "longest gap, quiet",
        "longest gap of each partition, rolling restart",
        "session timeout",
        "takeover after SIGKILL",
        "sent twice by it",
        "lost",
    )
    lines = [f"| {' | '.join(headings)} |", "|---" * len(headings) + "|"]
    for row in measured:
        gaps = ", ".join(f"{seconds:.2f}" for seconds in row.gaps_seconds)
        cells = (
            row.protocol,
            row.answers,
            f"{row.events:,}",
            f"{row.twice}",
            f"{row.gap_before_seconds:.2f} s",
            f"{gaps} s",
            f"{row.session_timeout_seconds:g} s",
            f"{row.takeover_seconds:.1f} s",
            f"{row.twice_after_kill}",
            f"{row.lost}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> int:
    """Print the table; 1 when something is worse than promised."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rate", type=float, default=240, help="Events a second.")
    parser.add_argument("--session-timeout", type=float, default=10, help="Seconds.")
    parser.add_argument("--protocols", default="classic,consumer")
    options = parser.parse_args()
    measured = rows(options.rate, options.session_timeout, options.protocols.split(","))
    print(table(measured))
    return 1 if any(row.failed for row in measured) else 0


if __name__ == "__main__":
    raise SystemExit(main())
