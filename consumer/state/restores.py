"""Reads partitions' state from the topic, a slice at a time, until each has reached its end."""

from __future__ import annotations

import logging
import time
from typing import Final

from consumer.log_codes import Code, fields
from consumer.ports.inputs import Post, StateOpened, StateRestoring
from consumer.state.earlier_topics import EarlierTopics
from consumer.state.index import Index
from consumer.state.partition import PartitionState
from consumer.state.problems import Problems
from consumer.state.reader import Slice, StateReader
from consumer.state.write_behind import WriteBehind

PROGRESS_SECONDS: Final = 1.0
SLOW_RESTORE_SECONDS: Final = 1.0
"""A restore that takes longer is logged at INFO, others at DEBUG."""

log = logging.getLogger("consumer.state")


class Restores:
    """Knows which partitions are being read, and puts what is read into their states and the store."""

    def __init__(
        self,
        reader: StateReader,
        index: Index,
        write_behind: WriteBehind,
        *,
        earlier_topics: EarlierTopics,
        problems: Problems,
        post: Post,
    ) -> None:
        self.reader = reader
        self.records = 0
        """How many records were read since the start."""
        self._index = index
        self._write_behind = write_behind
        self._topic_ids = earlier_topics
        self._problems = problems
        self._post = post
        self._started_at: dict[int, float] = {}
        self._unread: set[int] = set()
        """Numbers of partitions that are being read, and can't be read for now."""
        self._progress_at = 0.0

    @property
    def is_reading(self) -> bool:
        """Whether any partition has not reached its end."""
        return bool(self.reader.reading)

    def start(self, state: PartitionState, offset: int | None) -> None:
        """Read a partition from the offset on; None: from the beginning."""
        now = time.monotonic()
        state.restoring = True
        self._started_at[state.number] = now
        self.reader.start(state.number, offset, now)

    def start_again(self, state: PartitionState) -> None:
        """The store has nothing of the partition any more: read all of its topic once more."""
        self.stop(state.number)
        state.read_again()
        self.start(state, self._index.store.follow(state.number))

    def stop(self, number: int) -> None:
        """Read no more of the partition: it leaves, or its end is reached."""
        self._started_at.pop(number, None)
        self.reader.stop(number)

    def slice(self, now: float) -> bool:
        """Read a slice; gives whether there was anything. `now`: monotonic seconds."""
        slices, problems = self.reader.read(now) if self.is_reading else ({}, {})
        self._unread = ((self._unread | problems.keys()) - slices.keys()) & self.reader.reading.keys()
        for error in problems.values():
            self._problems.report_once("not_read", self._problems.of_topic(error, "Read"))
        self._take(slices, now)
        self._unread &= self.reader.reading.keys()
        if not self._unread:
            self._problems.fixed("not_read")
        if not self.is_reading:
            self.reader.close()
        elif now >= self._progress_at:
            self._progress_at = now + PROGRESS_SECONDS
            self._report_progress()
        return bool(slices)

    def _take(self, slices: dict[int, Slice], now: float) -> None:
        taken: list[PartitionState] = []
        for number, part in slices.items():
            state = self._index.states.get(number)
            if state is None or not state.restoring:
                continue
            if part.unknown is not None:
                self._problems.report("unknown_record", f"{self._problems.topic}: {part.unknown}")
            if part.out_of_range:
                self._out_of_range(state)
            else:
                state.read(part)
                self.records += part.records
                taken.append(state)
        self._write_behind.store(taken)  # in one transaction, however many partitions
        for state in taken:
            if not state.restoring:
                self._opened(state, now)

    def _out_of_range(self, state: PartitionState) -> None:
        self._problems.report(
            "set_aside",
            f"what {self._index.store.name} has of partition {state.number} is left out: {self._problems.topic} does "
            f"not hold offset {state.next_offset}, where it would go on; all of that partition is read again",
        )
        self._index.store.forget(state.number)
        self.start_again(state)

    def _opened(self, state: PartitionState, now: float) -> None:
        seconds = now - self._started_at.get(state.number, now)
        self.stop(state.number)
        users = self._index.store.users(state.number)
        level = logging.INFO if seconds > SLOW_RESTORE_SECONDS else logging.DEBUG
        told = "the state of %s is ready: %d identified users; %d records were read in %.1f s"
        log.log(level, told, state.partition, users, state.records_read, seconds, extra=fields(Code.STATE_READY))
        had_other_topic = self._topic_ids.had_other(state, self._index.store)
        self._post(StateOpened(state.assignment, users, had_other_topic))

    def _report_progress(self) -> None:
        for number in self.reader.reading:
            if (state := self._index.states.get(number)) is not None:
                self._post(StateRestoring(state.partition, self.reader.remaining(number, state.next_offset)))
