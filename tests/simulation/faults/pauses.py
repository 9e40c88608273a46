"""Holes in a pause: something is sent all the same, or never again."""

from __future__ import annotations

from typing import Any, Final

from consumer.loop.pausing import Pausing
from consumer.ops import causes
from consumer.ports.inputs import PauseRead
from consumer.sequencing.lanes import Delivery
from consumer.sequencing.sequencer import Sequencer
from tests.simulation.faults.fault import Fault, around, constant


def retries_go_on(original: Any, self: Sequencer, now: float) -> Delivery | None:
    if self.retrying:
        self.is_paused = False
    delivery: Delivery | None = original(self, now)
    return delivery


def what_is_not_known_is_no_pause(original: Any, self: Pausing, news: PauseRead, now: float) -> None:
    original(self, news._replace(is_known=True), now)


def nobody_goes_on(original: Any, self: Pausing, news: PauseRead, now: float) -> None:
    if news.order is None or news.order.is_paused:
        original(self, news, now)


FAULTS: Final = (
    Fault("retries go on while paused", around(Sequencer, "next_delivery", retries_go_on), ("pause",), 300),
    Fault(
        "a member sends before it knows whether it may",
        around(Pausing, "take", what_is_not_known_is_no_pause),
        ("pause",),
        100,
    ),
    Fault("nobody goes on after a pause", around(Pausing, "take", nobody_goes_on), ("stuck",), 100),
    Fault("a pause is not told", constant(causes, "_of_orders", ()), ("health",), 100),
    Fault(
        "after a pause it is stuck at once",
        constant(Pausing, "unpaused_seconds", float("inf")),
        ("health",),
        200,
    ),
)
