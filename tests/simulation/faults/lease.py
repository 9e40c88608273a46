"""Holes in the lease: a member sends although another may own its partitions, or stops without need."""

from __future__ import annotations

from typing import Any, Final

from consumer.loop.pipeline import Pipeline
from consumer.ports.inputs import Committed
from consumer.sequencing.assignment import Assignment
from consumer.sequencing.commits import CommitSchedule
from consumer.sequencing.lanes import Delivery
from consumer.sequencing.lease import NEVER, Lease
from consumer.sequencing.sequencer import Sequencer
from consumer.settings import settings
from tests.simulation.faults.fault import Fault, around, instead


def no_lease_is_asked_for(original: Any, self: Sequencer, now: float) -> Delivery | None:
    for assignment in self.assignments.values():
        assignment.leased_at = now
    delivery: Delivery | None = original(self, now)
    return delivery


def the_lease_counts_from_the_answer(original: Any, self: Pipeline, item: Any, now: float) -> None:
    original(self, item, now)
    if isinstance(item, Committed):
        for partition in item.accepted:
            if partition in self._sequencer.assignments:
                self._sequencer.assignments[partition].leased_at = now


def any_answer_renews(original: Any, self: Pipeline, item: Any, now: float) -> None:
    original(self, item, now)
    if isinstance(item, Committed):
        for partition in item.asked:
            if partition in self._sequencer.assignments:
                self._sequencer.assignments[partition].leased_at = self._commits._asked_at


def nothing_is_renewed(original: Any, self: CommitSchedule, assignment: Assignment, now: float) -> bool:
    return assignment.leased_at == NEVER and bool(original(self, assignment, now))


def requests_may_outlast_the_session(session_seconds: float, request_timeout_seconds: float) -> Lease:
    return Lease(session_seconds, request_timeout_seconds)


FAULTS: Final = (
    Fault("no lease is asked for", around(Sequencer, "next_delivery", no_lease_is_asked_for), ("zombie",), 60),
    Fault(
        "the lease counts from the answer",
        around(Pipeline, "_accept", the_lease_counts_from_the_answer),
        ("zombie",),
        200,
        250,
    ),
    Fault("any answer to a commit renews the lease", around(Pipeline, "_accept", any_answer_renews), ("zombie",), 60),
    Fault("nothing is renewed", around(CommitSchedule, "_is_to_renew", nothing_is_renewed), ("stuck",), 60),
    Fault(
        "requests may outlast the session",
        instead(settings, "lease_of", requests_may_outlast_the_session),
        ("zombie",),
        100,
        110,
    ),
)
