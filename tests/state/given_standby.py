"""A member that follows other members' partitions, one step at a time, and pieces as the follower reads them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from confluent_kafka import KafkaError

from consumer.ports.inputs import Input
from consumer.sequencing.events import User
from consumer.settings import Settings
from consumer.state.follower import Follower, Following, Piece
from consumer.state.reader import Slice
from consumer.state.records import StateKey
from consumer.state.topic import StateTopic
from tests.state.given_store import ANN, BOB, HERE
from tests.state.given_thread import EmptyTopic, Steps


class Asked(Follower):
    """In the follower's place: notes what is wanted of it, and reads nothing."""

    times_taken = 0
    is_started = is_stopped = False

    def start(self, topic: StateTopic) -> None:
        """Noted."""
        self._topic = topic
        self.is_started = True

    def want(self, following: Mapping[int, Following]) -> None:
        """Noted."""
        self._wanted = following

    def taken(self) -> None:
        """Counted."""
        self.times_taken += 1

    def stop(self) -> None:
        """Noted."""
        self.is_stopped = True


class Restoring(EmptyTopic):
    """Notes from where partitions of ours are read; while it `is_busy` there is always something more to read."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.starts: list[tuple[int, int | None]] = []
        self.is_busy = False

    def start(self, number: int, offset: int | None, now: float) -> None:
        """Noted."""
        self.starts.append((number, offset))
        super().start(number, offset, now)

    def read(self, now: float) -> tuple[dict[int, Slice], dict[int, KafkaError]]:
        """The end of each, or no end."""
        return ({number: Slice() for number in self.reading}, {}) if self.is_busy else super().read(now)


class Member(Steps):
    """With CUSTOMFIT_STANDBY=all."""

    def __init__(self, folder: Path | str, partitions: int = 2) -> None:
        super().__init__(partitions, str(folder), standby="all")
        assert self._standby is not None
        self.standby = self._standby
        self.follower = self.standby._follower = Asked(self._settings, self._work.put, self.standby, str)
        self.restoring = self._restores.reader = Restoring(self._settings)
        self.standby.start(self._topic)

    @property
    def wanted(self) -> Mapping[int, Following]:
        """What the follower is to read."""
        return self.follower._wanted

    def reads(self, *pieces: Piece) -> list[Input]:
        """The follower hands these on, and the thread does what it can; gives what was posted."""
        self._work.put(lambda: self.standby.take(list(pieces)))
        posted = self.step()
        while self.standby.next_due() <= time.monotonic() and not self.restoring.is_busy:
            self._turn()
        return posted + self.step()

    def followed(self, number: int) -> tuple[set[User], int | None]:
        """Of ann and bob, who is identified in the file's copy of a partition, be it ours or not; and its end."""
        copy = self._index.store.copy_of(number)
        found = self._index.store.identified([ANN, BOB]).items()
        return {user for user, numbers in found if number in numbers}, None if copy is None else copy.next_offset


def part(*changes: tuple[User, bool], next_offset: int) -> Slice:
    """Records that say who is identified and who no longer is, as they were read of one partition."""
    said = {StateKey(HERE, user): 1_000 if identified else None for user, identified in changes}
    return Slice(said, next_offset, len(changes))
