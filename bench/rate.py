"""One rate for the group, counted where it matters: at the destination, while members come, go and are killed.

    python -m bench.rate [--rate 200] [--seconds 60] [--members 1,2,4] [--replays 100000]

Each number of members works off an even backlog of one event a request: undisturbed first, then for as long with one
member after the other killed or stopped, and started again. Counted are all requests, also those that fail (3 %). What
the promise is about are the starts, which the members note (noted_starts.py): a destination that stands still for a
moment, or a busy machine, counts later what had started before, and more at once. Then, with one member, a replay
beside live events: what it does to their latency. Prints Markdown.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from confluent_kafka import Producer

from bench.noted_starts import STARTS, noted
from consumer.emulator.contract import Call
from consumer.emulator.ledger import Ledger
from consumer.emulator.server import Emulator, running_emulator
from consumer.sequencing.rate import BURST_SECONDS
from tests.real_broker.broker import Broker
from tests.real_broker.running_service import KEY, Service, wait_until
from tests.real_broker.scene import partitions_of

PARTITIONS: Final = 12
USERS: Final = 3_000
LIVE_USERS: Final = 200
LIVE_RATE: Final = 40.0
FAIL_RATE: Final = 0.03
SETTLE_SECONDS: Final = 3.0
CHURN_SECONDS: Final = 8.0
LATENCY_SECONDS: Final = 0.02


class CountingLedger(Ledger):
    """Notes when each request was counted, whatever became of it."""

    def __init__(self) -> None:
        self.times: list[float] = []
        super().__init__(events_max=4_000_000)

    def accept(self, call: Call, *, answered: bool) -> bool:
        """Accepted."""
        self.times.append(time.monotonic())
        return super().accept(call, answered=answered)

    def refuse(self, status: int) -> None:
        """Failed or refused."""
        self.times.append(time.monotonic())
        super().refuse(status)


class Row(NamedTuple):
    """What came of one number of members."""

    members: int
    rate: float
    seconds: float
    used: float
    """Of the rate, undisturbed."""
    most_calm: int
    """In any second, undisturbed."""
    churns: int
    used_in_churn: float
    most_in_churn: int
    most_started: int
    """In any second, from the first request to the last, by the members' own notes."""
    allowed: float
    violations: int
    """Events before an identify of their user."""

    @property
    def failed(self) -> bool:
        """Whether it is worse than promised."""
        return self.used < 0.95 or self.most_started > self.allowed or self.violations > 0


class Group:
    """A topic, a destination and members that share a rate."""

    def __init__(self, broker: Broker, rate: float, members: int, **settings: str) -> None:
        self.topic = f"rate-{uuid.uuid4().hex[:8]}"
        self.ledger = CountingLedger()
        self.emulator = Emulator(keys=frozenset({KEY}), ledger=self.ledger)
        self.members: list[Service] = []
        self.starts: list[float] = []
        """When members started requests, once they have ended."""
        self._rate = rate
        self._count = members
        self._settings = settings
        self._broker = broker
        broker.create_topic(self.topic, PARTITIONS)

    @contextmanager
    def running(self) -> Iterator[None]:
        """All of it; each member has some partitions."""
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            stack.enter_context(running_emulator(self.emulator))
            for number in range(self._count):
                environ = {
                    "CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS": self._broker.bootstrap_servers,
                    "CUSTOMFIT_KAFKA_TOPIC": self.topic,
                    "CUSTOMFIT_KAFKA_GROUP_ID": self.topic,
                    "CUSTOMFIT_KAFKA_PROPERTIES": json.dumps({"session.timeout.ms": 6000}),
                    "CUSTOMFIT_REQUEST_TIMEOUT_SECONDS": "2",
                    "CUSTOMFIT_API_URL": self.emulator.url,
                    "CUSTOMFIT_REQUESTS_PER_SECOND_MAX": f"{self._rate:g}",
                    "CUSTOMFIT_STATE_DIR": str(folder / f"state-{number}"),
                    STARTS: str(folder / "starts"),
                    **self._settings,
                }
                member = Service(folder, environ, name=f"member-{number}", command=("-m", "bench.noted_starts", "run"))
                self.members.append(stack.enter_context(member))
            self.wait_shared()
            yield
            self.starts = noted(folder / "starts")

    def wait_shared(self) -> None:
        """Return when all partitions are somebody's and everybody has some."""

        def shared() -> bool:
            try:
                owned = [partitions_of(member) for member in self.members]
            except (ValueError, KeyError):  # one has just been started
                return False
            return all(owned) and sum(map(len, owned)) == PARTITIONS

        wait_until(shared, "the partitions are shared", 120)

    def churn(self, seconds: float) -> int:
        """Kill a member, or stop it, and start it again, one after the other; gives how often."""
        until, number = time.monotonic() + seconds, 0
        while time.monotonic() < until:
            victim = self.members[number % len(self.members)]
            if number % 2:
                victim.stop()
            else:
                victim.kill()
            victim.restart()
            number += 1
            time.sleep(min(CHURN_SECONDS, max(until - time.monotonic(), 0)))
        return number

    def produce(self, topic: str, events: int, users: int, prefix: str, *, pace: float = 0.0) -> None:
        """Identifies first, then tracks, of one user after the other; `pace`: events a second."""
        producer = Producer({"bootstrap.servers": self._broker.bootstrap_servers, "partitioner": "murmur2_random"})
        started = time.monotonic()
        for number in range(events):
            while pace and number > (time.monotonic() - started) * pace:
                producer.poll(0.002)
            user = f"{prefix}-{number % users}"
            body = {"userId": user, "messageId": f"{prefix}-{number}-{time.time():.6f}", "type": "track", "event": "E"}
            if number < users:
                body |= {"type": "identify"}
            while True:
                try:
                    producer.produce(topic, json.dumps(body), user)
                    break
                except BufferError:
                    producer.poll(0.1)
            producer.poll(0)
        producer.flush()


