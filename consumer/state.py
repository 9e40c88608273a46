"""The state edge: who is identified, in one sqlite file a source partition, owned by one thread.

A missing entry costs one extra identify without properties, never a track before its identify. So the store may be
lost, rolled back or ignored: a full disk is an error metric, a locked file is left to its owner, a corrupt one is set
aside. An entry counts only for the destination that accepted the identify.
"""

from __future__ import annotations

import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from consumer.actions import Forget, Remember
from consumer.events import Partition, User
from consumer.inputs import LookedUp, Post, StateOpened, StateWritten, ThreadEnded
from consumer.lanes import Lane

APPLICATION_ID: Final = 0x43_46_49_55  # "CFIU", in the file's header: whose file it is
SCHEMA_VERSION: Final = 1
QUERY_USERS_MAX: Final = 500

_SCHEMA: Final = """
CREATE TABLE destinations (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE identified_users (
    user_id TEXT NOT NULL,
    anonymous INTEGER NOT NULL,
    destination_id INTEGER NOT NULL REFERENCES destinations (id),
    identified_at INTEGER NOT NULL,
    PRIMARY KEY (user_id, anonymous, destination_id)
) WITHOUT ROWID;
"""

log = logging.getLogger("consumer.state")


class Store:
    """The identified users of one partition for one destination."""

    def __init__(self, path: Path, destination: str) -> None:
        self.path = path
        self._destination = destination
        self._database = _open(path)
        try:
            self._read(destination)
        except sqlite3.DatabaseError as error:
            self._database.close()
            if isinstance(error, sqlite3.OperationalError):  # a full or read-only disk: the file itself may be good
                log.error("%s can't be used (%s); identified users are kept in memory only", path, error)
                self._database = _in_memory()
            else:
                _set_aside(path, error)
                self._database = _open(path)
            self._read(destination)

    def _read(self, destination: str) -> None:
        self._database.execute("INSERT OR IGNORE INTO destinations (name) VALUES (?)", (destination,))
        (self._destination_id,) = self._database.execute(
            "SELECT id FROM destinations WHERE name = ?", (destination,)
        ).fetchone()
        self._database.commit()
        (self.users,) = self._database.execute(
            "SELECT count(*) FROM identified_users WHERE destination_id = ?", (self._destination_id,)
        ).fetchone()

    def identified(self, users: Iterable[User]) -> set[User]:
        """Those of `users` who are identified."""
        wanted = sorted(users)
        found: set[User] = set()
        for start in range(0, len(wanted), QUERY_USERS_MAX):
            part = wanted[start : start + QUERY_USERS_MAX]
            marks = ",".join("?" * len(part))
            rows = self._database.execute(
                # Only question marks are put into the text.
                f"SELECT user_id, anonymous FROM identified_users WHERE user_id IN ({marks}) AND destination_id = ?",  # noqa: S608
                [*(user.id for user in part), self._destination_id],
            )
            found.update(User(user_id, bool(anonymous)) for user_id, anonymous in rows)
        return found.intersection(wanted)

    def write(self, changes: Sequence[tuple[User, bool]]) -> None:
        """Apply changes in order, all or none; (user, False) forgets. Raises sqlite3.Error."""
        now = int(time.time())
        added = 0
        with self._database:
            for user, identified in changes:
                if identified:
                    row = (user.id, user.anonymous, self._destination_id, now)
                    added += self._database.execute(
                        "INSERT OR IGNORE INTO identified_users VALUES (?, ?, ?, ?)", row
                    ).rowcount
                else:
                    key = (user.id, user.anonymous, self._destination_id)
                    added -= self._database.execute(
                        "DELETE FROM identified_users WHERE user_id = ? AND anonymous = ? AND destination_id = ?", key
                    ).rowcount
        self.users += added

    def start_anew(self, error: sqlite3.Error) -> None:
        """Set the file aside and go on with nobody identified, in memory. Raises OSError; then nothing is changed.

        For a user that could not be forgotten: a missing entry costs an introduction, one too many breaks the promise.
        """
        _set_aside(self.path, error)
        self._database.close()
        self._database = _in_memory()
        self._read(self._destination)

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()


