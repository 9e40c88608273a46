"""Who is identified in one partition, as far as the store does not know it yet. No thread, no Kafka, no file.

    wanted    asked for, not acknowledged by the state topic yet
    unstored  in the topic, not in the local store yet: written behind, in batches
    store     the sqlite file

A look-up asks in this order (index.py). The store is never ahead of the topic.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from operator import itemgetter
from typing import NamedTuple

import msgspec

from consumer.sequencing.assignment import Assignment
from consumer.sequencing.events import User
from consumer.sequencing.lanes import Lane
from consumer.state.reader import Slice
from consumer.state.records import StateKey
from consumer.state.store import Step


class Newer:
    """Of which users the partitions know something that the store does not: where to look beside it."""

    def __init__(self) -> None:
        self._partitions: dict[User, tuple[int, ...]] = {}

    def add(self, user: User, partition: int) -> None:
        """The partition knows something of the user."""
        partitions = self._partitions.get(user)
        if partitions is None:
            self._partitions[user] = (partition,)
        elif partition not in partitions:
            self._partitions[user] = (*partitions, partition)

    def add_all(self, users: Sequence[User], partition: int) -> None:
        """It knows something of each of these."""
        alone, known = (partition,), self._partitions
        for user in users:
            if known.setdefault(user, alone) is not alone:
                self.add(user, partition)

    def discard(self, user: User, partition: int) -> None:
        """Nothing that the store does not know."""
        partitions = self._partitions.pop(user, ())
        if partitions != (partition,) and (left := tuple(one for one in partitions if one != partition)):
            self._partitions[user] = left

    def __contains__(self, user: User) -> bool:
        return user in self._partitions

    def of(self, user: User) -> Collection[int]:
        """Which partitions to ask."""
        return self._partitions.get(user, ())


class PartitionState:
    """The state of one partition, of one assignment of it."""

    def __init__(self, assignment: Assignment, destination: str, next_offset: int | None, newer: Newer) -> None:
        """`next_offset`: how far the store has followed the topic; None: it is to be read from its beginning."""
        self.assignment = assignment
        self.partition = assignment.partition
        self.number = assignment.partition.number
        self.restoring = False
        """The topic is being read: until its end is reached, an entry may be out of date, so the store says nothing."""
        self.next_offset = next_offset or 0
        """All of the topic below it is in `unstored` or in the store."""
        self.records_read = 0
        self._has_gap = False
        """Somebody else has written behind `next_offset`: there may be a deletion, so the store grows old."""
        self._destination = destination
        self._newer = newer
        self._wanted: dict[User, int | None] = {}
        self._more: dict[User, int] = {}
        """How many more writes are on their way of those who have several."""
        self._unstored: dict[StateKey, int | None] = {}
        self._acknowledged_at: dict[StateKey, int] = {}
        """While the topic is read: the offsets of writes to it. What is read of these users from below is older."""

    @property
    def unstored(self) -> int:
        """How many wait for the store."""
        return len(self._unstored)

    def newer(self, user: User) -> bool | None:
        """Whether the user is identified, where something newer than the store says so; None: nothing does."""
        if user in self._wanted:
            return self._wanted[user] is not None
        if not self.restoring and (key := StateKey(self._destination, user)) in self._unstored:
            return self._unstored[key] is not None
        return None

    def newer_ms(self, user: User) -> int | None:
        """Where `newer` says that they are identified: since when."""
        wanted = self._wanted.get(user)
        return self._unstored.get(StateKey(self._destination, user)) if wanted is None else wanted

    def want(self, user: User, identified_at_ms: int | None) -> None:
        """A write is on its way to the topic; None: the user is to be forgotten."""
        if user in self._wanted:
            self._more[user] = self._more.get(user, 0) + 1
        self._wanted[user] = identified_at_ms
        self._newer.add(user, self.number)

    def want_all(self, users: Sequence[User], identified_at_ms: int) -> None:
        """The same for many who are identified."""
        for user in users:
            if user in self._wanted:
                self._more[user] = self._more.get(user, 0) + 1
            self._wanted[user] = identified_at_ms
        self._newer.add_all(users, self.number)

    def wanted(self, user: User) -> int | None:
        """What a write of this user has to say by now: one that failed must not undo a later one."""
        return self._wanted[user]

    def acknowledged(self, user: User, identified_at_ms: int | None, offset: int) -> None:
        """A write that says this is in the topic, at this offset. Another one of the user may be on its way."""
        key = StateKey(self._destination, user)
        self._unstored[key] = identified_at_ms
        if more := self._more.pop(user, 0):
            if more > 1:
                self._more[user] = more - 1
        else:
            del self._wanted[user]
        self._pass(key, offset)

    def learn(self, user: User, identified_at_ms: int | None, offset: int) -> None:
        """Another assignment to this process has written to the same partition of the topic."""
        key = StateKey(self._destination, user)
        self._unstored[key] = identified_at_ms
        self._newer.add(user, self.number)
        self._pass(key, offset)

    def unstored_at(self, destination: str) -> set[str]:
        """The ids of those that wait for the store and are identified at a destination."""
        return {
            key.user.id for key, at_ms in self._unstored.items() if key.destination == destination and at_ms is not None
        }

    def noted(self, key: StateKey, at_ms: int, offset: int) -> None:
        """An entry that is no user of ours is in the topic."""
        self._unstored[key] = at_ms
        self._pass(key, offset)

    def _pass(self, key: StateKey, offset: int) -> None:
        # With a gap below the offset (somebody else has written), the next assignment reads from the gap on.
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
            for key in self._unstored:  # until here the store was not asked, and so nothing newer than it
                self._add_newer(key)
            written, self._acknowledged_at = self._acknowledged_at, {}
            for key, offset in sorted(written.items(), key=itemgetter(1)):
                self._pass(key, offset)

    def read_again(self) -> None:
        """The store knows nothing of it any more: read all of the topic again."""
        self.restoring = True
        self.next_offset = self.records_read = 0
        self._has_gap = False
        self._acknowledged_at.clear()  # the reading that starts now comes to them, or the topic is another one

    def step(self) -> Step:
        """What the store is to be told."""
        return Step(self.number, self._unstored, self.next_offset, at_end=not (self.restoring or self._has_gap))

    def stored(self) -> None:
        """The store has taken the step."""
        for key in self._unstored:
            self._discard_newer(key)
        self._unstored.clear()

    def leave_out(self) -> None:
        """The store can't be written, and memory is short: users are left out, which costs an introduction each.

        Deletions never are.
        """
        for key in [key for key, identified_at_ms in self._unstored.items() if identified_at_ms is not None]:
            del self._unstored[key]
            self._discard_newer(key)

    def close(self) -> None:
        """What it knows counts no longer, nor what it still hears."""
        for user in self._wanted:
            self._newer.discard(user, self.number)
        self.stored()
        self._newer = Newer()

    def _add_newer(self, key: StateKey) -> None:
        if key.destination == self._destination:
            self._newer.add(key.user, self.number)

    def _discard_newer(self, key: StateKey) -> None:
        if key.destination == self._destination and key.user not in self._wanted:
            self._newer.discard(key.user, self.number)


class Change(msgspec.Struct, eq=False):
    """What a lane waits for: a record, and for a deletion one in each partition that may know the user."""

    lane: Lane
    records: int = 0
    """On their way."""


class Write(msgspec.Struct, frozen=True, eq=False):
    """A record on its way to the topic."""

    state: PartitionState
    user: User
    change: Change
    identified_at_ms: int | None = None
    """What it says; None: forgotten."""


class TopicIdWrite(NamedTuple):
    """That a topic of this id is read: a record on its way to the topic."""

    state: PartitionState
    key: StateKey
    at_ms: int
