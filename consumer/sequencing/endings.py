"""How records end, and what has to be acknowledged before they count as ended. Pure.

The order of steps is the guarantee. An identify of a user who did not count as identified, or an introduction:

    1. the destination answered 2xx
    2. `Remember` is acknowledged: the state topic has it, or had it before
    3. the event, and all that was delivered behind it, is finished
    4. its offset is committable      (OffsetTracker)
    5. its offset is committed

A dead letter: `WriteDeadLetter` is acknowledged by all in-sync replicas, then 3, 4, 5. Where receipts are written, what
was delivered waits for its `WriteReceipt` in the same way, and then for the record of its user.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from consumer.sequencing.accounting import Account, End, Reason
from consumer.sequencing.actions import Action, Forget, Remember, WriteDeadLetter, WriteReceipt
from consumer.sequencing.assignment import Assignment
from consumer.sequencing.events import DeadLetterReason, Event, HandBack, Kind, Record, SkipReason
from consumer.sequencing.lanes import Lane
from consumer.sequencing.stops import StopCause, Stopped

UNSENT: Final = (DeadLetterReason.UNDECODABLE, DeadLetterReason.INVALID_EVENT, DeadLetterReason.TOO_LARGE)
"""What can be seen when a record is fetched. The other reasons come to light when it is the event's turn."""


