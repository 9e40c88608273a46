"""The events: 600 bytes each, keyed by user, a user's first event an identify, the same for the same seed.

Event n has the messageId `e` + n, and user m the id `u` + m: so the sink checks each user's order with one number.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from confluent_kafka import Producer

EVENT_BYTES = 600
START_MS = 1_795_428_000_000  # 2026-11-23 10:00 UTC
CONTEXT = (
    b'"context":{"library":{"name":"analytics.js","version":"2.1.0"},"ip":"203.0.113.7","locale":"en-US",'
    b'"page":{"path":"/pricing","url":"https://shop.example/pricing","title":"Pricing"},"userAgent":"Mozilla/5.0"},'
    b'"integrations":{},"channel":"browser","version":2'
)
ENVELOPE = b'"userId":"u%08d","messageId":"e%010d","timestamp":"2026-11-23T10:%02d:%02d.%03dZ",' + CONTEXT
IDENTIFY = (
    b'{"type":"identify","traits":{"plan":"pro","email":"someone@shop.example","country":"DE","seats":12,"note":"%s"},'
)
TRACK = b'{"type":"track","event":"Order Completed","properties":{"total":27.5,"currency":"EUR","note":"%s"},'
PAGE = b'{"type":"page","name":"Pricing","properties":{"path":"/pricing","referrer":"","note":"%s"},'


@dataclass(frozen=True, slots=True)
class Workload:
    """`users` users cause `events` events."""

    users: int = 20_000
    events: int = 600_000
    identify_share: float = 0.04
    """Of a user's events after the first."""
    identify_all: bool = False
    """Begins with one identify of every user, in order of their number; else users show up as chance has it."""
    even: bool = False
    """All users are as busy; else by Zipf and Mandelbrot: a tenth of them causes half of the events, the busiest of
    20,000 one event in a thousand."""
    seed: int = 1

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        """Key and value of each event, endless."""
        chance = random.Random(self.seed).random
        seen = bytearray(self.users)
        shift = self.users / 100
        ratio = (self.users + shift) / shift
        shapes = [_padded(IDENTIFY), _padded(TRACK), _padded(PAGE)]
        number = 0
        while True:
            if self.identify_all and number < self.users:
                user = number
            elif self.even:
                user = int(chance() * self.users)
            else:
                user = min(int(shift * ratio ** chance() - shift), self.users - 1)
            draw = chance()
            identifies = not seen[user] or draw < self.identify_share
            shape = shapes[0] if identifies else shapes[1] if draw < 0.9 else shapes[2]
            seen[user] = 1
            minutes, ms = divmod(number % 3_600_000, 60_000)
            yield b"u%08d" % user, shape % (user, number, minutes, ms // 1000, ms % 1000)
            number += 1


def _padded(head: bytes) -> bytes:
    """The shape of one kind of event, 600 bytes once its five numbers are in."""
    shape = head % b"%b" + ENVELOPE + b"}"
    missing = EVENT_BYTES - len(shape.replace(b"%b", b"") % (0, 0, 0, 0, 0))
    return shape.replace(b"%b", b"x" * missing)


def producer(bootstrap_servers: str, linger_ms: float) -> Producer:
    """As Java's clients would partition."""
    return Producer(
        {
            "bootstrap.servers": bootstrap_servers,
            "partitioner": "murmur2_random",
            "linger.ms": linger_ms,
            "enable.idempotence": True,  # else a retry may change the order, and every contender would seem to break it
            "queue.buffering.max.messages": 200_000,
            "log_level": 3,  # a coordinator that still loads is no news
        }
    )


def fill(bootstrap_servers: str, topic: str, workload: Workload, *, more: int = 0) -> None:
    """Produce all of its events; or so many more, where that is done."""
    client = producer(bootstrap_servers, 20)
    begin, end = (workload.events, workload.events + more) if more else (0, workload.events)
    for key, value in islice(workload, begin, end):
        while True:
            try:
                client.produce(topic, value, key)
                break
            except BufferError:
                client.poll(0.1)
    client.flush()


def produce_at(bootstrap_servers: str, topic: str, workload: Workload, events_per_second: float) -> list[int]:
    """Produce its events at an even rate; gives the time of each, as unix nanoseconds."""
    client = producer(bootstrap_servers, 0)
    produced: list[int] = []
    started = time.monotonic()
    for number, (key, value) in zip(range(workload.events), workload, strict=False):
        while (early := started + number / events_per_second - time.monotonic()) > 0:
            time.sleep(early)
        produced.append(time.time_ns())
        client.produce(topic, value, key)
        client.poll(0)
    client.flush()
    return produced
