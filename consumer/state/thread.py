"""The state edge: who is identified. One thread owns it; a turn does what was asked, writes the store, reads the topic.

The state topic is the truth, and a sqlite file is a cache that saves reading it. A missing entry costs one extra
identify without properties, never a track before its identify. An entry counts only for the destination that accepted
the identify.

Each part of a turn is limited, so that none waits for another to finish: look-ups and writes go on while a thousand
partitions are read, and reading goes on while look-ups keep coming. Nothing in a turn waits for a broker.
"""

from __future__ import annotations

import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Final

from confluent_kafka import KafkaException

from consumer.ports.inbox import run_edge
from consumer.ports.inputs import LookedUp, PartitionFailed, Post, StateOpened, StateProblem, StateWritten
from consumer.ports.state_figures import StateFigures
from consumer.sequencing.actions import Forget, Remember
from consumer.sequencing.assignment import Assignment
from consumer.sequencing.events import Partition, User
from consumer.sequencing.stops import StopCause
from consumer.state.database import remove_file_a_partition
from consumer.state.earlier_topics import EarlierTopics
from consumer.state.growth import Growth, growth_problem
from consumer.state.index import Index
from consumer.state.partition import PartitionState, TopicIdWrite, Write
from consumer.state.problems import Problems
from consumer.state.reader import StateReader
from consumer.state.restores import Restores
from consumer.state.standby import Standby
from consumer.state.store import Store
from consumer.state.topic import StateTopic, StateWriter, Written
from consumer.state.write_behind import WriteBehind
from consumer.state.writes import Writes

if TYPE_CHECKING:
    from consumer.settings import Settings

ASKED_SECONDS: Final = 0.05
"""How long a turn does what was asked at most, while there is other work."""
READ_AGAIN_SECONDS: Final = 0.01
"""How long to wait before reading on, after a slice that found nothing."""
AGE_SHARE_MAX: Final = 0.5
"""The topic keeps deletions for a time. A copy that was last up to date longer ago than this share of it may have
missed one."""


