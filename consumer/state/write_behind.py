"""Writes to the store what the topic has: later than the topic, in batches, some partitions at a time.

If the disk is full, writing is tried again. A damaged file is set aside, and all of it is read from the topic again.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence
from typing import Final

from consumer.ports.inputs import Post, StateWritten
from consumer.state.index import Index
from consumer.state.partition import PartitionState
from consumer.state.problems import Problems

STORE_SECONDS: Final = 1.0
"""The store is written at most this often. A transaction for each acknowledgement took a tenth of all time."""
RETRY_SECONDS: Final = 1.0
TOUCH_SECONDS: Final = 600.0
"""How often the store notes that it is still up to date. A copy that has not done so for long is rebuilt."""
PARTITIONS_MAX: Final = 200
USERS_MAX: Final = 2000
"""How many users one transaction has at most: look-ups wait for it."""
UNSTORED_USERS_MAX: Final = 50_000
"""How many users may wait for the store, as when the disk is full. Above it they are dropped, which costs an
introduction each; deletions never are."""


class WriteBehind:
    """Knows which partitions have something for the store, and when to write it."""

    def __init__(self, index: Index, problems: Problems, post: Post, *, damaged: Callable[[str], None]) -> None:
        """`damaged` gets the reason if the file is damaged, and has all of the state read again."""
        self._index = index
        self._problems = problems
        self._post = post
        self._damaged = damaged
        self._unstored: set[int] = set()
        self._round: list[int] = []
        """Partitions that are being written, a slice at a time."""
        self._store_at = self._sweep_at = 0.0
        self._touch_at = time.monotonic() + TOUCH_SECONDS

    def note(self, partition: int) -> None:
        """The partition has something for the store."""
        self._unstored.add(partition)

    def forget(self, partition: int) -> None:
        """The partition is not open any more."""
        self._unstored.discard(partition)

    def next_due(self) -> float:
        """When to write next, in monotonic seconds."""
        due = self._touch_at
        if self._round or self._unstored:
            due = min(due, self._store_at)
        if self._index.store.has_to_sweep:
            due = min(due, self._sweep_at)
        return due

    def slice(self, now: float) -> None:
        """Write a slice, if it is due. `now`: monotonic seconds."""
        if now >= self._touch_at:
            self._touch_at = now + TOUCH_SECONDS
            self._unstored.update(number for number, state in self._index.states.items() if not state.restoring)
        if now < self._store_at:
            return
        if not self._round and self._unstored:
            self._round, self._unstored = list(self._unstored), set()
        if self._round:
            self._write_some(now)
        elif self._index.store.has_to_sweep and now >= self._sweep_at:
            self._sweep(now)

    def _write_some(self, now: float) -> None:
        states: list[PartitionState] = []
        users = 0
        while self._round and len(states) < PARTITIONS_MAX and users < USERS_MAX:
            if (state := self._index.states.get(self._round.pop())) is not None:
                states.append(state)
                users += state.unstored
        if not self.store(states):
            self._unstored.update(self._round)
            self._round.clear()
            self._store_at = now + RETRY_SECONDS
        elif not self._round:
            self._store_at = now + STORE_SECONDS
        self._post(StateWritten([], {state.partition: self._index.store.users(state.number) for state in states}))

    def store(self, states: Sequence[PartitionState]) -> bool:
        """Write what these partitions have; gives whether that has worked. If not, it is tried again."""
        if not states:
            return True
        try:
            self._index.store.write([state.step() for state in states])
        except sqlite3.Error as error:
            self._unstored.update(state.number for state in states)
            self.failed(error)
            self._bound_memory()
            return False
        for state in states:
            state.stored()
        return True

    def failed(self, error: sqlite3.Error) -> None:
        """The store could not be read or written."""
        if isinstance(error, sqlite3.OperationalError):
            self._problems.report("not_stored", f"{self._index.store.name}: {error}")
        else:
            self._damaged(str(error))

    def _bound_memory(self) -> None:
        states = self._index.states.values()
        if sum(state.unstored for state in states) > UNSTORED_USERS_MAX:
            for state in states:
                state.leave_out()

    def _sweep(self, now: float) -> None:
        try:
            self._index.store.sweep()
        except sqlite3.Error as error:
            self._sweep_at = now + RETRY_SECONDS
            self.failed(error)
