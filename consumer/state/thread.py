"""The state edge: who is identified. One thread owns it: look-ups, writes, and reading the topic of new partitions.

The state topic is the truth, a sqlite file a partition the cache that saves reading it. A missing entry costs one extra
identify without properties, never a track before its identify. An entry counts only for the destination that accepted
the identify.
"""

from __future__ import annotations

import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from confluent_kafka import KafkaError, KafkaException

from consumer.kafka.client import is_fatal
from consumer.kafka.rights import Right, explained
from consumer.ports.inbox import run_edge
from consumer.ports.inputs import (
    LookedUp,
    PartitionFailed,
    Post,
    StateFixed,
    StateOpened,
    StateProblem,
    StateRestoring,
    StateWritten,
)
from consumer.sequencing.actions import Forget, Remember
from consumer.sequencing.assignment import Assignment
from consumer.sequencing.events import Partition, User
from consumer.sequencing.lanes import Lane
from consumer.sequencing.stops import StopCause
from consumer.state.growth import Growth, growth_problem
from consumer.state.partition import Change, PartitionState, Write
from consumer.state.records import StateKey, encode_key, encode_value
from consumer.state.restore import Slice, StateReader
from consumer.state.store import Store
from consumer.state.topic import StateTopic, StateWriter, Written

if TYPE_CHECKING:
    from consumer.settings import Settings

RETRY_SECONDS: Final = 1.0
STORE_SECONDS: Final = 1.0
"""The files follow the topic at most this often: a transaction for each acknowledgement took a tenth of all time."""
PROGRESS_SECONDS: Final = 1.0
TOUCH_SECONDS: Final = 600.0
"""How often a store notes that it is still up to date: one that has not for long is rebuilt."""
AGE_SHARE_MAX: Final = 0.5
"""Of the time that the topic keeps deletions: an older store may have missed one."""
SLOW_RESTORE_SECONDS: Final = 1.0

log = logging.getLogger("consumer.state")