class UserStates:
    """The state of the assigned partitions. A thread does what it is asked, in the order in which it was asked."""

    def __init__(self, settings: Settings, post: Post) -> None:
        self._settings = settings
        self._post = post
        self._work: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._ended = False
        self._assignments: dict[Partition, Assignment] = {}
        """Assignments whose state is to be open. One without a state waits until the topic has a partition for it."""
        self._replays: dict[Partition, Assignment] = {}
        """Assignments of the replay topic. They wait for the states of the source, where their users are looked up."""
        self._problems = Problems(settings, post)
        self._growth = Growth(settings, self._on_grown)
        self._index = Index(settings.kafka_topic, settings.destination_name, self._store_failed)
        self._write_behind = WriteBehind(self._index, self._problems, post, damaged=self._start_again)
        writer: StateWriter[Write | TopicIdWrite] = StateWriter(settings, self._on_written, post)
        self._writes = Writes(
            settings, self._index, self._problems, writer=writer, note_unstored=self._write_behind.note
        )
        self._restores = Restores(
            StateReader(settings),
            self._index,
            self._write_behind,
            earlier_topics=EarlierTopics(self._writes),
            problems=self._problems,
            post=post,
        )
        is_standby = settings.standby == "all"
        self._standby = Standby(settings, self._index, self._problems, self._work.put) if is_standby else None
        self._read_at = 0.0
        self._thread = threading.Thread(target=self._run, name="state", daemon=True)

    def start(self, topic: StateTopic) -> None:
        """Start the thread."""
        self._topic = topic
        self._writes.writer.start()
        self._thread.start()

    def stop(self) -> None:
        """Finish what was asked, close the file, end the thread."""
        self._work.put(self._end)
        self._thread.join()
        self._writes.writer.stop()

    def open(self, assignment: Assignment) -> None:
        """Make a partition's state ready; `StateOpened` follows."""
        self._work.put(partial(self._open, assignment))

    def close(self, partition: Partition) -> None:
        """Store what is known of a partition, and close its state."""
        self._work.put(partial(self._close, partition))

    def look_up(self, users: Mapping[Partition, Collection[User]]) -> None:
        """Ask who is identified, in their own partition or in another one; `LookedUp` follows."""
        self._work.put(partial(self._look_up, users))

    def write(self, actions: Sequence[Remember | Forget]) -> None:
        """Write changes; `StateWritten` follows when the topic has them."""
        self._work.put(partial(self._writes.write, actions))

    def identified_at(self, user: User) -> Future[dict[str, dict[int, int]]]:
        """Destination → partition → since when a user is identified, in milliseconds since the epoch.

        For people who ask; may be called by any thread.
        """
        answer: Future[dict[str, dict[int, int]]] = Future()
        self._work.put(partial(self._identified_at, user, answer))
        return answer

    def figures(self) -> StateFigures:
        """What was counted; any thread may call it."""
        return StateFigures(self._restores.records, None if self._standby is None else self._standby.figures)

    # ------------------------------------------------------------------ the thread

    def _run(self) -> None:
        run_edge("state", self._work_off, self._post)

    def _work_off(self) -> None:
        self._open_store()
        if self._standby is not None:
            self._standby.start(self._topic)
        try:
            while not self._ended:
                self._turn()
            self._write_behind.store(list(self._index.states.values()))
        finally:
            if self._standby is not None:
                self._standby.stop()
            self._restores.reader.close()
            self._index.store.close()

    def _end(self) -> None:
        self._ended = True

    def _open_store(self) -> None:
        """Open the store in this thread, because a connection of sqlite belongs to the thread that makes it."""
        folder = self._settings.state_dir / self._settings.kafka_group_id
        self._index.store = Store(
            folder,
            self._settings.destination_name,
            self._topic.identity,
            self._topic.tombstone_seconds * AGE_SHARE_MAX,
            lambda detail: self._post(StateProblem("set_aside", detail)),
        )
        remove_file_a_partition(folder, self._settings.kafka_topic)

    def _turn(self) -> None:
        self._do_asked()
        now = time.monotonic()
        if lanes := self._writes.recorded:  # the topic has them, and that is enough: the store comes later
            self._writes.recorded = []
            self._post(StateWritten(lanes, {}))
        if now >= self._write_behind.next_due():
            self._write_behind.slice(now)
        has_read = self._restores.slice(now)
        self._read_at = now if has_read else now + READ_AGAIN_SECONDS
        if self._standby is not None and not has_read:
            self._standby.go_on(now)
        if self._replays and not self._restores.is_reading:
            for partition in list(self._replays):
                self._post(StateOpened(self._replays.pop(partition), 0))
        self._try_again(now)

    def _do_asked(self) -> None:
        """Wait for work until something else is due, then do what was asked, for at most ASKED_SECONDS."""
        now = time.monotonic()
        timeout_seconds = max(self._next_due() - now, 0.0)
        try:
            self._work.get(timeout=timeout_seconds)() if timeout_seconds > 0 else self._work.get_nowait()()
            until = time.monotonic() + ASKED_SECONDS
            while not self._ended and time.monotonic() < until:
                self._work.get_nowait()()
        except queue.Empty:
            pass

    def _next_due(self) -> float:
        reading = self._read_at if self._restores.is_reading else float("inf")
        if self._standby is not None:
            reading = min(reading, self._standby.next_due())
        return min(reading, self._write_behind.next_due(), self._writes.next_due(), self._growth.next_due())

    def _try_again(self, now: float) -> None:
        self._writes.try_again(now)
        self._growth.go(now)
        if not self._growth.has_problem:
            self._problems.fixed("not_grown")

    def _store_failed(self, error: sqlite3.Error) -> None:
        self._write_behind.failed(error)

    def _look_up(self, questions: Mapping[Partition, Collection[User]]) -> None:
        self._post(LookedUp(self._index.look_up(questions)))

    def _identified_at(self, user: User, answer: Future[dict[str, dict[int, int]]]) -> None:
        if answer.set_running_or_notify_cancel():
            answer.set_result(self._index.identified_at(user))

    def _on_written(self, answers: list[Written[Write | TopicIdWrite]]) -> None:
        """Take the producer's answers; called in its thread."""
        self._work.put(partial(self._writes.written, answers))

    # ------------------------------------------------------------------ partitions

    def _open(self, assignment: Assignment) -> None:
        partition = assignment.partition
        if self._index.of(partition) is not None:
            return
        if partition.topic != self._settings.kafka_topic:  # no state is kept of replays
            self._replays[partition] = assignment
            return
        self._assignments[partition] = assignment
        if partition.number >= self._topic.partitions:
            self._growth.start(partition)
            return
        self._growth.done(partition)
        if self._standby is not None:
            self._standby.leave(partition.number)
        next_offset = self._index.store.follow(partition.number)
        state = PartitionState(assignment, self._settings.destination_name, next_offset, self._index.newer)
        self._index.states[partition.number] = state
        self._restores.start(state, next_offset)

    def _close(self, partition: Partition) -> None:
        self._assignments.pop(partition, None)
        self._replays.pop(partition, None)
        self._growth.done(partition)
        state = self._index.of(partition)
        if state is None:
            return
        self._write_behind.store([state])  # if it fails, the rest is read from the topic again
        self._restores.stop(partition.number)
        del self._index.states[partition.number]
        self._write_behind.forget(partition.number)
        state.close()
        if self._standby is not None:
            self._standby.follow(partition.number)

    def _start_again(self, problem: str) -> None:
        """Go on with an empty store, and read all of the topic once more."""
        self._index.store.start_again(problem)
        for state in self._index.states.values():
            self._restores.start_again(state)
        if self._standby is not None:
            self._standby.start_over()

    # ------------------------------------------------------------------ the topic grows

    def _on_grown(self, partitions: Collection[Partition], want: int, error: BaseException | None) -> None:
        """Take what came of a try to grow the topic; called in the try's thread."""
        self._work.put(partial(self._grown, partitions, want, error))

    def _grown(self, partitions: Collection[Partition], want: int, error: BaseException | None) -> None:
        if error is None:
            self._growth.worked()
            self._writes.writer.has_grown()
            self._topic = self._topic._replace(partitions=max(want, self._topic.partitions))
            for partition, assignment in list(self._assignments.items()):
                if self._index.of(partition) is None:
                    self._open(assignment)
            return
        if not isinstance(error, KafkaException):
            raise error
        is_tried_again = self._growth.failed(error, time.monotonic())
        waiting = [one for one in partitions if one in self._assignments and self._index.of(one) is None]
        problem = growth_problem(self._settings, self._topic.partitions, want, error)
        if waiting and is_tried_again:
            self._problems.report_once("not_grown", problem)
        for partition in () if is_tried_again else waiting:
            self._post(PartitionFailed(partition, StopCause.STATE_NOT_GROWN, problem, "start it again"))
