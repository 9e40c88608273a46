"""Holes in the order of a user's events, and in one request at a time for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from consumer.sequencing import lanes, rule
from consumer.sequencing.events import Event, HandBack, Kind, Partition
from consumer.sequencing.lanes import Delivery, LaneStatus
from consumer.sequencing.outcomes import Outcomes
from consumer.sequencing.rule import DeliveryKind
from consumer.sequencing.sequencer import Sequencer
from tests.simulation.faults.fault import Fault, around, constant, together


def an_identify_overtakes_a_delete(_original: Any, waiting: Sequence[Event]) -> int | None:
    return next((index for index, event in enumerate(waiting) if event.kind is Kind.IDENTIFY), None)


def a_retry_goes_to_the_back(original: Any, self: Outcomes, delivery: Delivery, *args: Any) -> None:
    original(self, delivery, *args)
    lane = delivery.lane
    if lane.again and delivery.kind is DeliveryKind.EVENTS:
        *rest, again = lane.again
        lane.again = tuple(rest)
        for event in again.events:
            lane.append(event)


def the_right_half_goes_first(original: Any, self: Delivery) -> tuple[Delivery, Delivery]:
    left, right = original(self)
    return right, left


def two_are_in_flight(original: Any, self: Sequencer, now: float) -> Delivery | None:
    delivery: Delivery | None = original(self, now)
    if delivery is not None and delivery.lane.waiting and delivery.lane.identified:
        delivery.lane.status = LaneStatus.READY
        self._steps.ready.add(delivery.lane)
    return delivery


def nothing_lingers(original: Any, self: Sequencer, partition: Partition, reason: HandBack) -> None:
    original(self, partition, reason)
    self._lingering.clear()


FAULTS: Final = (
    Fault(
        "an identify overtakes a delete",
        together(*(around(module, "first_identify", an_identify_overtakes_a_delete) for module in (rule, lanes))),
        ("order",),
        300,
    ),
    Fault("a waiting identify is overlooked", constant(rule, "first_identify", None), ("order",), 60),
    Fault(
        "a retry goes to the back of its lane",
        around(Outcomes, "_failed", a_retry_goes_to_the_back),
        ("order", "gate"),
        100,
    ),
    Fault("the right half goes first", around(Delivery, "halves", the_right_half_goes_first), ("order",), 100),
    Fault("two in flight for a user", around(Sequencer, "next_delivery", two_are_in_flight), ("in flight",), 20, 1),
    Fault("an old request is not waited for", around(Sequencer, "drop", nothing_lingers), ("in flight",), 300),
)