class Endings:
    """The only place where records are finished. `actions` are the resulting orders to the edges."""

    def __init__(self, dead_letter_ratio_max: float, *, writes_receipts: bool = False) -> None:
        self.account = Account()
        self.actions: list[Action] = []
        self._dead_letter_ratio_max = dead_letter_ratio_max
        self._writes_receipts = writes_receipts

    def fetched(self, assignment: Assignment, record: Record, types: Sequence[str]) -> None:
        """A record came, with an event of each of these types. They are unfinished from now on."""
        assignment.offsets.received(record.offset, record.timestamp_ms, len(types))
        assignment.unfinished_bytes += record.size_bytes
        assignment.touch()
        self.account.receive(types, record.size_bytes)

    def fetched_all(self, assignment: Assignment, events: Sequence[Event]) -> None:
        """Records came, with one event each. They are unfinished from now on."""
        records = [event.record for event in events]
        assignment.offsets.received_all(
            [record.offset for record in records], [record.timestamp_ms for record in records]
        )
        size_bytes = sum([record.size_bytes for record in records])
        assignment.unfinished_bytes += size_bytes
        assignment.touch()
        self.account.receive_all([event.kind for event in events], size_bytes)

    def skip(self, assignment: Assignment, record: Record, reason: SkipReason) -> None:
        """Nothing is to be done for it."""
        assignment.guard.note_unsent_end(dead_letter=False)
        self._finish(assignment, record, End.SKIPPED, reason)

    def delivered(self, lane: Lane, events: Sequence[Event], status: int = 0) -> None:
        """The destination has them. If a receipt or a write of the user's state comes first, they wait for that."""
        lane.assignment.guard.note_sent_end(dead_letter=False, events=len(events))
        if self._writes_receipts:
            lane.assignment.unacknowledged += 1
            lane.assignment.unrecorded += len(events)
            self.actions.append(WriteReceipt(lane, events, status))
        else:
            self._delivered(lane, events)

    def receipted(self, action: WriteReceipt) -> None:
        """A `WriteReceipt` is acknowledged."""
        assignment = action.lane.assignment
        assignment.unacknowledged -= 1
        assignment.acknowledged += 1
        assignment.unrecorded -= len(action.events)
        self._delivered(action.lane, action.events)

    def _delivered(self, lane: Lane, events: Sequence[Event]) -> None:
        if lane.recording:
            self._await_record(lane, events)
        else:
            self._finish_all(lane.assignment, events)

    def identified(self, lane: Lane) -> None:
        """The destination accepted an identify of the lane's user, who did not count as identified before."""
        action = Remember(lane, may_be_stored=lane.identified is None)
        lane.identified = True
        lane.assignment.known.add(lane.user)
        self._record(lane, action)

    def forgotten(self, lane: Lane, event: Event) -> None:
        """A delete had its turn. It is finished when the stored state has forgotten the user."""
        lane.assignment.guard.note_sent_end(dead_letter=False)
        lane.identified = False
        lane.assignment.known.discard(lane.user)
        self._await_record(lane, [event])
        self._record(lane, Forget(lane))

    def recorded(self, lanes: Sequence[Lane]) -> None:
        """A `Remember` or `Forget` of each of these is acknowledged."""
        delivered: dict[Assignment, list[Event]] = {}
        for lane in lanes:
            assignment = lane.assignment
            assignment.unacknowledged -= 1
            assignment.acknowledged += 1
            lane.recording -= 1
            if lane.recording:
                continue
            if (events := delivered.get(assignment)) is None:
                events = delivered[assignment] = []
            for event in lane.unrecorded:
                if event.kind is Kind.DELETE:
                    self._finish(assignment, event.record, End.SKIPPED, SkipReason.FORGOTTEN)
                else:
                    events.append(event)
            assignment.unrecorded -= len(lane.unrecorded)
            lane.unrecorded = ()
        for assignment, events in delivered.items():
            self._finish_all(assignment, events)

    def dead_letter(  # noqa: PLR0917  these are the fields of one value
        self,
        assignment: Assignment,
        record: Record,
        reason: DeadLetterReason,
        detail: str,
        status: int | None = None,
        body: bytes = b"",
        attempts: int = 0,
    ) -> bool:
        """Dead-letter one record. False: the partition halts instead, and the record stays unfinished."""
        if reason in UNSENT:
            assignment.guard.note_unsent_end(dead_letter=True)
        else:
            assignment.guard.note_sent_end(dead_letter=reason is not DeadLetterReason.UNIDENTIFIED)
        if reason is not DeadLetterReason.UNIDENTIFIED and not assignment.may_dead_letter(self._dead_letter_ratio_max):
            reason_to_stop = (
                f"more than {self._dead_letter_ratio_max:.0%} of its recent records would be dead letters "
                f"(last: {detail}); if that is right, raise CUSTOMFIT_DEAD_LETTER_RATIO_MAX and restart"
            )
            assignment.stopped = Stopped(StopCause.DEAD_LETTER_RATIO, reason_to_stop)
            return False
        assignment.unacknowledged += 1
        self.actions.append(WriteDeadLetter(assignment, record, reason, detail, status, body, attempts))
        return True

    def dead_lettered(self, action: WriteDeadLetter) -> None:
        """A `WriteDeadLetter` is acknowledged."""
        action.assignment.unacknowledged -= 1
        action.assignment.acknowledged += 1
        self._finish(action.assignment, action.record, End.DEAD_LETTERED, action.reason)

    def handed_back(self, assignment: Assignment, reason: HandBack) -> None:
        """What is unfinished belongs to the partition's next owner."""
        self.account.hand_back(reason, assignment.offsets.unfinished, assignment.unfinished_bytes)

    def _await_record(self, lane: Lane, events: Sequence[Event]) -> None:
        lane.unrecorded += tuple(events)
        lane.assignment.unrecorded += len(events)

    def _record(self, lane: Lane, action: Remember | Forget) -> None:
        lane.recording += 1
        lane.assignment.unacknowledged += 1
        self.actions.append(action)

    def _finish_all(self, assignment: Assignment, delivered: Sequence[Event]) -> None:
        if assignment.dropped:
            return
        offsets = assignment.offsets
        records = [event.record for event in delivered]
        if offsets.has_batches:  # their items keep the value in memory until the last of them is finished
            records = [record for record in records if offsets.finished(record.offset)]
        else:
            offsets.finished_all([record.offset for record in records])
        freed_bytes = sum([record.size_bytes for record in records])
        assignment.unfinished_bytes -= freed_bytes
        self.account.finish(End.DELIVERED, None, freed_bytes, len(delivered))

    def _finish(self, assignment: Assignment, record: Record, end: End, reason: Reason) -> None:
        if assignment.dropped:
            return
        is_last = assignment.offsets.finished(record.offset, skipped=end is End.SKIPPED)
        freed_bytes = record.size_bytes if is_last else 0
        assignment.unfinished_bytes -= freed_bytes
        self.account.finish(end, reason, freed_bytes)
