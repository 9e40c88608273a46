"""Holes in the order of a user's events, and in one request at a time for each."""

from __future__ import annotations

from typing import Any, Final

from consumer.sequencing.events import HandBack, Kind, Partition
from consumer.sequencing.lanes import Delivery, DeliveryKind, Lane, LaneStatus
from consumer.sequencing.outcomes import Outcomes
from consumer.sequencing.sequencer import Sequencer
from tests.simulation.faults.fault import Fault, around, constant


def an_identify_overtakes_a_delete(_original: Any, self: Lane) -> int | None:
    return next((index for index, event in enumerate(self.waiting) if event.kind is Kind.IDENTIFY), None)


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
        self._ready.add(delivery.lane)
    return delivery


def nothing_lingers(original: Any, self: Sequencer, partition: Partition, reason: HandBack) -> None:
    original(self, partition, reason)
    self._lingering.clear()


FAULTS: Final = (
    Fault(
        "an identify overtakes a delete",
        around(Lane, "first_identify", an_identify_overtakes_a_delete),
        ("order",),
        300,
    ),
    Fault("a waiting identify is overlooked", constant(Lane, "first_identify", None), ("order",), 60),
    Fault(
        "a retry goes to the back of its lane",
        around(Outcomes, "_unavailable", a_retry_goes_to_the_back),
        ("order", "gate"),
        100,
    ),
    Fault("the right half goes first", around(Delivery, "halves", the_right_half_goes_first), ("order",), 100),
    Fault("two in flight for a user", around(Sequencer, "next_delivery", two_are_in_flight), ("in flight",), 20, 1),
    Fault("an old request is not waited for", around(Sequencer, "drop", nothing_lingers), ("in flight",), 300),
)
