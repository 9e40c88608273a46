"""The local store of identified users: one sqlite file for each member, with plain tables that anyone can read.

    SELECT partition, destination, user_id, anonymous, identified_at_ms FROM users;

It is a cache that saves reading all of the state topic. For each partition it remembers up to which offset it has
followed the topic, in the same transaction as the users. A missing entry is safe, so the file may be lost. An entry
that should be gone is not safe, so a partition's copy counts only while the topic still holds every deletion since the
copy was up to date.

All partitions share the file, so that finding who knows a user is one search. If a partition's copy does not count any
more, one with a new number takes its place, and the old one's rows are deleted bit by bit.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from consumer.log_codes import Code, fields
from consumer.sequencing.events import User
from consumer.state.database import Database
from consumer.state.inserts import UserRow, insert, insert_together
from consumer.state.records import SOURCE_TOPIC, StateKey

QUERY_USERS_MAX: Final = 500
SWEEP_ROWS: Final = 2000

_HAS: Final = "SELECT copy_id FROM identified_users WHERE user_id = ? AND anonymous = ? AND destination_id = ?"
_FOUND: Final = """
SELECT group_concat(wanted.key || ' ' || copy_id) FROM json_each(?) AS wanted JOIN identified_users
    ON user_id = wanted.value AND anonymous = ? AND destination_id = ?
"""
_IDENTIFIED_AT: Final = """
SELECT destinations.name, copy_id, identified_at_ms
    FROM identified_users JOIN destinations ON destinations.id = destination_id WHERE user_id = ? AND anonymous = ?
"""
_BEGINNING_WITH: Final = """
SELECT user_id FROM identified_users JOIN destinations ON destinations.id = destination_id
    WHERE user_id BETWEEN ? AND ? AND destinations.name = ? AND copy_id = ?
