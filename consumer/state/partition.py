"""What is known of one partition's users and not yet in the store. No thread, no Kafka, no file.

    wanted    a write was asked for, and the state topic has not acknowledged it yet
    unstored  in the topic, and not yet in the local store, which is written later, in batches
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
    """Knows which partitions know something of a user that the store does not: where to look besides the store."""

    def __init__(self) -> None:
        self._partitions: dict[User, tuple[int, ...]] = {}

    def add(self, user: User, partition: int) -> None:
        """The partition knows something new of the user."""
        partitions = self._partitions.get(user)
        if partitions is None:
            self._partitions[user] = (partition,)
        elif partition not in partitions:
            self._partitions[user] = (*partitions, partition)

    def add_all(self, users: Sequence[User], partition: int) -> None:
        """The partition knows something new of each of these users."""
        alone, known = (partition,), self._partitions
        for user in users:
            if known.setdefault(user, alone) is not alone:
                self.add(user, partition)

    def discard(self, user: User, partition: int) -> None:
        """The partition knows nothing of the user any more that the store does not know."""
        partitions = self._partitions.pop(user, ())
        if partitions != (partition,) and (left := tuple(one for one in partitions if one != partition)):
            self._partitions[user] = left

    def __contains__(self, user: User) -> bool:
        return user in self._partitions

    def of(self, user: User) -> Collection[int]:
        """Which partitions to ask about the user."""
        return self._partitions.get(user, ())


class PartitionState:
    """The state of one partition, for one assignment of it."""

    def __init__(self, assignment: Assignment, destination: str, next_offset: int | None, newer: Newer) -> None:
        """`next_offset`: up to where the store has followed the topic; None: read it from its beginning."""
        self.assignment = assignment
        self.partition = assignment.partition
        self.number = assignment.partition.number
        self.restoring = False
        """The topic is being read. Until its end is reached, an entry may be out of date, so the store is not asked."""
        self.next_offset = next_offset or 0
        """Every record of the topic below this offset is in `unstored` or in the store."""
        self.records_read = 0
        self._has_gap = False
        """Somebody else has written at or above `next_offset`. That may be a deletion, so the store counts as out of
        date."""
        self._destination = destination
        self._newer = newer
        self._wanted: dict[User, int | None] = {}
        self._more: dict[User, int] = {}
        """For users with several writes on their way: how many there are besides the first."""
        self._unstored: dict[StateKey, int | None] = {}
        self._acknowledged_at: dict[StateKey, int] = {}
        """While the topic is read: the offsets of our own writes. What is read of these users below that offset is
        older."""

    @property
    def unstored(self) -> int:
        """How many entries wait for the store."""
        return len(self._unstored)

    def newer(self, user: User) -> bool | None:
        """Whether the user is identified, by what is newer than the store; None: nothing newer is known of them."""
        if user in self._wanted:
            return self._wanted[user] is not None
        if not self.restoring and (key := StateKey(self._destination, user)) in self._unstored:
            return self._unstored[key] is not None
        return None

    def newer_ms(self, user: User) -> int | None:
        """If `newer` is true: since when the user is identified, in milliseconds since the epoch."""
        wanted = self._wanted.get(user)
        return self._unstored.get(StateKey(self._destination, user)) if wanted is None else wanted

    def want(self, user: User, identified_at_ms: int | None) -> None:
        """A write about the user is on its way to the topic. `identified_at_ms` None: it forgets them."""
        if user in self._wanted:
            self._more[user] = self._more.get(user, 0) + 1
        self._wanted[user] = identified_at_ms
        self._newer.add(user, self.number)

    def want_all(self, users: Sequence[User], identified_at_ms: int) -> None:
        """The same for many users who are identified."""
        for user in users:
            if user in self._wanted:
                self._more[user] = self._more.get(user, 0) + 1
            self._wanted[user] = identified_at_ms
        self._newer.add_all(users, self.number)

    def wanted(self, user: User) -> int | None:
        """What a write about this user has to say now: one that failed must not undo a later one."""
        return self._wanted[user]

    def acknowledged(self, user: User, identified_at_ms: int | None, offset: int) -> None:
        """A write that says this is in the topic, at this offset. Another one about the user may be on its way."""
        key = StateKey(self._destination, user)
        self._unstored[key] = identified_at_ms
        if more := self._more.pop(user, 0):
            if more > 1:
                self._more[user] = more - 1
        else:
            del self._wanted[user]
        self._pass(key, offset)

    def learn(self, user: User, identified_at_ms: int | None, offset: int) -> None:
        """A write of an earlier assignment of the same partition to this process is in the topic."""
        key = StateKey(self._destination, user)
        self._unstored[key] = identified_at_ms
        self._newer.add(user, self.number)
        self._pass(key, offset)

    def unstored_at(self, destination: str) -> set[str]:
        """The ids of users who wait for the store and are identified at a destination."""
        return {
            key.user.id for key, at_ms in self._unstored.items() if key.destination == destination and at_ms is not None
        }

    def noted(self, key: StateKey, at_ms: int, offset: int) -> None:
        """An entry that is not about a user is in the topic (earlier_topics.py)."""
        self._unstored[key] = at_ms
        self._pass(key, offset)

    def _pass(self, key: StateKey, offset: int) -> None:
        # If there is a gap below the offset (somebody else has written), the next assignment reads from the gap on.
        if self.restoring:
            self._acknowledged_at[key] = offset
        elif offset == self.next_offset:
            self.next_offset += 1
        elif offset > self.next_offset:
            self._has_gap = True

    def read(self, part: Slice) -> None:
        """Take what was read of the topic. If our own write about a user came later in the topic, that one stands.

        Users with a write on its way are taken, too: the write may fail, and then what the topic says holds.
        """
        for key, identified_at_ms in part.changes.items():
            if self._acknowledged_at.get(key, -1) < part.next_offset:
                self._unstored[key] = identified_at_ms
        self.next_offset = max(self.next_offset, part.next_offset)
        self.records_read += part.records
        self.restoring = not part.at_end
        if part.at_end:
            for key in self._unstored:  # so far the store was not asked, so nothing counted as newer
                self._add_newer(key)
            written, self._acknowledged_at = self._acknowledged_at, {}
            for key, offset in sorted(written.items(), key=itemgetter(1)):
                self._pass(key, offset)

    def read_again(self) -> None:
        """The store has nothing of the partition any more: read all of its topic again."""
        self.restoring = True
        self.next_offset = self.records_read = 0
        self._has_gap = False
        self._acknowledged_at.clear()  # they are read again now, or the topic is another one

    def step(self) -> Step:
        """What is to be written to the store."""
        return Step(self.number, self._unstored, self.next_offset, at_end=not (self.restoring or self._has_gap))

    def stored(self) -> None:
        """The store has taken the step."""
        for key in self._unstored:
            self._discard_newer(key)
        self._unstored.clear()

    def leave_out(self) -> None:
        """Drop the users who wait for the store, because it can't be written and memory is short.

        Each costs an introduction. Deletions are kept.
        """
        for key in [key for key, identified_at_ms in self._unstored.items() if identified_at_ms is not None]:
            del self._unstored[key]
            self._discard_newer(key)

    def close(self) -> None:
        """The assignment is over: what it knows no longer counts, nor does what it still hears."""
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
    """What a lane waits for: one record; for a deletion, one in each partition that may know the user."""

    lane: Lane
    records: int = 0
    """How many of them are not acknowledged yet."""


class Write(msgspec.Struct, frozen=True, eq=False):
    """A record on its way to the topic."""

    state: PartitionState
    user: User
    change: Change
    identified_at_ms: int | None = None
    """What it says, in milliseconds since the epoch; None: the user is forgotten."""


class TopicIdWrite(NamedTuple):
    """A record on its way to the topic, which says that a source topic with this id is read."""

    state: PartitionState
    key: StateKey
    at_ms: int