def most_in_a_second(times: list[float], begins: float, ends: float) -> int:
    """In any second between these."""
    some = sorted(at for at in times if begins <= at < ends)
    first = most = 0
    for last, at in enumerate(some):
        while some[first] <= at - 1:
            first += 1
        most = max(most, last - first + 1)
    return most


def used(times: list[float], begins: float, ends: float, rate: float) -> float:
    """Share of the rate."""
    return sum(begins <= at < ends for at in times) / (ends - begins) / rate


def measure(broker: Broker, rate: float, members: int, seconds: float) -> Row:
    """One number of members."""
    group = Group(broker, rate, members, CUSTOMFIT_BATCH_EVENTS_MAX="1")
    group.emulator.faults.change({"latency_seconds": LATENCY_SECONDS, "fail_rate": FAIL_RATE, "fail_status": 503})
    group.produce(group.topic, int(rate * (2 * seconds + 60) * 1.1), USERS, "u")
    with group.running():
        time.sleep(SETTLE_SECONDS)
        begins = time.monotonic()
        time.sleep(seconds)
        calm = time.monotonic()
        churns = group.churn(seconds)
        ends = time.monotonic()
        times = list(group.ledger.times)
    return Row(
        members=members,
        rate=rate,
        seconds=seconds,
        used=used(times, begins, calm, rate),
        most_calm=most_in_a_second(times, begins, calm),
        churns=churns,
        used_in_churn=used(times, calm, ends, rate),
        most_in_churn=most_in_a_second(times, 0, ends),
        most_started=most_in_a_second(group.starts, 0, ends),
        allowed=rate * (1 + BURST_SECONDS) + members + 1,
        violations=group.ledger.summary()["identifies_first_violations"],
    )


def latencies(group: Group, begins: float, ends: float) -> list[float]:
    """From producing to arriving, of live events that arrived between these; wall seconds."""
    return sorted(
        entry.accepted_at - float(insert_id.rpartition("-")[2])
        for entry in group.ledger.entries()
        if begins <= entry.accepted_at < ends and entry.user_id.startswith("live") and entry.identify != "introduction"
        for insert_id in entry.insert_ids
    )


def percentile(values: list[float], share: float) -> float:
    """Of sorted values."""
    return values[min(int(len(values) * share), len(values) - 1)]


def beside_live(broker: Broker, rate: float, replays: int, seconds: float) -> list[str]:
    """A replay beside live events: their latency before it and while it goes on."""
    group = Group(broker, rate, 1)
    group.emulator.faults.change({"latency_seconds": LATENCY_SECONDS})
    lines = []
    with group.running():
        live = _in_background(
            lambda: group.produce(group.topic, int(LIVE_RATE * seconds * 4), LIVE_USERS, "live", pace=LIVE_RATE)
        )
        time.sleep(LIVE_USERS / LIVE_RATE + SETTLE_SECONDS)
        before = time.time()
        time.sleep(seconds)
        begins = time.time()
        group.produce(f"{group.topic}.customfit-replay", replays, USERS, "again")
        started, requests = time.time(), len(group.ledger.times)
        time.sleep(seconds)
        ends, requests_then = time.time(), len(group.ledger.times)
        alone, beside = latencies(group, before, begins), latencies(group, started, ends)
        replayed = sum(entry.user_id.startswith("again") for entry in group.ledger.entries())
        lines.append(f"rate {rate:g}, live {LIVE_RATE:g}/s, replay of {replays:,}: {replayed:,} requests of it in all")
        lines.append(f"rate used while both go on: {(requests_then - requests) / (ends - started) / rate:.1%}")
        for name, some in (("alone", alone), ("beside the replay", beside)):
            figures = ", ".join(f"p{share:.0%} {percentile(some, share) * 1000:.1f} ms" for share in (0.5, 0.9, 0.99))
            lines.append(f"live {name}: {len(some)} events, {figures}")
        lines.append(f"p99: {percentile(beside, 0.99) / percentile(alone, 0.99):.2f} times")
        group.members[0].kill()
    live.join()
    return lines


def _in_background(do: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=do, daemon=True)
    thread.start()
    return thread


def main() -> int:
    """Print the table; 1 when something is worse than promised."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=200)
    parser.add_argument("--seconds", type=float, default=60, help="undisturbed, and again with churn")
    parser.add_argument("--members", default="1,2,4", help="empty: only the replay")
    parser.add_argument("--replays", type=int, default=100_000, help="0: none")
    options = parser.parse_args()
    rows = []
    with Broker() as broker:
        for members in filter(None, options.members.split(",")):
            rows.append(row := measure(broker, options.rate, int(members), options.seconds))
            print(row, "FAILED" if row.failed else "", flush=True)
        if options.replays:
            print("\n".join(beside_live(broker, options.rate, options.replays, options.seconds)), flush=True)
    print("| members | rate | used | most counted | used in churn | most counted, churn | most started | may be |")
    print("|---|---|---|---|---|---|---|---|")
    for row in rows:
        print(
            f"| {row.members} | {row.rate:g} | {row.used:.1%} | {row.most_calm} | {row.used_in_churn:.1%} "
            f"({row.churns} times) | {row.most_in_churn} | {row.most_started} | {row.allowed:g} |"
        )
    return int(any(row.failed for row in rows))


if __name__ == "__main__":
    raise SystemExit(main())
