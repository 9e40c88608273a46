"""Where every event went: consumed = finished + unfinished, at any moment. Only the sequencer writes here.

A record counts as one event. A batch counts as its events; a record that holds none counts as one, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from consumer.sequencing.events import EVENT_TYPES, DeadLetterReason, HandBack, Kind, SkipReason


class End(StrEnum):
    """How a record ended: the `outcome` label of customfit_events_finished_total."""

    DELIVERED = "delivered"
    SKIPPED = "skipped"
    DEAD_LETTERED = "dead_lettered"
    HANDED_BACK = "handed_back"


Reason = SkipReason | DeadLetterReason | HandBack | None
"""None: delivered, which needs no reason."""

ENDS: Final[tuple[tuple[End, Reason], ...]] = (
    (End.DELIVERED, None),
    *((End.SKIPPED, reason) for reason in SkipReason),
    *((End.DEAD_LETTERED, reason) for reason in DeadLetterReason),
    *((End.HANDED_BACK, reason) for reason in HandBack),
)


class Account:
    """Running totals since start."""

    def __init__(self) -> None:
        self.consumed: Counter[str] = Counter(dict.fromkeys(EVENT_TYPES, 0))
        self.finished: Counter[tuple[End, Reason]] = Counter(dict.fromkeys(ENDS, 0))
        self.unfinished = 0
        self.unfinished_bytes = 0
        self.introductions = 0
        self.holds_cut_short = 0

    def receive(self, types: Sequence[str], size_bytes: int) -> None:
        """Records were fetched and looked at: the types of their events, and the bytes that all of them take."""
        consumed = self.consumed
        for type_ in types:
            consumed[type_] += 1
        self.unfinished += len(types)
        self.unfinished_bytes += size_bytes

    def receive_all(self, kinds: Sequence[Kind], size_bytes: int) -> None:
        """The same of records with one event each, most of a few kinds."""
        for kind in Kind:
            if count := kinds.count(kind):
                self.consumed[kind.value] += count
        self.unfinished += len(kinds)
        self.unfinished_bytes += size_bytes

    def finish(self, end: End, reason: Reason, size_bytes: int, events: int = 1) -> None:
        """Events were finished. The bytes are those of the records that ended with them."""
        self.finished[(end, reason)] += events
        self.unfinished -= events
        self.unfinished_bytes -= size_bytes

    def hand_back(self, reason: HandBack, events: int, size_bytes: int) -> None:
        """These events left unfinished, with their partition."""
        self.finished[(End.HANDED_BACK, reason)] += events
        self.unfinished -= events
        self.unfinished_bytes -= size_bytes
