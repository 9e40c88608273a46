"""Who is identified in one partition: what is being written, what is written, what is stored. No thread, no Kafka.

    wanted    asked for, not acknowledged by the state topic yet
    unstored  in the topic, not in the local store yet: written behind, in batches
    store     the sqlite file

A look-up asks in this order. The store is never ahead of the topic.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from operator import itemgetter
from typing import Final, NamedTuple

from consumer.sequencing.events import Partition, User
from consumer.sequencing.lanes import Lane
from consumer.state.records import StateKey
from consumer.state.restore import Slice
from consumer.state.store import Store

UNSTORED_USERS_MAX: Final = 50_000
"""While the disk is full. Above it, users are left out, which costs an introduction each; deletions never are."""


class PartitionState:
    """One tenure of one partition's state."""

    def __init__(self, partition: Partition, destination: str, store: Store) -> None:
        self.partition = partition
        self.store = store
        self.restoring = False
        """The topic is being read: until its end is reached, an entry may be out of date, so the store says nothing."""
        self.next_offset = store.next_offset or 0
        """All of the topic below it is in `unstored` or in the store."""
        self.records_read = 0
        self._has_gap = False
        """Somebody else has written behind `next_offset`: there may be a deletion, so the store grows old."""
        self._destination = destination
        self._wanted: dict[User, int | None] = {}
        self._in_flight: Counter[User] = Counter()
        self._unstored: dict[StateKey, int | None] = {}
        self._acknowledged_at: dict[StateKey, int] = {}
        """While the topic is read: the offsets of writes to it. What is read of these users from below is older."""

    @property
    def users(self) -> int:
        """How many are stored as identified."""
        return self.store.users

    def identified(self, users: Collection[User]) -> set[User]:
        """Those of `users` who are identified. Raises sqlite3.Error."""
        if not (self._wanted or self._unstored or self.restoring):
            return self.store.identified(users)
        found: set[User] = set()
        rest: list[User] = []
        for user in users:
            if user in self._wanted:
                newer: int | None = self._wanted[user]
            elif not self.restoring and (key := StateKey(self._destination, user)) in self._unstored:
                newer = self._unstored[key]
            else:
                rest.append(user)
                continue
            if newer is not None:
                found.add(user)
        if rest and not self.restoring:
            found |= self.store.identified(rest)
        return found

    def want(self, user: User, identified_at_ms: int | None) -> None:
        """A write is on its way to the topic; None: the user is to be forgotten."""
        self._wanted[user] = identified_at_ms
        self._in_flight[user] += 1

    def wanted(self, user: User) -> int | None:
        """What a write of this user has to say by now: one that failed must not undo a later one."""
        return self._wanted[user]

    def acknowledged(self, user: User, identified_at_ms: int | None, offset: int) -> None:
        """A write that says this is in the topic, at this offset. Another one of the user may be on its way."""
        key = StateKey(self._destination, user)
        self._unstored[key] = identified_at_ms
        self._in_flight[user] -= 1
        if not self._in_flight[user]:
            del self._in_flight[user], self._wanted[user]
        self._pass(key, offset)

    def learn(self, user: User, identified_at_ms: int | None, offset: int) -> None:
        """Another tenure of this process has written to the same partition of the topic."""
        key = StateKey(self._destination, user)
        self._unstored[key] = identified_at_ms
        self._pass(key, offset)

    def _pass(self, key: StateKey, offset: int) -> None:
        # With a gap below the offset (somebody else has written), the next tenure reads from the gap on.
        if self.restoring:
            self._acknowledged_at[key] = offset
        elif offset == self.next_offset:
            self.next_offset += 1
        elif offset > self.next_offset:
            self._has_gap = True

    def read(self, part: Slice) -> None:
        """Take what was read of the topic; what has come there since is newer.

        Also of users with a write on its way: that may fail, and then the topic's word stands.
        """
        for key, identified_at_ms in part.changes.items():
            if self._acknowledged_at.get(key, -1) < part.next_offset:
                self._unstored[key] = identified_at_ms
        self.next_offset = max(self.next_offset, part.next_offset)
        self.records_read += part.records
        self.restoring = not part.at_end
        if part.at_end:
            written, self._acknowledged_at = self._acknowledged_at, {}
            for key, offset in sorted(written.items(), key=itemgetter(1)):
                self._pass(key, offset)

    def read_again(self) -> None:
        """The store has started again: read all of the topic again."""
        self.restoring = True
        self.next_offset = self.records_read = 0
        self._has_gap = False
        self._acknowledged_at.clear()  # the reading that starts now comes to them, or the topic is another one

    def write_behind(self) -> None:
        """Bring the local store up to date. Raises sqlite3.Error; then it is to be tried again."""
        try:
            self.store.write(self._unstored, self.next_offset, at_end=not (self.restoring or self._has_gap))
        except sqlite3.Error:
            if len(self._unstored) > UNSTORED_USERS_MAX:
                self._unstored = {key: at for key, at in self._unstored.items() if at is None}
            raise
        self._unstored.clear()


@dataclass(slots=True, eq=False)
class Change:
    """What a lane waits for: a record, and for a deletion one in each partition that may know the user."""

    lane: Lane
    records: int = 0
    """On their way."""


class Write(NamedTuple):
    """A record on its way to the topic."""

    state: PartitionState
    user: User
    change: Change
    identified_at_ms: int | None = None
    """What it says; None: forgotten."""
