"""What the emulator has accepted, in order, and what that says about the promise.

Entries are kept as the JSON lines they are shown as: a million of them is then a million byte strings, which cost a
quarter of the objects and nothing at garbage collection. With a file, each line is written before its request is
answered, so that the file knows at least what the sender was told; starting again on that file carries on from it.
"""

from __future__ import annotations

import os
import stat
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Final

import msgspec

from consumer.emulator.contents import Contents
from consumer.emulator.contract import KINDS, Call
from consumer.emulator.entry import LINE_STARTS, Entry, from_line, to_line
from consumer.emulator.profiles import Limits, Profiles

EVENTS_MAX: Final = 1_000_000
USERS_MAX: Final = 5_000_000
LINE_BYTES_MAX: Final = 16 * 1024 * 1024


class LedgerFileError(Exception):
    """The ledger file can't be carried on; the text says why. Nothing of it was changed."""


class Ledger:
    """Entries and counters. May be read from other threads than the one that writes it."""

    def __init__(
        self,
        *,
        events_max: int = EVENTS_MAX,
        users_max: int = USERS_MAX,
        file: Path | None = None,
        profile_limits: Limits | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        assert events_max > 0
        self._lock = threading.RLock()  # whoever looks at profiles also asks who is identified
        self._events_max = events_max
        self._users_max = users_max
        self._clock = clock
        self._contents = Contents()
        self._profiles = Profiles(profile_limits)
        self._forget()
        self._file: int | None = None
        if file is not None:
            self._open(file)

    def accept(self, call: Call, *, answered: bool) -> bool:
        """Record an accepted request, in the file first. True: it came before an identify of its user.

        OSError: the file did not take it, and nothing was recorded.
        """
        with self._lock:
            entry = Entry(
                self._sequence + 1,
                round(self._clock(), 3),
                call.user_id,
                call.anonymous,
                call.dialect,
                call.kinds,
                call.names,
                call.insert_ids,
                call.identify,
                answered,
            )
            line = to_line(entry)
            if self._file is not None:
                _write(self._file, line + b"\n")
            contents, contents_bytes = self._contents.keep(entry.sequence, call.properties)
            if self._profiles.limits.users_max:
                self._profiles.keep(entry, line, contents, contents_bytes, call.timestamps)
            return self._count(entry, line)

    def refuse(self, status: int) -> None:
        """Count a request that was answered with something other than 2xx."""
        with self._lock:
            self._refused[status] += 1

    def drop(self, cause: str) -> None:
        """Count a request that was neither accepted nor answered."""
        with self._lock:
            self._dropped[cause] += 1

    @property
    def sequence(self) -> int:
        """The sequence number of the newest entry; 0: none yet."""
        return self._sequence

    def now(self) -> float:
        """The time, by the clock of the entries."""
        return self._clock()

    def summary(self) -> dict[str, Any]:
        """All counters, and how well they keep the promise."""
        with self._lock:
            return {
                "requests": self._sequence + self._refused.total() + self._dropped.total(),
                "accepted": self._sequence,
                "answers_lost": self._answers_lost,
                "refused": {str(status): count for status, count in sorted(self._refused.items())},
                "dropped": dict(sorted(self._dropped.items())),
                "events": sum(self._events.values()),
                "events_by_kind": dict(self._events),
                "introductions": self._introductions,
                "users": len(self._users),
                "users_identified": self._users_identified,
                "users_not_followed": self._users_not_followed,
                "identifies_first_violations": self._violations[False],
                "identifies_first_violations_anonymous": self._violations[True],
                "duplicate_insert_ids": self._duplicates,
                "entries": len(self._entries),
                "entries_fallen_out": self._sequence - len(self._entries),
            }

    def entries(self, *, after: int = 0, limit: int | None = None) -> list[Entry]:
        """The kept entries with a sequence number above `after`, oldest first."""
        return [from_line(line) for line in self.lines(after=after, limit=limit)]

    def lines(self, *, after: int = 0, limit: int | None = None) -> list[bytes]:
        """The same entries as JSON text."""
        with self._lock:
            first = self._sequence - len(self._entries)
            start = max(after - first, 0)
            stop = None if limit is None else start + max(limit, 0)
            return list(islice(self._entries, start, stop))

    def last(self, limit: int, *, user_id: str | None = None) -> list[tuple[Entry, tuple[bytes | None, ...] | None]]:
        """The newest entries, of everybody or of one user, oldest first, each with its contents if they are kept."""
        # Quotes inside of text are escaped, so these bytes stand nowhere but at the entry's own user.
        its_user = b"" if user_id is None else b'"user_id":%b,' % to_line(user_id)
        with self._lock:
            newest = islice((line for line in reversed(self._entries) if its_user in line), limit)
            entries = [from_line(line) for line in newest]
            return [(entry, self._contents.of(entry.sequence)) for entry in reversed(entries)]

    def identified(self, user_id: str, *, anonymous: bool = False) -> bool:
        """Whether the 2xx to an identify of this user was handed over."""
        with self._lock:
            return self._users.get((user_id, anonymous), False)

    @contextmanager
    def profiles(self) -> Iterator[Profiles]:
        """What is kept of each user. Nothing changes while the context lasts."""
        with self._lock:
            yield self._profiles

    def clear(self) -> None:
        """Forget everything, in the file too."""
        with self._lock:
            if self._file is not None:
                os.ftruncate(self._file, 0)
            self._forget()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._file is not None:
                os.close(self._file)
                self._file = None

    def _forget(self) -> None:
        self._contents.clear()
        self._profiles.clear()
        self._sequence = 0
        self._entries: deque[bytes] = deque(maxlen=self._events_max)
        self._refused: Counter[int] = Counter()
        self._dropped: Counter[str] = Counter()
        self._answers_lost = 0
        self._events: dict[str, int] = dict.fromkeys(KINDS, 0)
        self._introductions = 0
        # User → identified. A userId and an anonymousId with the same text are two users.
        self._users: dict[tuple[str, bool], bool] = {}
        self._users_identified = 0
        self._users_not_followed = 0
        self._violations = {False: 0, True: 0}
        self._duplicates = 0
        # Two generations of insert ids: the last `events_max` are always known, and never more than twice that.
        self._insert_ids: set[str] = set()
        self._insert_ids_before: set[str] = set()

    def _count(self, entry: Entry, line: bytes) -> bool:
        assert entry.sequence == self._sequence + 1
        self._sequence = entry.sequence
        self._entries.append(line)
        self._answers_lost += not entry.answered
        for kind in entry.kinds:
            self._events[kind] += 1
        for insert_id in entry.insert_ids:
            self._count_insert_id(insert_id)
        return self._count_user(entry)

    def _count_insert_id(self, insert_id: str) -> None:
        if insert_id in self._insert_ids or insert_id in self._insert_ids_before:
            self._duplicates += 1
            return
        if len(self._insert_ids) >= self._events_max:
            self._insert_ids_before, self._insert_ids = self._insert_ids, set()
        self._insert_ids.add(insert_id)

    def _count_user(self, entry: Entry) -> bool:
        user = (entry.user_id, entry.anonymous)
        identified = self._users.get(user)
        if identified is None:
            if len(self._users) >= self._users_max:
                self._users_not_followed += 1
                return False
            identified = self._users[user] = False
        if entry.identify is not None:
            self._introductions += entry.identify == "introduction"
            # The promise counts the answer: an identify whose 2xx was lost has to be sent again.
            if entry.answered and not identified:
                self._users[user] = True
                self._users_identified += 1
            return False
        if identified:
            return False
        self._violations[entry.anonymous] += len(entry.kinds)
        return True

    def _open(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            self._carry_on(path)
        except BaseException:
            self.close()
            raise

    def _carry_on(self, path: Path) -> None:
        assert self._file is not None
        if not stat.S_ISREG(os.fstat(self._file).st_mode):
            raise LedgerFileError(f"{path} is not a regular file")
        whole_bytes = 0
        with path.open("rb") as lines:
            while line := lines.readline(LINE_BYTES_MAX):
                if not line.endswith(b"\n") and line.startswith(LINE_STARTS[: len(line)]):
                    break  # torn by a death in the middle of a write: its request was never answered
                try:
                    entry = from_line(line)
                except (msgspec.DecodeError, UnicodeDecodeError) as error:
                    raise LedgerFileError(f"{path}, line {self._sequence + 1}: not a ledger entry: {error}") from None
                if entry.sequence != self._sequence + 1:
                    raise LedgerFileError(f"{path}, line {self._sequence + 1}: its sequence is {entry.sequence}")
                line = line[:-1]
                if self._profiles.limits.users_max:
                    self._profiles.keep(entry, line, None, 0, ())
                self._count(entry, line)
                whole_bytes += len(line) + 1
        os.ftruncate(self._file, whole_bytes)


def _write(file: int, line: bytes) -> None:
    """Write all of the line or raise. A part that was written is taken back, so that the next line starts a line."""
    end = os.fstat(file).st_size
    view = memoryview(line)
    try:
        while view:
            view = view[os.write(file, view) :]
    except OSError:
        os.ftruncate(file, end)
        raise
