"""Writes to the state topic who is identified and who is to be forgotten, and tries again until the topic has it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from confluent_kafka import KafkaError, KafkaException

from consumer.kafka.client import is_fatal
from consumer.sequencing.actions import Forget, Remember
from consumer.sequencing.assignment import Assignment
from consumer.sequencing.events import User
from consumer.sequencing.lanes import Lane
from consumer.state.index import Index
from consumer.state.partition import Change, PartitionState, TopicIdWrite, Write
from consumer.state.problems import Problems
from consumer.state.records import StateKey, encode_key, encode_value
from consumer.state.topic import StateWriter, Written

if TYPE_CHECKING:
    from consumer.settings import Settings

RETRY_SECONDS: Final = 1.0
RECORDS_MAX: Final = 100
"""How many records are written after one look at the lease: the process may be stopped in between."""
AGAIN_RECORDS_MAX: Final = 500
"""How many failed records one turn sends again: a partition without a leader may have thousands."""


class Writes:
    """What is on its way to the topic, and what has come of it."""

    def __init__(
        self,
        settings: Settings,
        index: Index,
        problems: Problems,
        *,
        writer: StateWriter[Write | TopicIdWrite],
        note_unstored: Callable[[int], None],
    ) -> None:
        """`note_unstored` gets each partition that has something for the store."""
        self._destination = settings.destination_name
        self._lease_seconds = settings.state_lease.seconds  # worked out of the Kafka properties: kept
        self._index = index
        self._problems = problems
        self._note_unstored = note_unstored
        self.writer = writer
        self.recorded: list[Lane] = []
        """Lanes for which the topic has all that they asked for; the loop is to be told."""
        self._again: deque[Write | TopicIdWrite] = deque()
        """Failed writes, which wait to be sent again."""
        self._round: deque[Write | TopicIdWrite] = deque()
        """Failed writes that are being sent again."""
        self.retry_at = 0.0

    def write(self, actions: Sequence[Remember | Forget]) -> None:
        """Write a record for each action; for a deletion, one to each partition that may know the user."""
        now_ms = time.time_ns() // 1_000_000
        identified: dict[Assignment, list[Remember]] = {}
        for action in actions:
            if isinstance(action, Remember):
                identified.setdefault(action.lane.assignment, []).append(action)
            else:  # in their order: a user who is identified again after a deletion is identified
                self._remember(identified, now_ms)
                identified = {}
                self._forget(action.lane)
        self._remember(identified, now_ms)

    def _remember(self, identified: Mapping[Assignment, Sequence[Remember]], now_ms: int) -> None:
        for assignment, actions in identified.items():
            state = None if assignment.dropped else self._index.of(assignment.partition)
            if state is None:
                self.recorded += [action.lane for action in actions]
                continue
            lanes = self._not_stored(state, actions)
            state.want_all([lane.user for lane in lanes], now_ms)
            writes = [Write(state, lane.user, Change(lane, 1), now_ms) for lane in lanes]
            for start in range(0, len(writes), RECORDS_MAX):
                self._produce_all(state, writes[start : start + RECORDS_MAX])

    def _not_stored(self, state: PartitionState, actions: Sequence[Remember]) -> list[Lane]:
        """The lanes about whose users something is to be written. The topic has the others' already: they are done."""
        asked = {action.lane.user for action in actions if action.may_be_stored}
        known = self._index.known_by(state, asked) if asked else asked
        lanes: list[Lane] = []
        for action in actions:
            is_stored = action.may_be_stored and action.lane.user in known
            (self.recorded if is_stored else lanes).append(action.lane)
        return lanes

    def _produce_all(self, state: PartitionState, writes: Sequence[Write]) -> None:
        if self._may_be_another_s(state):
            for write in writes:
                self._later(write)
            return
        records: list[tuple[bytes, bytes, Write]] = []
        for write in writes:
            key, at_ms = StateKey(self._destination, write.user), write.identified_at_ms
            assert at_ms is not None
            records.append((encode_key(key), encode_value(key, at_ms), write))
        self.writer.write_all(state.number, records)

    def _forget(self, lane: Lane) -> None:
        is_ours = not lane.assignment.dropped
        own = self._index.of(lane.assignment.partition) if is_ours else None
        where = [] if own is None else [own]
        if is_ours:
            where += [state for state in self._index.who_may_know(lane.user) if state is not own]
        if not where:
            self.recorded.append(lane)
        change = Change(lane, len(where))
        for state in where:
            state.want(lane.user, None)
            self._produce(state, lane.user, change)

    def note_topic_id(self, write: TopicIdWrite) -> None:
        """Write a record that says which source topic is read."""
        self.writer.write(write.state.number, encode_key(write.key), encode_value(write.key, write.at_ms), write)

    def written(self, answers: list[Written[Write | TopicIdWrite]]) -> None:
        """Take the producer's answers."""
        for write, offset, error in answers:
            if error is not None or offset is None:
                self._failed(write, error)
            elif not isinstance(write, TopicIdWrite):
                self._written(write, offset)
            elif self._index.states.get(write.state.number) is write.state:
                write.state.noted(write.key, write.at_ms, offset)
                self._note_unstored(write.state.number)

    def next_due(self) -> float:
        """When to send failed writes again, in monotonic seconds; infinity: there are none."""
        if self._round:
            return 0.0
        return self.retry_at if self._again else float("inf")

    def try_again(self, now: float) -> None:
        """Send some of the failed writes again, if they are due. `now`: monotonic seconds."""
        if not self._round and now >= self.retry_at:
            self._round, self._again = self._again, deque()
        for _ in range(min(len(self._round), AGAIN_RECORDS_MAX)):
            self._produce_again(self._round.popleft())

    def _produce_again(self, write: Write | TopicIdWrite) -> None:
        state = self._index.states.get(write.state.number)
        if isinstance(write, TopicIdWrite):
            if state is write.state:  # else the next assignment notes it
                self.note_topic_id(write)
        elif state is write.state:
            self._produce(state, write.user, write.change)
        elif state is not None and write.identified_at_ms is None and not write.change.lane.assignment.dropped:
            state.want(write.user, None)  # the partition left and came back: the lane still waits for the deletion
            self._produce(state, write.user, write.change)
        else:
            self._settle(write.change)

    def _produce(self, state: PartitionState, user: User, change: Change) -> None:
        identified_at_ms = state.wanted(user)
        write = Write(state, user, change, identified_at_ms)
        if identified_at_ms is not None and self._may_be_another_s(state):
            self._later(write)
            return
        key = StateKey(self._destination, user)
        value = None if identified_at_ms is None else encode_value(key, identified_at_ms)
        self.writer.write(state.number, encode_key(key), value, write)

    def _may_be_another_s(self, state: PartitionState) -> bool:
        """Whether another member may own the partition: for a lease, the group has not said that it is ours.

        While the partition is being given up, no commit renews the lease. Then the answer is no, because what was sent
        under the lease has to be recorded (lease.py).
        """
        assignment = state.assignment
        return assignment.open and time.monotonic() - assignment.leased_at >= self._lease_seconds

    def _later(self, write: Write | TopicIdWrite) -> None:
        if not self._again:
            self.retry_at = time.monotonic() + RETRY_SECONDS
        self._again.append(write)

    def _failed(self, write: Write | TopicIdWrite, error: KafkaError | None) -> None:
        if error is not None and is_fatal(error):
            raise KafkaException(error)  # this producer will never work again: end the process, to be started again
        if not isinstance(write, TopicIdWrite):  # nobody waits for that one
            detail = self._problems.of_topic(error, "Write") if error else f"{self._problems.topic}: no offset"
            self._problems.report("not_written", detail)
        self._later(write)

    def _written(self, write: Write, offset: int) -> None:
        write.state.acknowledged(write.user, write.identified_at_ms, offset)
        if (state := self._index.states.get(write.state.number)) is not None:
            self._note_unstored(state.number)
            if state is not write.state:
                state.learn(write.user, write.identified_at_ms, offset)
        self._settle(write.change)

    def _settle(self, change: Change) -> None:
        """One record less to wait for; with the last one, the lane is done."""
        change.records -= 1
        if not change.records:
            self.recorded.append(change.lane)
