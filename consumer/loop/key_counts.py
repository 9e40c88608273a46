"""Whether records are keyed by their users: only then does Kafka keep a user's events in one partition, in order.

Segment's own Kafka destination and many forwarders send without a key. A key that is not the user's id may still be
one of theirs, so it is counted and nothing is said of it; no key at all is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from consumer.ops.key_note import NONE, OTHER, USER, are_not_keyed
from consumer.sequencing.events import Decoded, Event, Record

EVERY: Final = 100
"""Records without a key between two looks at whether it is to be said."""


class KeyCounts:
    """Totals since start of records with an event of somebody. `not_keyed` is called once, when that is to be said."""

    def __init__(self, not_keyed: Callable[[], object]) -> None:
        self.counts = dict.fromkeys((USER, OTHER, NONE), 0)
        self._not_keyed = not_keyed
        self._look_at = EVERY
        self._is_said = False

    def note(self, events: Sequence[Event]) -> None:
        """A record each."""
        counts = self.counts
        users = sum([event.record.key == event.user.id.encode() for event in events])
        counts[USER] += users
        if users == len(events):
            return
        none = sum([event.record.key is None for event in events])
        counts[OTHER] += len(events) - users - none
        if none:
            counts[NONE] += none
            self._look()

    def note_items(self, record: Record, items: Iterable[Decoded]) -> None:
        """One record, and what is in it."""
        users = {item.user.id for item in items if isinstance(item, Event)}
        if not users:
            return
        key = record.key
        if key is None:
            self.counts[NONE] += 1
            self._look()
        else:
            self.counts[USER if {key} == {user.encode() for user in users} else OTHER] += 1

    def _look(self) -> None:
        if self._is_said or self.counts[NONE] < self._look_at:
            return
        self._look_at += EVERY
        if are_not_keyed(self.counts):
            self._is_said = True
            self._not_keyed()
