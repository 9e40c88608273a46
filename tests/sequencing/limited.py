"""A destination that allows so many requests a second, as the emulator does it, and a client that is never idle."""

from __future__ import annotations

import heapq
import random
from typing import NamedTuple

from consumer.sequencing.events import Unavailable, User
from consumer.sequencing.gate import Gate

A = User("a")


class Course(NamedTuple):
    """What came of some minutes."""

    used: float
    """Share of what was allowed."""
    refused: float
    """Share of the requests that got 429."""


def course(
    *,
    limit: float,
    latency_seconds: float,
    seconds: float = 120.0,
    client_rate: float = 4_000.0,
    retry_after_seconds: float | None = 1.0,
    burst_seconds: float = 1.0,
) -> Course:
    """Send whatever the gate allows; the client can't start more than `client_rate` requests a second."""
    gate, rng = Gate(256, lambda _attempt: 1.0), random.Random(1)
    now, in_flight, accepted, refused = 0.0, 0, 0, 0
    arrivals: list[tuple[float, int, float, bool | None]] = []
    expected_at, number, next_start_at = 0.0, 0, 0.0
    while now < seconds:
        while gate.may_start(now, in_flight) and next_start_at <= now:
            in_flight, number = in_flight + 1, number + 1
            heapq.heappush(arrivals, (now + latency_seconds * rng.uniform(0.4, 0.6), number, now, None))
            next_start_at = max(next_start_at, now - 0.005) + 1 / client_rate
        opens_at = gate.opens_at(now)
        times = [arrivals[0][0]] if arrivals else []
        if opens_at is not None:
            times.append(opens_at)
        elif gate.may_start(now, in_flight):
            times.append(next_start_at)
        due = min(times)
        if not arrivals or due < arrivals[0][0]:
            now = max(due, now)
            continue
        now, number_, sent_at, is_accepted = heapq.heappop(arrivals)
        if is_accepted is None:  # it arrives at the destination
            next_expected_at = max(expected_at, now) + 1 / limit
            admitted = next_expected_at - now <= max(burst_seconds, 1 / limit)
            expected_at = next_expected_at if admitted else expected_at
            heapq.heappush(arrivals, (now + latency_seconds * rng.uniform(0.4, 0.6), number_, sent_at, admitted))
            continue
        in_flight -= 1
        if is_accepted:
            accepted += 1
            gate.delivered(now, sent_at)
        else:
            refused += 1
            gate.failed(A, Unavailable("429", retry_after_seconds, throttled=True), now, sent_at)
    return Course(accepted / (limit * (seconds + burst_seconds)), refused / (accepted + refused))
