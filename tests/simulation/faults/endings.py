"""Holes in how a record ends: too early, without its write, by a late answer, or not at all."""

from __future__ import annotations

from typing import Any, Final

from consumer.loop.intake import Intake
from consumer.sequencing.accounting import End
from consumer.sequencing.actions import WriteReceipt
from consumer.sequencing.assignment import Assignment
from consumer.sequencing.endings import Endings
from consumer.sequencing.events import Delivered, Event, Outcome, Record, Refused, SkipReason
from consumer.sequencing.lanes import Delivery, Lane
from consumer.sequencing.offsets import OffsetTracker
from consumer.sequencing.outcomes import Outcomes
from consumer.sequencing.sequencer import Sequencer
from tests.simulation.faults.fault import Fault, around, together


def is_open(offsets: OffsetTracker, offset: int) -> bool:
    """Whether it was received and is not finished."""
    log = offsets._log
    return (offset, 0) in zip(log._offsets, log._finished, strict=True)


def a_delete_is_not_written(_original: Any, self: Endings, lane: Lane, event: Event) -> None:
    lane.identified = False
    self.skip(lane.assignment, event.record, SkipReason.FORGOTTEN)


def finished_before_recorded(_original: Any, self: Endings, lane: Lane, events: list[Event], _status: int = 0) -> None:
    lane.assignment.guard.note_sent_end(dead_letter=False, events=len(events))
    self._finish_all(lane.assignment, events)


def finished_before_receipted(original: Any, self: Endings, lane: Lane, events: list[Event], status: int = 0) -> None:
    original(self, lane, events, status)
    if self._writes_receipts:
        self._delivered(lane, events)


def a_receipt_only_counts(_original: Any, _self: Endings, action: WriteReceipt) -> None:
    assignment = action.lane.assignment
    assignment.unacknowledged -= 1
    assignment.unrecorded -= len(action.events)
    assignment.touch()


def a_stop_does_not_wait_for_receipts(
    original: Any, self: Endings, lane: Lane, events: list[Event], status: int = 0
) -> None:
    original(self, lane, events, status)
    lane.assignment.unacknowledged -= self._writes_receipts


def and_counts_none(original: Any, self: Endings, action: WriteReceipt) -> None:
    action.lane.assignment.unacknowledged += 1
    original(self, action)


def a_dead_letter_is_finished_at_once(original: Any, self: Endings, assignment: Assignment, *args: Any) -> bool:
    is_buried: bool = original(self, assignment, *args)
    if is_buried:
        self._finish(assignment, args[0], End.DEAD_LETTERED, args[1])
    return is_buried


def a_burial_only_counts(_original: Any, _self: Endings, action: Any) -> None:
    action.assignment.unacknowledged -= 1


def a_refused_batch_is_dropped(original: Any, self: Outcomes, delivery: Delivery, outcome: Outcome, now: float) -> None:
    if not isinstance(outcome, Refused) or len(delivery.events) == 1 or delivery.lane.assignment.dropped:
        original(self, delivery, outcome, now)
        return
    for event in delivery.events:
        self._endings.skip(delivery.lane.assignment, event.record, SkipReason.UNSUPPORTED)


def a_late_outcome_still_counts(_original: Any, self: Endings, assignment: Assignment, *args: Any) -> None:
    freed_bytes = args[0].size_bytes if assignment.offsets.finished(args[0].offset) else 0
    assignment.unfinished_bytes -= freed_bytes
    self.account.finish(args[1], args[2], freed_bytes)


def a_late_acceptance_still_counts(_original: Any, self: Endings, assignment: Assignment, events: list[Event]) -> None:
    for event in events:
        self._finish(assignment, event.record, End.DELIVERED, None)


def a_late_outcome_counts_for_the_next(
    original: Any, self: Sequencer, delivery: Delivery, outcome: Outcome, now: float
) -> None:
    old = delivery.lane.assignment
    present = self.assignments.get(old.partition)
    original(self, delivery, outcome, now)
    if old.dropped and present is not None and isinstance(outcome, Delivered):
        for event in delivery.events:
            if is_open(present.offsets, event.record.offset):
                self._endings._finish(present, event.record, End.DELIVERED, None)


def a_batch_is_finished_with_its_first_event(
    _original: Any, self: OffsetTracker, offset: int, **_skipped: bool
) -> bool:
    self._finished_count += 1
    if is_open(self, offset):
        self._log.finish((offset,))
    return True


def what_waits_for_a_schema_is_dropped(_original: Any, self: Intake, assignment: Assignment, record: Record) -> None:
    self._ask(self._waiting[assignment].schema)
    self._waiting[assignment].items.append(record.offset + 1)


FAULTS: Final = (
    Fault("a delete is not written", around(Endings, "forgotten", a_delete_is_not_written), ("commit",), 300),
    Fault("finished before it is recorded", around(Endings, "delivered", finished_before_recorded), ("commit",), 60),
    Fault(
        "finished before its receipt is acknowledged",
        together(
            around(Endings, "delivered", finished_before_receipted),
            around(Endings, "receipted", a_receipt_only_counts),
        ),
        ("commit",),
        60,
    ),
    Fault(
        "a revoke does not wait for receipts",
        together(
            around(Endings, "delivered", a_stop_does_not_wait_for_receipts),
            around(Endings, "receipted", and_counts_none),
        ),
        ("drain",),
        60,
        first_seed=70,
    ),
    Fault(
        "a dead letter is finished before it is acknowledged",
        together(
            around(Endings, "dead_letter", a_dead_letter_is_finished_at_once),
            around(Endings, "dead_lettered", a_burial_only_counts),
        ),
        ("commit",),
        20,
    ),
    Fault(
        "a refused batch is dropped", around(Outcomes, "judge", a_refused_batch_is_dropped), ("commit", "order"), 100
    ),
    Fault(
        "a late outcome still counts",
        together(
            around(Endings, "_finish", a_late_outcome_still_counts),
            around(Endings, "_finish_all", a_late_acceptance_still_counts),
        ),
        ("account",),
        300,
    ),
    Fault(
        "a late outcome counts for the next assignment",
        around(Sequencer, "report", a_late_outcome_counts_for_the_next),
        ("commit",),
        100,
        20160,
    ),
    Fault(
        "a batch is finished with its first event",
        around(OffsetTracker, "finished", a_batch_is_finished_with_its_first_event),
        ("commit", "account", "lost"),
        60,
    ),
    Fault(
        "what waits for a schema is dropped",
        around(Intake, "_wait", what_waits_for_a_schema_is_dropped),
        ("commit", "lost"),
        60,
    ),
)
