"""Holes in giving up: events that are good become dead letters, or what can't be sent never does."""

from __future__ import annotations

from typing import Any, Final

from consumer.sequencing.assignment import Assignment
from consumer.sequencing.events import Kind, Misdirected
from consumer.sequencing.giving_up import GivingUp
from consumer.sequencing.lanes import Delivery
from consumer.sequencing.outcomes import Outcomes
from consumer.sequencing.rule import DeliveryKind
from tests.simulation.faults.fault import Fault, around, constant


def an_introduction_buries_the_last(original: Any, self: Outcomes, delivery: Delivery, *args: Any) -> None:
    lane = delivery.lane
    if delivery.kind is not DeliveryKind.INTRODUCTION or len(lane.waiting) < 2 or lane.assignment.dropped:
        original(self, delivery, *args)
        return
    last = lane.waiting.pop()
    lane.identifies -= last.kind is Kind.IDENTIFY
    self._endings.dead_letter(lane.assignment, last.record, *args)


def failing_always_counts(*_values: object) -> float:
    return 1.0


def what_is_forbidden_is_never_given_up(original: Any, self: GivingUp, failed_at: float, outcome: Any) -> float:
    return 0.0 if isinstance(outcome, Misdirected) else float(original(self, failed_at, outcome))


FAULTS: Final = (
    Fault(
        "a refused introduction buries the last event",
        around(Outcomes, "_dead_letter", an_introduction_buries_the_last),
        ("dead letter",),
        100,
    ),
    Fault(
        "gives up in an outage",
        around(GivingUp, "_share_that_counts", failing_always_counts),
        ("dead letter",),
        300,
    ),
    Fault("any share of dead letters", constant(Assignment, "may_dead_letter", True), ("dead letter",), 100),
    Fault(
        "with a wrong key events are given up",
        around(GivingUp, "_share_that_counts", failing_always_counts),
        ("dead letter",),
        300,
    ),
    Fault(
        "what is forbidden is never given up",
        around(GivingUp, "_share_that_counts", what_is_forbidden_is_never_given_up),
        ("stuck",),
        60,
    ),
)
