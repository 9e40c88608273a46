"""Collects what two state topics say of each user, in a temporary file, because there may be millions of users.

The file has no name, and sqlite removes it by itself. A user takes about 60 bytes of it. Memory does not grow with the
number of users.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from types import TracebackType
from typing import Final, NamedTuple, Self

from consumer.sequencing.events import User
from consumer.state.copy_rule import Word

SOURCE: Final = 0
TARGET: Final = 1
CACHE_KIBIBYTES: Final = 65_536
"""How much of the file sqlite keeps in memory."""

Row = tuple[str, bool, int, int, int, bool]
"""User id, anonymous, side (SOURCE or TARGET), partition, time in milliseconds, identified."""


class Said(NamedTuple):
    """What both topics say of one user."""

    user: User
    source: list[Word]
    target: list[Word]


class Words:
    """The last record of each user in each partition of both topics; a context manager."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None)
        self._db.execute(f"PRAGMA cache_size = -{CACHE_KIBIBYTES}")
        self._db.execute("PRAGMA journal_mode = OFF")
        self._db.execute(
            "CREATE TABLE words (id TEXT, anonymous INTEGER, side INTEGER, partition INTEGER, at_ms INTEGER, "
            "identified INTEGER, PRIMARY KEY (id, anonymous, side, partition)) WITHOUT ROWID"
        )

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, _type: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        """Remove the file."""
        self._db.close()

    def add(self, rows: Iterable[Row]) -> None:
        """Add rows in the order of the topic: a later row of a user and partition replaces an earlier one."""
        self._db.execute("BEGIN")
        self._db.executemany("INSERT OR REPLACE INTO words VALUES (?, ?, ?, ?, ?, ?)", rows)
        self._db.execute("COMMIT")

    def of_each_user(self) -> Iterator[Said]:
        """Yield what is said of each user, one user after the other."""
        rows = self._db.execute("SELECT * FROM words ORDER BY id, anonymous, side, partition")
        for (user_id, anonymous), group in groupby(rows, itemgetter(0, 1)):
            said = Said(User(user_id, bool(anonymous)), [], [])
            for _, _, side, partition, at_ms, identified in group:
                words = said.source if side == SOURCE else said.target
                words.append(Word(partition, at_ms, bool(identified)))
            yield said
