"""Holes in what holds events back for a while: for an identify, or until a partition is given back."""

from __future__ import annotations

from typing import Any, Final

from consumer.sequencing.drains import Drains
from consumer.sequencing.events import HandBack, Partition
from consumer.sequencing.lanes import Lane, LaneStatus
from consumer.sequencing.sequencer import Sequencer
from consumer.sequencing.steps import Steps
from consumer.sequencing.timers import Timers
from tests.simulation.faults.fault import Fault, around


def a_hold_never_ends(original: Any, self: Timers, lane: Lane, due: float) -> None:
    if lane.status is not LaneStatus.HELD:
        original(self, lane, due)


def a_hold_ends_at_once(original: Any, self: Steps, lane: Lane, now: float) -> None:
    lane.hold_waived = True
    original(self, lane, now)


def a_lost_hold_is_kept(original: Any, self: Sequencer, partition: Partition, reason: HandBack) -> None:
    held = self.holds.events
    original(self, partition, reason)
    # No more than may be held, or the search for holds to cut short would have no end.
    self.holds.events = max(self.holds.events, min(held, self.holds._events_max))


def a_drain_does_not_wait(original: Any, self: Drains, assignments: Any, _now: float) -> None:
    original(self, assignments, float("inf"))


FAULTS: Final = (
    Fault("a hold never ends", around(Timers, "set", a_hold_never_ends), ("stuck",), 60),
    Fault("a hold ends at once", around(Steps, "take", a_hold_ends_at_once), ("hold",), 60),
    Fault(
        "held events of a lost partition stay",
        around(Sequencer, "drop", a_lost_hold_is_kept),
        ("account", "limits"),
        300,
    ),
    Fault("a drain does not wait", around(Drains, "answer", a_drain_does_not_wait), ("drain",), 100),
)
