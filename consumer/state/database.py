"""Finds, locks and makes the file of the local store, and sets aside a file that can't be used.

A member has one file. Processes that share a folder each take the first file that no other has locked; the locks are
sqlite's. A file that is damaged, or of another program or version, is renamed, not deleted. If no file can be opened, a
private temporary database is used.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from consumer.log_codes import Code, fields

APPLICATION_ID: Final = 0x43_46_49_55  # "CFIU", in the file's header: whose file it is
SCHEMA_VERSION: Final = 3
FILE_A_PARTITION_VERSIONS: Final = frozenset({1, 2})
"""These versions had a file for each partition. The state is read from its topic instead, so those files only take
space."""
PROCESSES_MAX: Final = 64
"""How many processes that share a folder can find a file each."""

_SCHEMA: Final = """
CREATE TABLE state_topic (identity TEXT NOT NULL);
CREATE TABLE followed (
    partition INTEGER PRIMARY KEY, copy_id INTEGER NOT NULL, next_offset INTEGER NOT NULL, at_seconds INTEGER NOT NULL
);
CREATE TABLE destinations (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE identified_users (
    user_id TEXT NOT NULL,
    anonymous INTEGER NOT NULL,
    destination_id INTEGER NOT NULL REFERENCES destinations (id),
    copy_id INTEGER NOT NULL,
    identified_at_ms INTEGER NOT NULL,
    PRIMARY KEY (user_id, anonymous, destination_id, copy_id)
) WITHOUT ROWID;
CREATE VIEW users AS
    SELECT partition, destinations.name AS destination, user_id, anonymous, identified_at_ms
    FROM identified_users JOIN followed USING (copy_id) JOIN destinations ON destinations.id = destination_id;
"""

log = logging.getLogger("consumer.state")


def file_of(folder: Path, number: int) -> Path:
    """The path of the file with this number. Of processes that share a folder, the first has 1."""
    return folder / f"identified-users-{number}.sqlite"


class Database:
    """A connection to the member's file. If the file can't be used any more, another takes its place."""

    def __init__(self, folder: Path, set_aside: Callable[[str], None]) -> None:
        """`set_aside` gets a message for each file that had to be renamed."""
        self._folder = folder
        self._set_aside = set_aside
        self.path: Path | None = None
        """None: the database is a temporary one."""
        self.connection = self._open()

    @property
    def name(self) -> str:
        """What to call it in messages."""
        return str(self.path or "a temporary file")

    def start_again(self, problem: str) -> None:
        """Set the file aside because of `problem`, and go on with an empty one."""
        self.connection.close()
        try:
            if self.path is not None:
                self._move_aside(self.path, problem)
            self.connection = self._open()
        except OSError as error:
            _say_unusable("%s can't be set aside (%s)", self.name, error)
            self.path, self.connection = None, _temporary()

    def do_without(self, error: sqlite3.Error) -> None:
        """Go on with a temporary database. The file may be good, so it is left as it is."""
        _say_unusable("%s can't be used (%s)", self.name, error)
        self.connection.close()
        self.path, self.connection = None, _temporary()

    def _open(self) -> sqlite3.Connection:
        """Open the first file that no other process has; a temporary database if none can be used."""
        self.path = None
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            for number in range(1, PROCESSES_MAX + 1):
                path = file_of(self._folder, number)
                connection = self._lock_or_make(path)
                if connection is not None:
                    self.path = path
                    return connection
                log.info("%s is in use by another process", path, extra=fields(Code.STATE_FILE_TAKEN))
        except OSError as error:
            _say_unusable("%s can't be made (%s)", self._folder, error)
        except sqlite3.OperationalError as error:
            _say_unusable("no file in %s can be opened (%s)", self._folder, error)
        return _temporary()

    def _lock_or_make(self, path: Path) -> sqlite3.Connection | None:
        """Lock a file, or make it. None: another process has it. Raises sqlite3.OperationalError, OSError."""
        try:
            return _lock(path)
        except sqlite3.OperationalError as error:
            if _is_busy(error):
                return None
            raise
        except sqlite3.DatabaseError as error:
            self._move_aside(path, str(error))
            return _lock(path)

    def _move_aside(self, path: Path, problem: str) -> None:
        """Rename a file that can't be used, to make way for a new one."""
        aside = path.with_name(f"{path.name}.unusable-{time.time_ns()}")
        if path.exists():
            path.rename(aside)
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        self._set_aside(
            f"{path} is not a usable state file ({problem}); it is now {aside.name} and the state is read again"
        )


def remove_file_a_partition(folder: Path, topic: str) -> None:
    """Remove the files of an earlier version, which had one for each partition. Files in use are left alone."""
    removed = 0
    for path in sorted(folder.glob("*.sqlite")):
        name, _, number = path.name.removesuffix(".sqlite").rpartition("-")
        if name != topic or not number.isdecimal() or not _is_of_earlier_version(path):
            continue
        for suffix in ("", "-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        removed += 1
    if removed:
        told = "%s: %d files of an earlier version were removed; the state is read from its topic"
        log.info(told, folder, removed, extra=fields(Code.STATE_FILES_REMOVED))


def _is_of_earlier_version(path: Path) -> bool:
    try:
        connection = sqlite3.connect(path, timeout=0.0, isolation_level=None)
        try:
            connection.execute("BEGIN IMMEDIATE")
            (application_id,) = connection.execute("PRAGMA application_id").fetchone()
            (version,) = connection.execute("PRAGMA user_version").fetchone()
        finally:
            connection.close()
    except sqlite3.Error:
        return False
    return application_id == APPLICATION_ID and version in FILE_A_PARTITION_VERSIONS


def _is_busy(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorcode", None) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _say_unusable(told: str, what: object, error: Exception) -> None:
    told += "; its users are kept in a temporary file"
    log.error(told, what, error, extra=fields(Code.STATE_FILE_UNUSABLE))


def _temporary() -> sqlite3.Connection:
    """A database in memory; beyond a few megabytes, sqlite puts it into a file that it deletes by itself."""
    return _create(sqlite3.connect("", isolation_level="IMMEDIATE"))


def _lock(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=0.0, isolation_level="IMMEDIATE", check_same_thread=True)
    try:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("BEGIN IMMEDIATE")
        (application_id,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables == 0:
            return _create(connection)
        if application_id != APPLICATION_ID or version != SCHEMA_VERSION:
            raise sqlite3.DatabaseError(f"application id {application_id:#x}, version {version}")  # noqa: TRY301
        connection.commit()
    except BaseException:
        connection.close()
        raise
    return connection


def _create(connection: sqlite3.Connection) -> sqlite3.Connection:
    """Make all tables in one transaction: a file whose process is killed meanwhile is empty, and can be used."""
    connection.executescript(
        f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA application_id = {APPLICATION_ID}; "
        f"PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
    )
    return connection
