"""The state's thread for tests: one step at a time, and without a broker."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import Any

from confluent_kafka import KafkaError

from consumer.ports.inputs import Input, StateOpened, StateWritten
from consumer.sequencing.actions import Remember
from consumer.sequencing.assignment import Assignment
from consumer.sequencing.events import Partition, User
from consumer.sequencing.lanes import Lane
from consumer.sequencing.offsets import OffsetTracker
from consumer.settings import Settings
from consumer.state.ends import Asked
from consumer.state.reader import Reading, Slice, StateReader
from consumer.state.records import decode_record
from consumer.state.thread import UserStates
from consumer.state.topic import StateTopic, StateWriter, Written
from tests.settings.given_settings import load
from tests.state.given_store import ANN

SOURCE, REPLAYS = "events", "replays"
P0, P1 = Partition(SOURCE, 0), Partition(SOURCE, 1)
REPLAY = Partition(REPLAYS, 0)
NO_FOLDER = f"{os.devnull}/state"
"""It can't be made, so the stores are temporary."""


class EmptyTopic(StateReader):
    """A state topic that nobody has written to: its end is found at once."""

    def start(self, number: int, _offset: int | None, _now: float) -> None:
        """Nothing is asked of a broker."""
        self.reading[number] = Reading(Asked(number, 0), None, 0.0)

    def stop(self, number: int) -> None:
        """The end was found, or the partition left."""
        self.reading.pop(number, None)

    def read(self, _now: float) -> tuple[dict[int, Slice], dict[int, KafkaError]]:
        """The end of each."""
        return {number: Slice(next_offset=0, at_end=True) for number in self.reading}, {}


class Topic(StateWriter[Any]):
    """A state topic that acknowledges at once."""

    def __init__(self, settings: Settings, written: Callable[..., None]) -> None:
        super().__init__(settings, written, lambda _: None)
        self.records: list[tuple[int, User, bool]] = []
        self.errors: list[KafkaError] = []
        """What to say first."""

    def write_all(self, partition: int, records: Sequence[tuple[bytes, bytes, Any]]) -> None:
        """One after the other."""
        for key, value, note in records:
            self.write(partition, key, value, note)

    def write(self, partition: int, key: bytes, value: bytes | None, note: Any) -> None:
        """Partition, user, whether identified."""
        (_, user), identified = decode_record(key, value)
        self.records.append((partition, user, identified))
        error = self.errors.pop(0) if self.errors else None
        self._written([Written(note, -1 if error else len(self.records) - 1, error)])


class Steps(UserStates):
    """The thread's work, done when it is asked for."""

    def __init__(self, partitions: int = 2, folder: str = NO_FOLDER, standby: str = "off") -> None:
        self.posted: list[Input] = []
        settings = load(kafka_topic=SOURCE, replay_topic=REPLAYS, state_dir=folder, standby=standby)
        super().__init__(settings, self.posted.append)
        self._restores.reader = EmptyTopic(settings)
        self.topic = self._writes.writer = Topic(settings, self._on_written)
        self._topic = StateTopic("state", partitions, "topic state of cluster c", 1000.0)
        self._open_store()

    def step(self) -> list[Input]:
        """Do what was asked; gives what was posted."""
        while not self._work.empty():
            self._turn()
        posted = self.posted[:]
        self.posted.clear()
        return posted

    def await_work(self) -> None:
        """Return when another thread has asked for something, which is put back."""
        self._work.put(self._work.get(timeout=30))


def tenure(partition: Partition) -> Assignment:
    """The partition is ours, as the group has just said."""
    assignment = Assignment(partition, OffsetTracker(0))
    assignment.leased_at = time.monotonic()
    return assignment


def opened(posted: list[Input]) -> list[Partition]:
    """Whose state is said to be ready."""
    return [item.assignment.partition for item in posted if isinstance(item, StateOpened)]


def lane(partition: Partition, user: User = ANN) -> Lane:
    """The user's lane in a tenure of this partition."""
    return Lane(tenure(partition), user, identified=True)


def told(posted: list[Input]) -> list[Sequence[Lane]]:
    """Whose writes are said to be done, at once or one after the other."""
    return [item.lanes for item in posted if isinstance(item, StateWritten) and item.lanes]


def knowing_ann() -> Steps:
    """Two partitions are ours; of ann, the first one knows that she is identified."""
    states = Steps()
    states.open(tenure(P0))
    states.open(tenure(P1))
    states.write([Remember(lane(P0))])
    states.step()
    return states