"""
_COUNTS: Final = "SELECT copy_id, destination_id, count(*) FROM identified_users GROUP BY copy_id, destination_id"
_DELETE: Final = (
    "DELETE FROM identified_users WHERE user_id = ? AND anonymous = ? AND destination_id = ? AND copy_id = ?"
)

log = logging.getLogger("consumer.state")

Changes = Mapping[StateKey, int | None]
"""When each user was identified, in milliseconds since the epoch; None: the user is to be forgotten."""
Row = tuple[str, bool, int, int]
"""User id, anonymous, the destination's id, the copy's id."""


class Step(NamedTuple):
    """What is to be written of a partition: changes, and how far the topic was followed with them."""

    partition: int
    changes: Changes
    next_offset: int
    at_end: bool
    """The topic ends there, so a deletion that is not applied yet is younger than this step."""
    as_of_seconds: int | None = None
    """When the topic ended there, in seconds since the epoch; None: now."""


@dataclass(slots=True)
class Copy:
    """What the store has of a partition."""

    id: int
    next_offset: int | None
    """Where to go on reading the topic; None: from its beginning."""
    at_seconds: int
    """As of when it knows all deletions, in seconds since the epoch."""
    users: int = 0
    """How many users are identified at the present destination."""


class Store:
    """The identified users of all partitions that the member has, or had."""

    def __init__(
        self, folder: Path, destination: str, topic: str, age_seconds_max: float, set_aside: Callable[[str], None]
    ) -> None:
        """`topic`: which one the store follows, in words. `set_aside` gets a message for each renamed file."""
        self._destination = destination
        self._topic = topic
        self._age_seconds_max = age_seconds_max
        self._destination_ids: dict[str, int] = {}
        self._copies: dict[int, Copy] = {}
        self._partitions: dict[int, int] = {}
        """The partition of each copy, by the copy's id."""
        self._last_copy_id = 0
        self._swept_up: set[int] = set()
        """Copies whose rows are to be deleted."""
        self._sweep_from: str | None = None
        self._database = Database(folder, set_aside)
        try:
            self._read()
        except sqlite3.DatabaseError as error:
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
            if isinstance(error, sqlite3.OperationalError) and code != sqlite3.SQLITE_ERROR:
                self._database.do_without(error)  # a full or read-only disk: the file itself may be good
                self._read()
            else:  # SQLITE_ERROR: it has other tables than it should
                self.start_again(str(error))

    @property
    def path(self) -> Path | None:
        """The file's path; None: the database is a temporary one."""
        return self._database.path

    @property
    def name(self) -> str:
        """What to call it in messages."""
        return self._database.name

    # ------------------------------------------------------------------ partitions

    def follow(self, partition: int) -> int | None:
        """From which offset on to read the topic; None: from its beginning, also if the copy is too old."""
        copy = self._copies.get(partition)
        if copy is not None and copy.next_offset is not None and self.is_too_old(copy):
            told = "%s, partition %d: too old to know of every deletion; rebuilt"
            log.info(told, self._database.name, partition, extra=fields(Code.STATE_REBUILT))
            copy = None
        if copy is None:
            self.forget(partition)
        return self._copies[partition].next_offset

    def forget(self, partition: int) -> None:
        """Give the partition a new copy, with no users and no offset. The disk has it from the next write on."""
        if (old := self._copies.get(partition)) is not None:
            self._sweep_up(old.id)
        self._last_copy_id += 1
        self._keep(partition, Copy(self._last_copy_id, None, _now_seconds()))

    def copy_of(self, partition: int) -> Copy | None:
        """What the store has of a partition; None: nothing."""
        return self._copies.get(partition)

    def users(self, partition: int) -> int:
        """How many users of a partition are stored as identified."""
        copy = self._copies.get(partition)
        return 0 if copy is None else copy.users

    def _keep(self, partition: int, copy: Copy) -> None:
        self._copies[partition] = copy
        self._partitions[copy.id] = partition
        self._last_copy_id = max(self._last_copy_id, copy.id)

    def _sweep_up(self, copy_id: int) -> None:
        self._partitions.pop(copy_id, None)
        self._swept_up.add(copy_id)
        self._last_copy_id = max(self._last_copy_id, copy_id)
        self._sweep_from = None

    def is_too_old(self, copy: Copy) -> bool:
        """Whether the topic may have dropped a deletion that the copy does not know."""
        return not 0 <= _now_seconds() - copy.at_seconds < self._age_seconds_max

    # ------------------------------------------------------------------ who is identified

    def identified(self, users: Iterable[User]) -> dict[User, list[int]]:
        """User → the partitions in which they are identified, of those who are. Raises sqlite3.Error."""
        found: dict[User, list[int]] = {}
        asked: dict[bool, list[User]] = {False: [], True: []}
        for user in users:
            if "\0" not in user.id:
                asked[user.anonymous].append(user)
            elif partitions := self._where(user):
                found[user] = partitions
        for anonymous, wanted in asked.items():
            for start in range(0, len(wanted), QUERY_USERS_MAX):
                some = wanted[start : start + QUERY_USERS_MAX]
                for index, copy_id in self._found(some, anonymous=anonymous):
                    if (partition := self._partitions.get(copy_id)) is not None:
                        found.setdefault(some[index], []).append(partition)
        return found

    def identified_at(self, user: User) -> dict[str, dict[int, int]]:
        """Destination → partition → when a user was identified, in milliseconds. Raises sqlite3.Error."""
        found: dict[str, dict[int, int]] = {}
        for name, copy_id, at_ms in self._database.connection.execute(_IDENTIFIED_AT, (user.id, user.anonymous)):
            if (partition := self._partitions.get(copy_id)) is not None and not name.startswith(SOURCE_TOPIC):
                found.setdefault(name, {})[partition] = at_ms
        return found

    def beginning_with(self, partition: int, destination: str, prefix: str) -> set[str]:
        """The user ids of a partition at a destination that begin with the prefix. Raises sqlite3.Error."""
        copy = self._copies.get(partition)
        if copy is None:
            return set()
        asked = (prefix, prefix + "\uffff", destination, copy.id)
        return {user_id for (user_id,) in self._database.connection.execute(_BEGINNING_WITH, asked)}

    def _found(self, wanted: Sequence[User], *, anonymous: bool) -> Iterator[tuple[int, int]]:
        """Yield index in `wanted` and copy's id. All are in one row, since each row makes the thread wait its turn."""
        ids = msgspec.json.encode([user.id for user in wanted]).decode()
        asked = (ids, anonymous, self._destination_id)
        (text,) = self._database.connection.execute(_FOUND, asked).fetchone()
        for pair in text.split(",") if text else ():
            index, _, copy_id = pair.partition(" ")
            yield int(index), int(copy_id)

    def _where(self, user: User) -> list[int]:
        """The user's partitions, for an id with a NUL: sqlite takes a JSON text to end there (inserts.py)."""
        rows = self._database.connection.execute(_HAS, (user.id, user.anonymous, self._destination_id))
        return [self._partitions[copy_id] for (copy_id,) in rows if copy_id in self._partitions]

    # ------------------------------------------------------------------ writing

    def write(self, steps: Sequence[Step]) -> None:
        """Take steps of several partitions in one transaction: all or none. Raises sqlite3.Error."""
        now = _now_seconds()
        changed: list[int] = []
        try:
            with self._database.connection as connection:
                for step in steps:
                    changed.append(self._apply((copy := self._copies[step.partition]).id, step.changes))
                    row = (step.partition, copy.id, step.next_offset, _known_at(step, copy, now))
                    connection.execute("INSERT OR REPLACE INTO followed VALUES (?, ?, ?, ?)", row)
        except sqlite3.Error:
            self._destination_ids.clear()  # a new one was rolled back
            raise
        for step, change in zip(steps, changed, strict=True):
            copy = self._copies[step.partition]
            copy.users += change
            copy.next_offset, copy.at_seconds = step.next_offset, _known_at(step, copy, now)

    def _apply(self, copy_id: int, changes: Changes) -> int:
        """Write changes; gives by how many users the present destination has grown."""
        here: dict[int, list[User]] = {}
        """Users at the present destination by the time of their identify: most come a hundred at a time."""
        elsewhere: list[UserRow] = []
        removed: dict[bool, list[Row]] = {True: [], False: []}
        for (destination, user), identified_at_ms in changes.items():
            is_here = destination == self._destination
            if identified_at_ms is None:
                removed[is_here].append((user.id, user.anonymous, self._id_of(destination), copy_id))
            elif is_here:
                if (users := here.get(identified_at_ms)) is None:
                    users = here[identified_at_ms] = []
                users.append(user)
            else:
                elsewhere.append((user.id, user.anonymous, self._id_of(destination), copy_id, identified_at_ms))
        connection = self._database.connection
        change = insert_together(connection, self._destination_id, copy_id, here) - self._delete(removed[True])
        insert(connection, elsewhere)
        self._delete(removed[False])
        return change

    def _delete(self, rows: list[Row]) -> int:
        return self._database.connection.executemany(_DELETE, rows).rowcount if rows else 0

    def _id_of(self, destination: str) -> int:
        number = self._destination_ids.get(destination)
        if number is None:
            execute = self._database.connection.execute
            execute("INSERT OR IGNORE INTO destinations (name) VALUES (?)", (destination,))
            (number,) = execute("SELECT id FROM destinations WHERE name = ?", (destination,)).fetchone()
            assert isinstance(number, int)
            self._destination_ids[destination] = number
        return number

    # ------------------------------------------------------------------ sweeping

    @property
    def has_to_sweep(self) -> bool:
        """Whether there are rows of copies that no longer count."""
        return bool(self._swept_up)

    def sweep(self) -> None:
        """Look at the next rows, and delete those of copies that no longer count. Raises sqlite3.Error."""
        gone = ",".join(map(str, self._swept_up))
        start = self._sweep_from or ""
        with self._database.connection as connection:
            if self._sweep_from is None:  # before its rows: a copy is whole, or is none
                connection.execute(f"DELETE FROM followed WHERE copy_id IN ({gone})")  # noqa: S608  numbers
            ahead = "SELECT user_id FROM identified_users WHERE user_id > ? ORDER BY user_id LIMIT 1 OFFSET ?"
            row = connection.execute(ahead, (start, SWEEP_ROWS)).fetchone()
            until, end = ("", ()) if row is None else (" AND user_id < ?", row)
            connection.execute(
                f"DELETE FROM identified_users WHERE user_id >= ?{until} AND copy_id IN ({gone})",  # noqa: S608
                (start, *end),
            )
        if row is None:
            self._swept_up.clear()
            self._sweep_from = None
        else:
            self._sweep_from = row[0]

    # ------------------------------------------------------------------ the file

    def start_again(self, problem: str) -> None:
        """Set the file aside because of `problem`, and go on with an empty one, which follows nothing yet."""
        self._database.start_again(problem)
        try:
            self._read()
        except sqlite3.Error as error:
            self._database.do_without(error)
            self._read()

    def close(self) -> None:
        """Close the file."""
        self._database.connection.close()

    def _read(self) -> None:
        connection = self._database.connection
        self._destination_ids.clear()
        self._copies.clear()
        self._partitions.clear()
        self._swept_up.clear()
        self._sweep_from = None
        row = connection.execute("SELECT identity FROM state_topic").fetchone()
        if row is not None and row[0] != self._topic:
            raise sqlite3.DatabaseError(f"it follows {row[0]}, and not {self._topic}")
        if row is None:
            with connection:
                connection.execute("INSERT INTO state_topic VALUES (?)", (self._topic,))
        self._destination_id = self._id_of(self._destination)
        connection.commit()
        for partition, copy_id, next_offset, at_seconds in connection.execute("SELECT * FROM followed"):
            if not all(isinstance(value, int) for value in (next_offset, at_seconds, copy_id)):
                raise sqlite3.DatabaseError(f"it follows {partition} up to {next_offset!r}, as of {at_seconds!r}")
            self._keep(partition, Copy(copy_id, next_offset, at_seconds))
        for copy_id, destination, users in connection.execute(_COUNTS).fetchall():
            if (partition := self._partitions.get(copy_id)) is None:
                self._sweep_up(copy_id)
            elif destination == self._destination_id:
                self._copies[partition].users = users


def _known_at(step: Step, copy: Copy, now: int) -> int:
    as_of = now if step.as_of_seconds is None else max(step.as_of_seconds, copy.at_seconds)
    return as_of if step.at_end else copy.at_seconds


def _now_seconds() -> int:
    return int(time.time())
