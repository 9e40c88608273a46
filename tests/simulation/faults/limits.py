"""Holes in the limits: more in flight, held, buffered or uncommitted than was allowed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from consumer.sequencing import lanes
from consumer.sequencing.accounting import Account
from consumer.sequencing.budget import Budget
from consumer.sequencing.endings import Endings
from consumer.sequencing.events import Event
from consumer.sequencing.gate import Gate
from consumer.sequencing.holds import Holds
from consumer.sequencing.lanes import Lane
from tests.simulation.faults.fault import Fault, around, constant


def a_batch_has_no_limit(original: Any, waiting: Sequence[Event], _events_max: int, _bytes_max: int) -> int:
    length: int = original(waiting, 1_000_000, 1_000_000_000)
    return length


def what_waits_for_a_write_is_not_counted(_original: Any, _self: Endings, lane: Lane, events: list[Event]) -> None:
    lane.unrecorded += tuple(events)  # given back when it is written, and never added


def bytes_are_not_given_back(original: Any, self: Account, *args: Any) -> None:
    original(self, *args[:2], 0, *args[3:])


FAULTS: Final = (
    Fault("batches without limit", around(lanes, "run_length", a_batch_has_no_limit), ("limits",), 20),
    Fault(
        "what waits for a write is not counted",
        around(Endings, "_await_record", what_waits_for_a_write_is_not_counted),
        ("limits",),
        100,
    ),
    Fault("a hold has no limit", lambda monkeypatch: monkeypatch.setattr(Holds, "too_many", None), ("limits",), 100),
    Fault(
        "no limit in flight",
        constant(Gate, "may_start", value=True),
        ("in flight", "gate"),
        20,
    ),
    Fault("no limit of what is uncommitted", constant(Budget, "may_send", value=True), ("limits",), 300),
    Fault("bytes are not given back", around(Account, "finish", bytes_are_not_given_back), ("account", "stuck"), 10),
)