def _open(path: Path) -> sqlite3.Connection:
    """The partition's database; a private one in memory where the file can't be used."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        log.error(
            "the state folder %s can't be made (%s); identified users are kept in memory only", path.parent, error
        )
        return _in_memory()
    for _ in range(2):
        try:
            return _lock(path)
        except sqlite3.OperationalError as error:
            if getattr(error, "sqlite_errorcode", None) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                log.warning("%s is in use by another process; identified users are kept in memory only", path)
            else:
                log.error("%s can't be opened (%s); identified users are kept in memory only", path, error)
            break
        except sqlite3.DatabaseError as error:
            _set_aside(path, error)
    return _in_memory()


def _in_memory() -> sqlite3.Connection:
    return _create(sqlite3.connect(":memory:", isolation_level="IMMEDIATE"))


def _set_aside(path: Path, error: sqlite3.Error) -> None:
    """Keep what can't be used under another name, and make way for a new file."""
    aside = path.with_name(f"{path.name}.unusable-{time.time_ns()}")
    log.error(
        "%s is not a usable state file (%s); it is now %s, and identified users are learned anew",
        path,
        error,
        aside.name,
    )
    if path.exists():
        path.rename(aside)
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


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
    database.executescript(
        f"{_SCHEMA} PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION}; "
    )
    database.commit()
    return database


class UserStates:
    """The stores of the assigned partitions, behind a thread that does what it is asked in the order asked."""

    def __init__(self, folder: Path, destination: str, post: Post) -> None:
        self._folder = folder
        self._destination = destination
        self._post = post
        self._stores: dict[Partition, Store] = {}
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="state", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Finish what was asked, close the files, end the thread."""
        self._work.put(None)
        self._thread.join()

    def open(self, partition: Partition) -> None:
        """Make a partition's state ready; `StateOpened` follows."""
        self._work.put(lambda: self._open(partition))

    def close(self, partition: Partition) -> None:
        """Let go of a partition's state."""
        self._work.put(lambda: self._close(partition))

    def look_up(self, users: Mapping[Partition, Mapping[User, bool]]) -> None:
        """Ask who is identified; `LookedUp` follows. The flag: ask the other stores too, if the own one says no."""
        self._work.put(lambda: self._look_up(users))

    def write(self, actions: Sequence[Remember | Forget]) -> None:
        """Write changes; `StateWritten` follows."""
        self._work.put(lambda: self._write(actions))

    # ------------------------------------------------------------------ the thread

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            while (work := self._work.get()) is not None:
                work()
        except BaseException as problem:  # noqa: BLE001  the loop decides; a thread that dies silently would be a hang
            error = problem
        for store in self._stores.values():
            store.close()
        self._post(ThreadEnded("state", error))

    def _open(self, partition: Partition) -> None:
        store = self._stores.get(partition)
        if store is None:
            store = self._stores[partition] = Store(self._folder / f"{partition}.sqlite", self._destination)
        self._post(StateOpened(partition, store.users))

    def _close(self, partition: Partition) -> None:
        store = self._stores.pop(partition, None)
        if store is not None:
            store.close()

    def _look_up(self, questions: Mapping[Partition, Mapping[User, bool]]) -> None:
        answers: dict[Partition, set[User]] = {}
        for partition, users in questions.items():
            own = self._stores.get(partition)
            found = _ask(own, users)
            missing = {user for user, elsewhere in users.items() if elsewhere and user not in found}
            for store in self._stores.values():
                if not missing:
                    break
                if store is not own:
                    there = _ask(store, missing)
                    found |= there
                    missing -= there
            answers[partition] = found
        self._post(LookedUp(answers))

    def _write(self, actions: Sequence[Remember | Forget]) -> None:
        changes: dict[Partition, list[tuple[User, bool]]] = {}
        lanes: list[Lane] = []
        for action in actions:
            lane = action.lane
            lanes.append(lane)
            changes.setdefault(lane.assignment.partition, []).append((lane.user, isinstance(action, Remember)))
        problem: str | None = None
        for partition, users in changes.items():
            store = self._stores.get(partition)
            if store is not None:
                problem = _write(store, users) or problem
        counts = {partition: self._stores[partition].users for partition in changes if partition in self._stores}
        self._post(StateWritten(lanes, problem, counts))


def _write(store: Store, users: Sequence[tuple[User, bool]]) -> str | None:
    """Write, or make sure that nobody who is to be forgotten stays known; gives what went wrong, for people."""
    try:
        store.write(users)
    except sqlite3.Error as error:
        if not all(identified for _, identified in users):
            store.start_anew(error)
            store.write(users)
        return f"{store.path.name}: {error}"
    return None


def _ask(store: Store | None, users: Iterable[User]) -> set[User]:
    if store is None:
        return set()
    try:
        return store.identified(users)
    except sqlite3.Error as error:
        log.error("%s can't be read (%s); its users are introduced again", store.path.name, error)
        return set()
