"""Stores and partition states for tests: one partition, one destination, one topic."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from consumer.sequencing.assignment import Assignment
from consumer.sequencing.events import Partition, User
from consumer.sequencing.offsets import OffsetTracker
from consumer.state.index import Index
from consumer.state.partition import PartitionState
from consumer.state.records import StateKey
from consumer.state.store import Changes, Step, Store

HERE = "https://api.customfit.ai/v1/cfe"
TOPIC = "topic g.identified-users of cluster c"
PARTITION = Partition("segment-events", 0)
ANN, BOB = User("ann"), User("bob")
DAY_SECONDS = 86_400.0


def ignore(_detail: str) -> None:
    """Nobody listens."""


class OnePartition(Store):
    """A store, and of it what is known of one partition."""

    def following(self, number: int = 0) -> OnePartition:
        """The partition is opened."""
        self.next_offset = self.follow(number)
        return self

    def known(self, users: Iterable[User], number: int = 0) -> set[User]:
        """Who of them is identified there."""
        return {user for user, partitions in self.identified(users).items() if number in partitions}

    def take(self, changes: Changes, next_offset: int = 1, *, at_end: bool = True, number: int = 0) -> None:
        """One step."""
        self.write([Step(number, changes, next_offset, at_end)])
        self.next_offset = next_offset


def opened(
    folder: Path,
    destination: str = HERE,
    *,
    topic: str = TOPIC,
    age_seconds_max: float = DAY_SECONDS,
    set_aside: Callable[[str], None] = ignore,
) -> OnePartition:
    """The store in this folder, with a partition opened."""
    return OnePartition(folder, destination, topic, age_seconds_max, set_aside).following()


def write(store: OnePartition, *changes: tuple[User, bool], next_offset: int = 1, at_end: bool = True) -> None:
    """Write that these users are identified, or no longer."""
    store.take(
        {StateKey(HERE, user): 1_000 if identified else None for user, identified in changes},
        next_offset,
        at_end=at_end,
    )


class State(PartitionState):
    """The state of one partition, restored, with a store of its own."""

    def __init__(self, store: OnePartition) -> None:
        self.store = store
        self.index = Index(PARTITION.topic, HERE, _fail)
        self.index.store = store
        super().__init__(Assignment(PARTITION, OffsetTracker(0)), HERE, store.next_offset, self.index.newer)
        self.index.states[0] = self

    def identified(self, users: Iterable[User]) -> set[User]:
        """Who is, by the store and by what is newer."""
        return self.index.look_up({PARTITION: list(users)})[PARTITION]

    def write_behind(self) -> None:
        """The store takes it. Raises sqlite3.Error."""
        self.store.write([self.step()])
        self.store.next_offset = self.next_offset
        self.stored()


def _fail(error: Exception) -> None:
    raise error


def state_in(folder: Path) -> State:
    """The state of one partition, restored."""
    return State(opened(folder))
