"""Holes in the gate: it goes on against a destination that said no, stops for one user, or never reopens."""

from __future__ import annotations

from typing import Any, Final

from consumer.sequencing.events import Unavailable, User
from consumer.sequencing.gate import Gate
from consumer.sequencing.lanes import Delivery
from consumer.sequencing.misdirections import Misdirections
from consumer.sequencing.outcomes import Outcomes
from tests.simulation.faults.fault import Fault, around, constant


def retry_after_is_ignored(original: Any, self: Gate, user: User, outcome: Unavailable, *times: float) -> None:
    original(self, user, Unavailable(outcome.cause, None, outcome.throttled), *times)


def retry_after_of_one_is_everybody_s(
    original: Any, self: Gate, user: User, outcome: Unavailable, *times: float
) -> None:
    original(self, user, outcome, *times)
    self._paused_until = max(self._paused_until, times[0] + (outcome.retry_after_seconds or 0.0))


def a_lane_ignores_retry_after(original: Any, self: Outcomes, delivery: Delivery, *args: Any) -> None:
    original(self, delivery, *args)
    delivery.not_before = 0.0


def what_was_sent_before_shows_the_key(original: Any, self: Misdirections, _sent_at: float) -> bool:
    return bool(original(self, float("inf")))


def the_gate_never_reopens(original: Any, self: Gate, now: float, in_flight: int) -> bool:
    return not self.probing and bool(original(self, now, in_flight))


def refusals_always_count(original: Any, self: Gate, user: User, status: int, *times: float) -> bool:
    self._refused_users.clear()
    return bool(original(self, user, status, *times))


FAULTS: Final = (
    Fault("the gate never stops", constant(Gate, "misdirected", None), ("gate",), 100),
    Fault("three refusals at the start", around(Gate, "refused", refusals_always_count), ("gate",), 100, 200),
    Fault("Retry-After is ignored", around(Gate, "failed", retry_after_is_ignored), ("gate",), 60),
    Fault(
        "Retry-After of one user holds for everybody",
        around(Gate, "failed", retry_after_of_one_is_everybody_s),
        ("gate",),
        60,
    ),
    Fault(
        "Retry-After of one user is ignored",
        around(Outcomes, "_failed", a_lane_ignores_retry_after),
        ("gate",),
        60,
    ),
    Fault("one 401 stops everybody", constant(Misdirections, "note", True), ("gate",), 60),
    Fault(
        "what was sent before a 401 shows that the key is right",
        around(Misdirections, "accepted", what_was_sent_before_shows_the_key),
        ("gate",),
        60,
        5850,
    ),
    Fault("the gate never reopens", around(Gate, "may_start", the_gate_never_reopens), ("stuck",), 60),
)