class UserStates:
    """The state of the assigned partitions, behind a thread that does what it is asked in the order asked."""

    def __init__(self, settings: Settings, post: Post) -> None:
        self._settings = settings
        self._destination = settings.destination_name
        self._lease_seconds = settings.state_lease.seconds  # read out of the Kafka properties: not for each user again
        self._post = post
        self._states: dict[Partition, PartitionState] = {}
        self._assignments: dict[Partition, Assignment] = {}
        """What is to be open. Without a state: when the topic has got a partition for it."""
        self._replays: dict[Partition, Assignment] = {}
        """Those that wait for the source's states, where their users are looked for."""
        self._growth = Growth(settings, self._on_grown)
        self._told: set[str] = set()
        """Kinds of problems that were told and last."""
        self._opened_at: dict[Partition, float] = {}
        self._work: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._ended = False
        self._reader = StateReader(settings)
        self._unread: set[int] = set()
        """Numbers of partitions that are to be read and can't be."""
        self._writer: StateWriter[Write] = StateWriter(settings, self._on_written)
        self._again: list[Write] = []
        self._recorded: list[Lane] = []
        self._dirty: set[Partition] = set()
        """With something that is to be stored."""
        self._retry_at = self._store_at = 0.0
        self._touch_at = self._progress_at = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="state", daemon=True)

    def start(self, topic: StateTopic) -> None:
        """Start the thread."""
        self._topic = topic
        self._writer.start()
        self._thread.start()

    def stop(self) -> None:
        """Finish what was asked, close the files, end the thread."""
        self._work.put(self._end)
        self._thread.join()
        self._writer.stop()

    def open(self, assignment: Assignment) -> None:
        """Make a partition's state ready; `StateOpened` follows."""
        self._work.put(partial(self._open, assignment))

    def close(self, partition: Partition) -> None:
        """Let go of a partition's state."""
        self._work.put(partial(self._close, partition))

    def look_up(self, users: Mapping[Partition, Mapping[User, bool]]) -> None:
        """Ask who is identified; `LookedUp` follows. The flag: ask the other stores too, if the own one says no."""
        self._work.put(partial(self._look_up, users))

    def write(self, actions: Sequence[Remember | Forget]) -> None:
        """Write changes; `StateWritten` follows when the topic has them."""
        self._work.put(partial(self._write, actions))

    # ------------------------------------------------------------------ the thread

    def _run(self) -> None:
        run_edge("state", self._work_off, self._post)

    def _work_off(self) -> None:
        while not self._ended:
            self._turn()
        for partition in list(self._states):
            self._close(partition)
        self._reader.close()

    def _end(self) -> None:
        self._ended = True

    def _turn(self) -> None:
        timeout_seconds = self._seconds_until_due(time.monotonic())
        try:
            self._work.get(timeout=timeout_seconds)() if timeout_seconds > 0 else self._work.get_nowait()()
            while not self._ended:
                self._work.get_nowait()()
        except queue.Empty:
            pass
        now = time.monotonic()
        if self._recorded:  # the topic has it, which is what counts; the stores follow
            lanes, self._recorded = self._recorded, []
            self._post(StateWritten(lanes, {}))
        if self._dirty and now >= self._store_at:
            self._write_behind(now)
        if self._reader.reading:
            self._read(now)
        self._unread &= self._reader.reading
        if not self._unread:
            self._fixed("not_read")
        if not self._reader.reading:
            self._reader.close()
        if self._replays and not any(state.restoring for state in self._states.values()):
            for partition in list(self._replays):
                self._post(StateOpened(self._replays.pop(partition), 0))
        self._try_again(now)
        if now >= self._touch_at:
            self._touch_at = now + TOUCH_SECONDS
            self._dirty.update(partition for partition, state in self._states.items() if not state.restoring)

    def _try_again(self, now: float) -> None:
        if self._again and now >= self._retry_at:
            again, self._again = self._again, []
            for write in again:
                self._produce_again(write)
        for partition in self._growth.due(now):
            self._open(self._assignments[partition])
        if not self._growth.has_problem:
            self._fixed("not_grown")

    def _produce_again(self, write: Write) -> None:
        state = self._states.get(write.state.partition)
        if state is write.state:
            self._produce(write)
        elif state is not None and write.identified_at_ms is None and not write.change.lane.assignment.dropped:
            state.want(write.user, None)  # the partition left and came back: whoever waits for the deletion still does
            self._produce(write._replace(state=state))
        else:
            self._settle(write.change)

    def _seconds_until_due(self, now: float) -> float:
        if self._reader.reading:
            return 0.0
        due = min(self._touch_at, self._growth.next_due())
        if self._again:
            due = min(due, self._retry_at)
        if self._dirty:
            due = min(due, self._store_at)
        return max(due - now, 0.0)

    # ------------------------------------------------------------------ partitions

    def _open(self, assignment: Assignment) -> None:
        partition = assignment.partition
        if partition in self._states:
            return
        if partition.topic != self._settings.kafka_topic:  # of a replay nothing is kept
            self._replays[partition] = assignment
            return
        self._assignments[partition] = assignment
        if partition.number >= self._topic.partitions:
            self._growth.start(partition)
            return
        self._growth.done(partition)
        self._opened_at[partition] = time.monotonic()
        store = Store(
            self._settings.state_dir / self._settings.kafka_group_id / f"{partition}.sqlite",
            self._destination,
            self._topic.identity,
            self._topic.tombstone_seconds * AGE_SHARE_MAX,
            lambda detail: self._post(StateProblem("set_aside", detail)),
        )
        state = self._states[partition] = PartitionState(partition, self._destination, store)
        state.restoring = True
        self._reader.start(partition.number, store.next_offset, time.monotonic())

    def _on_grown(self, partition: Partition, partitions: int, error: BaseException | None) -> None:
        """What became of a try, from its thread."""
        self._work.put(partial(self._grown, partition, partitions, error))

    def _grown(self, partition: Partition, partitions: int, error: BaseException | None) -> None:
        assignment = self._assignments.get(partition)
        if error is None:
            self._topic = self._topic._replace(partitions=max(partitions, self._topic.partitions))
            if assignment is not None:
                self._open(assignment)
        elif not isinstance(error, KafkaException):
            raise error
        elif assignment is not None and partition not in self._states:
            problem = growth_problem(self._settings, self._topic.partitions, partitions, error)
            if self._growth.failed(partition, error, time.monotonic()):
                self._tell("not_grown", problem)
            else:
                self._post(PartitionFailed(partition, StopCause.STATE_NOT_GROWN, problem, "start it again"))

    def _tell(self, kind: str, detail: str) -> None:
        """Say it once, until it is fixed."""
        if kind not in self._told:
            self._told.add(kind)
            self._post(StateProblem(kind, detail))

    def _fixed(self, kind: str) -> None:
        if kind in self._told:
            self._told.discard(kind)
            self._post(StateFixed(kind))

    def _close(self, partition: Partition) -> None:
        self._assignments.pop(partition, None)
        self._replays.pop(partition, None)
        self._growth.done(partition)
        state = self._states.pop(partition, None)
        if state is None:
            return
        self._dirty.discard(partition)
        self._reader.stop(partition.number)
        try:
            state.write_behind()
        except sqlite3.Error as error:
            log.debug("%s: %s; the rest is read from the topic again", partition, error)
        state.store.close()

    # ------------------------------------------------------------------ look-ups

    def _look_up(self, questions: Mapping[Partition, Mapping[User, bool]]) -> None:
        answers: dict[Partition, set[User]] = {}
        for partition, users in questions.items():
            own = self._states.get(partition)
            found = self._ask(own, users)
            missing = {user for user, elsewhere in users.items() if elsewhere and user not in found}
            for state in list(self._states.values()):
                if not missing:
                    break
                if state is not own:
                    there = self._ask(state, missing)
                    found |= there
                    missing -= there
            answers[partition] = found
        self._post(LookedUp(answers))

    def _ask(self, state: PartitionState | None, users: Collection[User]) -> set[User]:
        if state is None:
            return set()
        try:
            return state.identified(users)
        except sqlite3.Error as error:
            self._store_failed(state, error)
            return set()

    # ------------------------------------------------------------------ writes

    def _write(self, actions: Sequence[Remember | Forget]) -> None:
        now_ms = time.time_ns() // 1_000_000
        for action in actions:
            lane = action.lane
            state = self._states.get(lane.assignment.partition)
            where = [] if state is None or lane.assignment.dropped else [state]
            if isinstance(action, Forget) and not lane.assignment.dropped:
                where += self._others_who_know(lane.user, state)
            change = Change(lane, len(where))
            if not where:
                self._recorded.append(lane)
            for one in where:
                one.want(lane.user, now_ms if isinstance(action, Remember) else None)
                self._produce(Write(one, lane.user, change))

    def _others_who_know(self, user: User, own: PartitionState | None) -> list[PartitionState]:
        """Other partitions may know the user too, from before partitions were added.

        One that is being read does not say: it gets a deletion in any case.
        """
        others = (state for state in self._states.values() if state is not own)
        return [state for state in others if self._may_know(state, user)]

    def _may_know(self, state: PartitionState, user: User) -> bool:
        try:
            return state.restoring or bool(state.identified([user]))
        except sqlite3.Error as error:
            self._store_failed(state, error)
            return True

    def _produce(self, write: Write) -> None:
        key = StateKey(self._destination, write.user)
        identified_at_ms = write.state.wanted(write.user)
        if identified_at_ms is not None and self._may_be_another_s(write.state.partition):
            self._later(write)
            return
        value = None if identified_at_ms is None else encode_value(key, identified_at_ms)
        record = write._replace(identified_at_ms=identified_at_ms)
        self._writer.write(write.state.partition.number, encode_key(key), value, record)

    def _may_be_another_s(self, partition: Partition) -> bool:
        """Whether the group has not said for a lease that the partition is ours (lease.py).

        While it is given up, what was sent on lease is recorded, however old the last word is: none is asked for then.
        """
        assignment = self._assignments[partition]
        return assignment.open and time.monotonic() - assignment.leased_at >= self._lease_seconds

    def _later(self, write: Write) -> None:
        if not self._again:
            self._retry_at = time.monotonic() + RETRY_SECONDS
        self._again.append(write)

    def _on_written(self, answers: list[Written[Write]]) -> None:
        """The producer's answers, from its thread."""
        self._work.put(partial(self._all_written, answers))

    def _all_written(self, answers: list[Written[Write]]) -> None:
        for write, offset, error in answers:
            self._written(write, offset, error)

    def _written(self, write: Write, offset: int | None, error: KafkaError | None) -> None:
        if error is not None or offset is None:
            if error is not None and is_fatal(error):
                raise KafkaException(error)  # this producer will never work again: end, and be started again
            detail = f"{self._topic.name}: {self._explained(error, 'Write') if error else 'no offset'}"
            self._post(StateProblem("not_written", detail))
            self._later(write)
            return
        partition = write.state.partition
        write.state.acknowledged(write.user, write.identified_at_ms, offset)
        if (state := self._states.get(partition)) is not None:
            self._dirty.add(partition)
            if state is not write.state:
                state.learn(write.user, write.identified_at_ms, offset)
        self._settle(write.change)

    def _settle(self, change: Change) -> None:
        """One record less to wait for."""
        change.records -= 1
        if not change.records:
            self._recorded.append(change.lane)

    def _explained(self, error: KafkaError, operation: str) -> str:
        if error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            return f"{error.str()}; if it was deleted, start all members again: that makes it again"
        return explained(self._settings, error, Right(operation, "topic", self._topic.name))

    # ------------------------------------------------------------------ the stores

    def _write_behind(self, now: float) -> None:
        dirty, self._dirty = self._dirty, set()
        self._store_at = now + STORE_SECONDS
        for partition in dirty:
            if (state := self._states.get(partition)) is not None:
                self._store(state, now)
        self._post(StateWritten([], {p: self._states[p].users for p in dirty if p in self._states}))

    def _store(self, state: PartitionState, now: float) -> None:
        try:
            state.write_behind()
        except sqlite3.Error as error:
            self._store_failed(state, error)
            self._dirty.add(state.partition)
            self._store_at = now + RETRY_SECONDS

    def _store_failed(self, state: PartitionState, error: sqlite3.Error) -> None:
        """A full disk is waited for, a damaged file set aside and read from the topic again."""
        if isinstance(error, sqlite3.OperationalError):
            self._post(StateProblem("not_stored", f"{state.partition}: {error}"))
            return
        self._start_again(state, str(error))

    def _start_again(self, state: PartitionState, problem: str) -> None:
        """An empty store, and all of the topic once more."""
        state.store.start_again(problem)
        state.read_again()
        self._reader.stop(state.partition.number)
        self._reader.start(state.partition.number, None, time.monotonic())

    # ------------------------------------------------------------------ reading the topic

    def _read(self, now: float) -> None:
        slices, problems = self._reader.read(now)
        self._unread = (self._unread | problems.keys()) - slices.keys()
        for error in problems.values():
            self._tell("not_read", f"{self._topic.name}: {self._explained(error, 'Read')}")
        for state in list(self._states.values()):
            part = slices.get(state.partition.number)
            if part is not None and state.restoring:
                self._take(state, part, now)
        if now >= self._progress_at:
            self._progress_at = now + PROGRESS_SECONDS
            for state in self._states.values():
                if state.restoring:
                    remaining = self._reader.remaining(state.partition.number, state.next_offset)
                    self._post(StateRestoring(state.partition, remaining))

    def _take(self, state: PartitionState, part: Slice, now: float) -> None:
        partition = state.partition
        if part.unknown is not None:
            self._post(StateProblem("unknown_record", f"{self._topic.name}: {part.unknown}"))
        if part.out_of_range:
            self._start_again(
                state, f"{self._topic.name} does not hold offset {state.next_offset}, where it would go on"
            )
            return
        state.read(part)
        self._store(state, now)
        if not state.restoring:
            self._reader.stop(partition.number)
            seconds = now - self._opened_at[partition]
            level = logging.INFO if seconds > SLOW_RESTORE_SECONDS else logging.DEBUG
            told = "the state of %s is ready: %d identified users; %d records were read in %.1f s"
            log.log(level, told, partition, state.users, state.records_read, seconds)
            self._post(StateOpened(self._assignments[partition], state.users))
