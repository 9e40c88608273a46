"""The state's thread, one step at a time and without a broker: partitions come and go, deletions reach all of them."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from typing import Any

import pytest

from consumer import state
from consumer.actions import Forget, Remember
from consumer.assignment import Assignment
from consumer.events import Partition, User
from consumer.inputs import Input, LookedUp, StateOpened, StateWritten
from consumer.lanes import Lane
from consumer.offsets import OffsetTracker
from consumer.settings import Settings
from consumer.state import UserStates
from consumer.state_records import decode_record
from consumer.state_topic import StateTopic, StateWriter, Written
from tests.given_settings import load
from tests.given_store import ANN

REPLAYS = "replays"
"""Partitions of the replay topic have a store each and read nothing: no broker is asked."""
P0, P1 = Partition(REPLAYS, 0), Partition(REPLAYS, 1)


class Topic(StateWriter[Any]):
    """A state topic that acknowledges at once."""

    def __init__(self, settings: Settings, written: Callable[..., None]) -> None:
        super().__init__(settings, written)
        self.records: list[tuple[int, User, bool]] = []

    def write(self, partition: int, key: bytes, value: bytes | None, note: Any) -> None:
        """Partition, user, whether identified."""
        (_, user), identified = decode_record(key, value)
        self.records.append((partition, user, identified))
        self._written([Written(note, len(self.records) - 1, None)])


class Steps(UserStates):
    """The thread's work, done when it is asked for."""

    def __init__(self, partitions: int = 2) -> None:
        self.posted: list[Input] = []
        settings = load(replay_topic=REPLAYS)
        super().__init__(settings, self.posted.append)
        self.topic = self._writer = Topic(settings, self._on_written)
        self._topic = StateTopic("state", partitions, "topic state of cluster c", 1000.0)

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


def lane(partition: Partition, user: User = ANN) -> Lane:
    """The user's lane in a tenure of this partition."""
    return Lane(Assignment(partition, OffsetTracker(0)), user, identified=True)


def test_a_partition_that_left_while_the_topic_grew_can_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Growing takes long; what it was for is not opened behind the back of whoever has it by then, nor lost later."""
    may_grow = threading.Event()
    monkeypatch.setattr(state, "grow", lambda *_: may_grow.wait(30))
    states = Steps(partitions=1)
    states.open(P1)
    states.close(P1)
    states.step()
    may_grow.set()
    states.await_work()
    away = states.step()
    states.open(P1)
    back = [item.partition for item in states.step() if isinstance(item, StateOpened)]

    assert [] == away
    assert [P1] == back


def test_a_deletion_reaches_what_other_partitions_know_of_the_user() -> None:
    """Partitions were added, so an earlier one knows the user too: after the delete nobody says identified."""
    states = Steps()
    states.open(P0)
    states.open(P1)
    states.write([Remember(lane(P0))])
    states.step()
    forgetting = lane(P1)
    states.write([Forget(forgetting)])
    written = [item.lanes for item in states.step() if isinstance(item, StateWritten) and item.lanes]
    states.look_up({P1: {ANN: True}})
    answers = [item.identified for item in states.step() if isinstance(item, LookedUp)]

    assert [[forgetting]] == written
    assert [{P1: set()}] == answers
    assert {(0, ANN, False), (1, ANN, False)} == set(states.topic.records[1:])


def test_a_replay_s_damaged_store_is_done_without() -> None:
    """It has nothing to be read again from, and goes on remembering."""
    states = Steps()
    states.open(P0)
    states.step()
    states._store_failed(states._states[P0], sqlite3.DatabaseError("database disk image is malformed"))
    states.write([Remember(lane(P0))])
    states.step()
    states.look_up({P0: {ANN: False}})
    answers = [item.identified for item in states.step() if isinstance(item, LookedUp)]

    assert [{P0: {ANN}}] == answers
