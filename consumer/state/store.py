"""The local store of identified users: one sqlite file a source partition, plain tables that anyone can read.

It is a cache of the state topic that saves reading it all: it remembers up to which offset it has followed the topic,
in the same transaction as the users. A missing entry is safe, so the file may be lost; one that should be gone is not,
so a file counts only as long as the topic still holds every deletion since it was written.

A full disk or a locked file is given way to (a private temporary database); a corrupt or foreign file is set aside.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from consumer.sequencing.events import User
from consumer.state.records import StateKey

APPLICATION_ID: Final = 0x43_46_49_55  # "CFIU", in the file's header: whose file it is
SCHEMA_VERSION: Final = 2
QUERY_USERS_MAX: Final = 500

_SCHEMA: Final = """
CREATE TABLE destinations (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE identified_users (
    user_id TEXT NOT NULL,
    anonymous INTEGER NOT NULL,
    destination_id INTEGER NOT NULL REFERENCES destinations (id),
    identified_at_ms INTEGER NOT NULL,
    PRIMARY KEY (user_id, anonymous, destination_id)
) WITHOUT ROWID;
CREATE TABLE followed (topic TEXT NOT NULL, next_offset INTEGER NOT NULL, at_seconds INTEGER NOT NULL);
"""

_HAS: Final = "SELECT 1 FROM identified_users WHERE user_id = ? AND anonymous = ? AND destination_id = ?"
_FOUND: Final = """
SELECT group_concat(wanted.key) FROM json_each(?) AS wanted WHERE EXISTS (
    SELECT 1 FROM identified_users WHERE user_id = wanted.value AND anonymous = ? AND destination_id = ?)
"""

log = logging.getLogger("consumer.state")

Changes = Mapping[StateKey, int | None]
"""When each was identified, in milliseconds; None forgets."""


class Store:
    """The identified users of one partition. `set_aside` is called when a file had to be."""

    def __init__(
        self, path: Path, destination: str, topic: str, age_seconds_max: float, set_aside: Callable[[str], None]
    ) -> None:
        """`topic`: which topic of which cluster the store follows, in words."""
        self.path = path
        self._destination = destination
        self._topic = topic
        self._set_aside = set_aside
        self._destination_ids: dict[str, int] = {}
        self._is_temporary = False
        self._database = _open(path, self._move_aside)
        try:
            self._read(age_seconds_max)
        except sqlite3.DatabaseError as error:
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
            if isinstance(error, sqlite3.OperationalError) and code != sqlite3.SQLITE_ERROR:
                self._do_without(error)  # a full or read-only disk: the file itself may be good
            else:  # SQLITE_ERROR: it has other tables than it should
                self.start_again(str(error))

    def _read(self, age_seconds_max: float) -> None:
        self._destination_ids.clear()
        self._is_temporary = not self._database.execute("PRAGMA database_list").fetchone()[2]
        row = self._database.execute("SELECT topic, next_offset, at_seconds FROM followed").fetchone()
        if row is not None and not (isinstance(row[1], int) and isinstance(row[2], int)):  # sqlite takes any text there
            raise sqlite3.DatabaseError(f"it follows its topic up to {row[1]!r}, as of {row[2]!r}")
        if row is not None and row[0] != self._topic:
            raise sqlite3.DatabaseError(f"it follows {row[0]}, and not {self._topic}")
        self.next_offset: int | None = row[1] if row is not None and row[1] >= 0 else None
        """Where to go on reading the topic; None: from its beginning."""
        if row is None:
            with self._database:
                self._database.execute("INSERT INTO followed VALUES (?, -1, ?)", (self._topic, _now_seconds()))
        elif self.next_offset is not None and not 0 <= _now_seconds() - row[2] < age_seconds_max:
            log.info("%s is too old to know of every deletion since; it is rebuilt", self.path)
            self.clear()
        self._destination_id = self._id_of(self._destination)
        self._database.commit()
        self.users: int
        (self.users,) = self._database.execute(
            "SELECT count(*) FROM identified_users WHERE destination_id = ?", (self._destination_id,)
        ).fetchone()

    def identified(self, users: Iterable[User]) -> set[User]:
        """Those of `users` who are identified. Raises sqlite3.Error."""
        found: set[User] = set()
        asked: dict[bool, list[User]] = {False: [], True: []}
        for user in users:
            if "\0" not in user.id:
                asked[user.anonymous].append(user)
            elif self._has(user):
                found.add(user)
        for anonymous, wanted in asked.items():
            for start in range(0, len(wanted), QUERY_USERS_MAX):
                found.update(self._found(wanted[start : start + QUERY_USERS_MAX], anonymous=anonymous))
        return found

    def _found(self, wanted: Sequence[User], *, anonymous: bool) -> Iterator[User]:
        """In one row: each row that sqlite gives costs the thread the interpreter, and then the wait for it."""
        ids = msgspec.json.encode([user.id for user in wanted]).decode()
        (indexes,) = self._database.execute(_FOUND, (ids, anonymous, self._destination_id)).fetchone()
        return (wanted[int(index)] for index in indexes.split(",")) if indexes else iter(())

    def _has(self, user: User) -> bool:
        """For an id with a NUL, at which sqlite takes a text in JSON to end: it would be another user's."""
        return self._database.execute(_HAS, (*user, self._destination_id)).fetchone() is not None

    def write(self, changes: Changes, next_offset: int, *, at_end: bool) -> None:
        """Apply changes and how far the topic is followed, all or none. Raises sqlite3.Error.

        `at_end`: the topic ends there now, so that a deletion which is not applied yet is younger than this write.
        """
        added: dict[bool, list[tuple[str, bool, int, int]]] = {True: [], False: []}
        removed: dict[bool, list[tuple[str, bool, int]]] = {True: [], False: []}
        try:
            with self._database:
                for (destination, user), identified_at_ms in changes.items():
                    number, is_here = self._id_of(destination), destination == self._destination
                    if identified_at_ms is None:
                        removed[is_here].append((user.id, user.anonymous, number))
                    else:
                        added[is_here].append((user.id, user.anonymous, number, identified_at_ms))
                change = self._insert(added[True]) - self._delete(removed[True])
                self._insert(added[False])
                self._delete(removed[False])
                self._database.execute("UPDATE followed SET next_offset = ?", (next_offset,))
                if at_end:
                    self._database.execute("UPDATE followed SET at_seconds = ?", (_now_seconds(),))
        except sqlite3.Error:
            self._destination_ids.clear()  # a new one was rolled back
            raise
        self.users += change
        self.next_offset = next_offset

    def clear(self) -> None:
        """Nobody is identified and nothing of the topic is followed yet. Raises sqlite3.Error."""
        with self._database:
            self._database.execute("DELETE FROM identified_users")
            self._database.execute("UPDATE followed SET next_offset = -1, at_seconds = ?", (_now_seconds(),))
        self.next_offset = None
        self.users = 0

    def start_again(self, problem: str) -> None:
        """Set the file aside and go on with an empty one."""
        self._replace(problem)
        try:
            self._read(0.0)
        except sqlite3.Error as error:
            self._do_without(error)

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def _insert(self, rows: list[tuple[str, bool, int, int]]) -> int:
        if not rows:
            return 0
        return self._database.executemany("INSERT OR IGNORE INTO identified_users VALUES (?, ?, ?, ?)", rows).rowcount

    def _delete(self, rows: list[tuple[str, bool, int]]) -> int:
        if not rows:
            return 0
        delete = "DELETE FROM identified_users WHERE user_id = ? AND anonymous = ? AND destination_id = ?"
        return self._database.executemany(delete, rows).rowcount

    def _id_of(self, destination: str) -> int:
        number = self._destination_ids.get(destination)
        if number is None:
            self._database.execute("INSERT OR IGNORE INTO destinations (name) VALUES (?)", (destination,))
            (number,) = self._database.execute("SELECT id FROM destinations WHERE name = ?", (destination,)).fetchone()
            assert isinstance(number, int)
            self._destination_ids[destination] = number
        return number

    def _do_without(self, error: sqlite3.Error) -> None:
        log.error("%s can't be used (%s); its users are kept in a temporary file", self.path, error)
        self._database.close()
        self._database = _temporary()
        self._read(0.0)

    def _replace(self, problem: str) -> None:
        self._database.close()
        try:
            self._move_aside(problem)
            self._database = _open(self.path, self._move_aside)
        except OSError as error:
            log.error("%s can't be set aside (%s); its users are kept in a temporary file", self.path, error)
            self._database = _temporary()

    def _move_aside(self, problem: str) -> None:
        """Keep what can't be used under another name, and make way for a new file. A temporary one just goes."""
        if self._is_temporary:
            return
        aside = self.path.with_name(f"{self.path.name}.unusable-{time.time_ns()}")
        if self.path.exists():
            self.path.rename(aside)
        for suffix in ("-wal", "-shm"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
        self._set_aside(
            f"{self.path} is not a usable state file ({problem}); it is now {aside.name} and the state is read again"
        )


def _now_seconds() -> int:
    return int(time.time())


def _open(path: Path, move_aside: Callable[[str], None]) -> sqlite3.Connection:
    """The partition's database; a private temporary one where the file can't be used."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for _ in range(2):
            try:
                return _lock(path)
            except sqlite3.OperationalError as error:
                if getattr(error, "sqlite_errorcode", None) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                    log.warning("%s is in use by another process; its users are kept in a temporary file", path)
                else:
                    log.error("%s can't be opened (%s); its users are kept in a temporary file", path, error)
                return _temporary()
            except sqlite3.DatabaseError as error:
                move_aside(str(error))
    except OSError as error:
        log.error("%s can't be made (%s); its users are kept in a temporary file", path, error)
    return _temporary()


def _temporary() -> sqlite3.Connection:
    """In memory, and beyond a few megabytes in a file that sqlite deletes by itself."""
    return _create(sqlite3.connect("", isolation_level="IMMEDIATE"))


def _lock(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=0.0, isolation_level="IMMEDIATE", check_same_thread=True)
    try:
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute("BEGIN IMMEDIATE")
        (application_id,) = database.execute("PRAGMA application_id").fetchone()
        (version,) = database.execute("PRAGMA user_version").fetchone()
        (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables == 0:
            return _create(database)
        if application_id != APPLICATION_ID or version != SCHEMA_VERSION:
            raise sqlite3.DatabaseError(f"application id {application_id:#x}, version {version}")  # noqa: TRY301
        database.commit()
    except BaseException:
        database.close()
        raise
    return database


def _create(database: sqlite3.Connection) -> sqlite3.Connection:
    """All or none, so that a file whose making was cut short by a kill is empty, and not a stranger's."""
    database.executescript(
        f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA application_id = {APPLICATION_ID}; "
        f"PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
    )
    return database
