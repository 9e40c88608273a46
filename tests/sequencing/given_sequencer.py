"""A sequencer on a bench: events go in by offset and kind, requests come out as text, answers are given by hand."""

from __future__ import annotations

from typing import Any, Final

from consumer.sequencing.accounting import End
from consumer.sequencing.actions import Forget, Remember, WriteDeadLetter, WriteReceipt
from consumer.sequencing.assignment import Assignment
from consumer.sequencing.events import (
    DeadLetterReason,
    Delivered,
    Event,
    HandBack,
    Kind,
    Misdirected,
    Outcome,
    Partition,
    Record,
    Refused,
    Rejected,
    Skipped,
    SkipReason,
    Unavailable,
    User,
)
from consumer.sequencing.gate import Gate
from consumer.sequencing.lanes import Delivery
from consumer.sequencing.offsets import OffsetTracker
from consumer.sequencing.sequencer import Sequencer
from tests.sequencing.given_rules import rules

P0: Final = Partition("segment", 0)
U1: Final = User("u1")
U2: Final = User("u2")
OK: Final = Delivered()
NO: Final = Refused(400, b"no")
ERROR: Final = Unavailable("500")
SLOWER: Final = Unavailable("429", throttled=True)
WRONG_KEY: Final = Misdirected(401)
EVENT_BYTES: Final = 100


class Bench:
    """One sequencer with one partition; a failed request waits 1, 2, 4 ... seconds."""

    def __init__(self, *, in_flight_max: int = 100, **changes: Any) -> None:
        def backoff(attempt: int) -> float:
            return 2.0 ** min(attempt, 60)

        self.sequencer = Sequencer(rules(**changes), Gate(in_flight_max, backoff), backoff)
        self.assignment: Assignment
        self.unanswered: list[Delivery] = []
        self.burials: list[WriteDeadLetter] = []
        self.writes: list[Remember | Forget] = []
        self.receipts: list[WriteReceipt] = []
        self.assign()

    # ------------------------------------------------------------------ in

    def assign(self, partition: Partition = P0, topic_id: str | None = None) -> Assignment:
        """The partition is ours; events go to the one assigned last."""
        self.assignment = self.sequencer.assign(partition, OffsetTracker(0, topic_id=topic_id))
        return self.assignment

    def event(self, offset: int, kind: str, user: User = U1, *, fetched_at: float = 0.0, size: int = 0) -> Event:
        """A record with an event, of 100 bytes where nothing else is said."""
        value = b"x" * (size or EVENT_BYTES)
        record = Record(self.assignment.partition, offset, 0, None, value, None, fetched_at, len(value))
        return Event(record, Kind(kind), user, f"m{offset}", "2026-11-23 10:00:00.000Z")

    def fetch(
        self,
        offset: int,
        *kinds: str,
        user: User = U1,
        now: float = 0.0,
        known: bool = False,
        size: int = 0,
    ) -> None:
        """Events of one user were fetched, from this offset on; `known`: the stored state says they are identified."""
        for step, kind in enumerate(kinds):
            event = self.event(offset + step, kind, user, fetched_at=now, size=size)
            self.sequencer.accept(self.assignment, event.record, [event], now)
            self.look_up(known=known, now=now)

    def look_up(self, *, known: bool, now: float = 0.0) -> None:
        """The stored state answers for whom it is asked, if there is anybody."""
        if users := self.sequencer.look_ups.question():
            self.sequencer.looked_up({p: set(asked) for p, asked in users.items()} if known else {}, now)

    def skip(self, offset: int) -> None:
        """A record that is not for us was fetched."""
        record = self.event(offset, "track").record
        self.sequencer.accept(self.assignment, record, [Skipped(record, "group", SkipReason.UNSUPPORTED)], 0.0)

    def reject(self, offset: int) -> None:
        """A record that can't be read was fetched."""
        record = self.event(offset, "track").record
        rejected = Rejected(record, "unknown", DeadLetterReason.UNDECODABLE, "not JSON")
        self.sequencer.accept(self.assignment, record, [rejected], 0.0)

    def answer(self, outcome: Outcome, now: float = 0.0) -> None:
        """The request that is unanswered longest is answered."""
        self.sequencer.report(self.unanswered.pop(0), outcome, now)

    def write_done(self, now: float = 0.0) -> None:
        """The state write that is under way longest is acknowledged."""
        self.actions()
        self.sequencer.recorded([self.writes.pop(0).lane], now)

    def burial_done(self) -> None:
        """The dead letter that is under way longest is acknowledged."""
        self.actions()
        self.sequencer.dead_lettered(self.burials.pop(0))

    def receipt_done(self) -> None:
        """The receipt that is under way longest is acknowledged."""
        self.actions()
        self.sequencer.receipted(self.receipts.pop(0))

    def drop(self, reason: HandBack = HandBack.LOST) -> None:
        """The partition is no longer ours."""
        self.sequencer.drop(self.assignment.partition, reason)

    # ------------------------------------------------------------------ out

    def sent(self, now: float = 0.0) -> list[str]:
        """What goes out now: kind and offsets of each request."""
        self.sequencer.tick(now)
        sent = []
        while (delivery := self.sequencer.next_delivery(now)) is not None:
            self.unanswered.append(delivery)
            offsets = ",".join(str(event.record.offset) for event in delivery.events)
            user = "" if delivery.user == U1 else f" of {delivery.user.id}"
            sent.append(f"{delivery.kind.value} {offsets}{user}")
        return sent

    def actions(self) -> list[str]:
        """What the edges are asked to do now."""
        texts = []
        for action in self.sequencer.take_actions():
            match action:
                case WriteDeadLetter():
                    self.burials.append(action)
                    texts.append(f"dead_letter {action.record.offset}: {action.reason.value}")
                case Remember():
                    self.writes.append(action)
                    texts.append(f"remember {action.lane.user.id}")
                case Forget():
                    self.writes.append(action)
                    texts.append(f"forget {action.lane.user.id}")
                case WriteReceipt():
                    self.receipts.append(action)
                    texts.append(f"receipt {','.join(str(event.record.offset) for event in action.events)}")
        return texts

    @property
    def committable(self) -> int:
        """Below the first unfinished."""
        return self.assignment.offsets.committable()

    def ends(self) -> dict[str, int]:
        """How many records came to which end."""
        finished = self.sequencer.account.finished
        return {
            end.value if reason is None or end is End.HANDED_BACK else f"{end.value}: {reason.value}": count
            for (end, reason), count in finished.items()
            if count
        }
