"""Holes in the rate: a share that outlives its partition, requests that take no permit, a burst that comes along."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import pytest

from consumer.sequencing import rate
from consumer.sequencing.assignment import Assignment
from consumer.sequencing.gate import Gate
from consumer.sequencing.lanes import Lane
from consumer.sequencing.rate import Permits, Rate
from consumer.sequencing.ready import ReadyLanes
from consumer.sequencing.ready_within_rate import ReadyWithinRate
from consumer.sequencing.rule import Step, next_step
from tests.simulation.faults.fault import Fault, Install, around, together


def the_share_is_kept(original: Any, self: Rate, assignments: Iterable[Assignment], now: float) -> None:
    had = self.__dict__.setdefault("had", {})
    had |= {assignment.partition: assignment for assignment in assignments}
    for assignment in had.values():
        assignment.closed = False if assignment.dropped else assignment.closed
    original(self, list(had.values()), now)


def it_begins_before_the_lease(original: Any, self: Rate, assignments: Iterable[Assignment], now: float) -> None:
    leased_at = {assignment: assignment.leased_at for assignment in assignments}
    for assignment in leased_at:
        assignment.leased_at = now
    original(self, leased_at, now)
    for assignment, at in leased_at.items():
        assignment.leased_at = at


def a_hand_over_brings_permits(original: Any, self: Permits, to: float, now: float) -> None:
    grows = to > self.rate
    original(self, to, now)
    self.saved = self.saved_max if grows else self.saved


def permits_without_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Permits, "saved_max", property(lambda _self: 1e9))


def each_counts_itself_alone(_original: Any, _self: rate.Count, _number: int, _now: float) -> float:
    return 1.0


def _uncounted(goes_free: Any) -> Install:
    """Requests of lanes of which this is said take no permit."""

    def permits(original: Any, self: ReadyWithinRate, queue: ReadyLanes) -> bool:
        lane = queue.first()
        return (lane is not None and goes_free(self._gate, lane)) or bool(original(self, queue))

    def start(original: Any, self: ReadyWithinRate, lane: Lane) -> None:
        if not goes_free(self._gate, lane):
            original(self, lane)

    return together(around(ReadyWithinRate, "_permits", permits), around(ReadyWithinRate, "start", start))


def a_probe(gate: Gate, _lane: Lane) -> bool:
    return gate.probing


def a_retry(_gate: Gate, lane: Lane) -> bool:
    return bool(lane.again)


def an_introduction(_gate: Gate, lane: Lane) -> bool:
    return next_step(lane, 1e9, 0.0, "introduce") is Step.INTRODUCTION


FAULTS: Final = (
    Fault("a share is kept by who had it", around(Rate, "tick", the_share_is_kept), ("rate",), 40, 45),
    Fault("a share begins before a commit", around(Rate, "tick", it_begins_before_the_lease), ("rate",), 40),
    Fault("a hand-over brings permits", around(Permits, "change", a_hand_over_brings_permits), ("rate",), 40),
    Fault("permits are kept without limit", permits_without_limit, ("rate",), 200),
    Fault("each partition counts as all", around(rate.Count, "part", each_counts_itself_alone), ("rate",), 40),
    Fault("probes take no permit", _uncounted(a_probe), ("rate",), 40, 30),
    Fault("retries take no permit", _uncounted(a_retry), ("rate",), 40),
    Fault("introductions take no permit", _uncounted(an_introduction), ("rate",), 40),
)
