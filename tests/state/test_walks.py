"""The state's thread on random ways: partitions come and go, writes are acknowledged or expire, in any order.

Whatever happens, whoever waits is told once, and the files say in the end what the topic says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

from confluent_kafka import KafkaError

from consumer.ports.inputs import StateWritten
from consumer.sequencing.actions import Forget, Remember
from consumer.sequencing.assignment import Assignment
from consumer.sequencing.events import User
from consumer.sequencing.lanes import Lane
from consumer.settings import Settings
from consumer.state.reader import Slice
from consumer.state.records import StateKey, decode_record
from consumer.state.topic import StateWriter, Written
from tests.state.given_thread import P0, P1, EmptyTopic, Steps, tenure

USERS = [User("ann"), User("bob")]
PARTITIONS = [P0, P1]
STEPS = 40
WALKS = 200
EXPIRED = KafkaError(KafkaError._MSG_TIMED_OUT)

Sent = tuple[int, bytes, bytes | None, Any]


class Log(StateWriter[Any]):
    """A state topic that answers when it is told to; what has expired is not in it."""

    def __init__(self, states: Steps) -> None:
        super().__init__(states._settings, states._on_written, states._post)
        self.records: dict[int, list[tuple[User, bool]]] = {0: [], 1: []}
        self._sent: list[Sent] = []

    def write_all(self, partition: int, records: Sequence[tuple[bytes, bytes, Any]]) -> None:
        """One after the other."""
        for key, value, note in records:
            self.write(partition, key, value, note)

    def write(self, partition: int, key: bytes, value: bytes | None, note: Any) -> None:
        """It is on its way."""
        self._sent.append((partition, key, value, note))

    def answer(self, *, expired: bool) -> None:
        """Answer the oldest that waits."""
        if not self._sent:
            return
        partition, key, value, note = self._sent.pop(0)
        if expired:
            self._written([Written(note, None, EXPIRED)])
            return
        (_, user), identified = decode_record(key, value)
        self.records[partition].append((user, identified))
        self._written([Written(note, len(self.records[partition]) - 1, None)])


class LogReader(EmptyTopic):
    """Reads what is in the log from where it is asked to."""

    def __init__(self, settings: Settings, log: Log, destination: str) -> None:
        super().__init__(settings)
        self._log = log
        self._destination = destination
        self._from: dict[int, int] = {}

    def start(self, number: int, offset: int | None, now: float) -> None:
        """From the store's offset."""
        super().start(number, offset, now)
        self._from[number] = offset or 0

    def read(self, now: float) -> tuple[dict[int, Slice], dict[int, KafkaError]]:
        """All there is."""
        slices, problems = super().read(now)
        for number, part in slices.items():
            records = self._log.records[number]
            part.next_offset = len(records)
            for user, identified in records[self._from[number] :]:
                part.changes[StateKey(self._destination, user)] = 5 if identified else None
        return slices, problems


class Walk(Steps):
    """One way, drawn by a seed; its files lie in this folder."""

    def __init__(self, seed: int, folder: Path) -> None:
        super().__init__(folder=str(folder))
        self._random = Random(seed)
        self._log = self._writes.writer = Log(self)
        self._restores.reader = LogReader(self._settings, self._log, self._settings.destination_name)
        self._ours: dict[Any, Assignment] = {}
        self.told: list[Lane] = []

    def go(self) -> None:
        """So many steps, and then nothing is ours any more."""
        for _ in range(STEPS):
            self._do_something()
            if self._random.random() < 0.7:
                self._look()
        self._look()
        for partition in list(self._ours):
            self._leave(partition)
        self._look()

    def _do_something(self) -> None:
        partition = self._random.choice(PARTITIONS)
        ours = self._ours.get(partition)
        match self._random.choice(["come", "leave", "remember", "forget", "acknowledge", "expire", "try again"]):
            case "come" if ours is None:
                self._ours[partition] = tenure(partition)
                self.open(self._ours[partition])
            case "leave" if ours is not None and self._random.random() < 0.5:
                self._leave(partition)
            case "remember" if ours is not None:
                self.write([Remember(self._lane(ours), may_be_stored=self._random.random() < 0.5)])
            case "forget" if ours is not None:
                self.write([Forget(self._lane(ours))])
            case "acknowledge":
                self._log.answer(expired=False)
            case "expire":
                self._log.answer(expired=True)
            case "try again":
                self._try_again(self._writes.retry_at)
                self._work.put(lambda: None)  # a turn tells what came of it

    def _lane(self, ours: Assignment) -> Lane:
        return Lane(ours, self._random.choice(USERS), identified=True)

    def _leave(self, partition: Any) -> None:
        self._ours.pop(partition).dropped = True
        self.close(partition)

    def _look(self) -> None:
        self.told += [lane for item in self.step() if isinstance(item, StateWritten) for lane in item.lanes]

    def mistakes(self) -> Iterator[str]:
        """Where the files, opened again, do not say what the topic says."""
        self._index.store.close()
        self._open_store()
        for partition in PARTITIONS:
            self.open(tenure(partition))
        self.step()
        for partition in PARTITIONS:
            topic = dict(self._log.records[partition.number])
            known = self._index.known_by(self._index.states[partition.number], USERS)
            for user in USERS:
                stored = user in known
                if stored != topic.get(user, False):
                    yield f"{partition} {user.id}: identified says {'the file' if stored else 'the topic'} only"


def test_the_files_say_what_the_topic_says_whatever_happened(tmp_path: Path) -> None:
    """Also where a write expired, a partition left with one on its way, or another partition's delete reached in.

    And nobody is told twice that it is done: that would finish an event which still waits for another write.
    """
    mistakes: dict[int, list[str]] = {}
    for seed in range(WALKS):
        walk = Walk(seed, tmp_path / str(seed))
        walk.go()
        told = Counter(map(id, walk.told))
        if found := [*walk.mistakes(), *(f"told {times} times" for times in told.values() if times > 1)]:
            mistakes[seed] = found

    assert {} == mistakes
