"""CUSTOMFIT_STANDBY=all: keeps other members' partitions in our file, too, so that a takeover reads little.

This is the half that belongs to the state's thread, which alone writes the file. The other half reads (follower.py). A
partition is followed from where its copy in the file ends, and only while it is not ours: `leave` is called before our
own restore begins, `follow` after all that we knew of it is stored. What arrives late is recognized by the number in
`Following`.

A copy is trusted by the same rules as our own partitions. Users and offset are written together, and are of the same
topic. A copy that may have missed a deletion begins again. When a copy has reached an end that the leader named, it is
up to date as of when the leader was asked.

Standby comes last: it writes only when no restore has anything to do, and not while the disk is nearly full.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections import deque
from collections.abc import Callable, Mapping
from itertools import count
from typing import TYPE_CHECKING, Final, NamedTuple

from consumer.ports.state_figures import StandbyFigures
from consumer.state.follower import Follower, Following, Piece
from consumer.state.index import Index
from consumer.state.problems import Problems
from consumer.state.store import Copy, Step

if TYPE_CHECKING:
    from consumer.settings import Settings
    from consumer.state.topic import StateTopic

RETRY_SECONDS: Final = 10.0
TOUCH_SECONDS: Final = 60
"""How often an idle partition's copy notes that it is still up to date. A copy that has not done so for long begins
again."""
FREE_BYTES_MIN: Final = 256 * 1024 * 1024
"""Space on the disk that is kept for our own partitions."""


class End(NamedTuple):
    """Where a partition ended, and when that was asked, in seconds since the epoch."""

    offset: int
    asked_seconds: int


class Standby:
    """Decides which partitions are followed, and writes what is read of them."""

    def __init__(
        self, settings: Settings, index: Index, problems: Problems, ask: Callable[[Callable[[], None]], None]
    ) -> None:
        """`ask` runs a function in the state's thread; any thread may call it."""
        self.figures = StandbyFigures()
        self._index = index
        self._problems = problems
        self._follower = Follower(settings, ask, self, lambda error: problems.of_topic(error, "Read"))
        self._following: dict[int, Following] = {}
        self._numbers = count()
        self._ends: dict[int, End] = {}
        self._pieces: deque[Piece] = deque()
        self._partitions = 0
        self._is_over = False
        """Nothing is followed any more, until the process is started again."""
        self._is_another_topic = False
        self._retry_at = 0.0
        self._is_told = {"standby_not_read": "", "standby_not_stored": ""}

    def start(self, topic: StateTopic) -> None:
        """Follow all partitions; none is ours yet."""
        if self._has_file():
            self._follower.start(topic)
            self.topic_has(topic.partitions)

    def stop(self) -> None:
        """Follow nothing any more."""
        self._is_over = True
        self._follower.stop()

    # ------------------------------------------------------------------ they become ours, and cease to be

    def leave(self, number: int) -> None:
        """The partition becomes ours: nothing more is written of what was read by following it."""
        if self._following.pop(number, None) is not None:
            self._ends.pop(number, None)
            self._want()

    def follow(self, number: int) -> None:
        """The partition is not ours any more, and what we knew of it is in the file: follow it."""
        self._follow([number])

    def topic_has(self, partitions: int) -> None:
        """The topic has this many partitions: follow those that are new and not ours."""
        if partitions > self._partitions:
            new = [number for number in range(self._partitions, partitions) if number not in self._index.states]
            self._partitions = partitions
            self._follow(new)

    def start_over(self) -> None:
        """What was read is lost, or the file is another one: follow all from where their copies end."""
        self._pieces.clear()
        self._follower.taken()
        if self._has_file():
            self._follow(list(self._following))

    def made_again(self) -> None:
        """The topic is another one now: copies of the old one don't count, and nothing more is followed."""
        for number in self._following:
            self._index.store.forget(number)
        self._end()
        self._is_another_topic = True
        self._problem(
            "standby_not_read",
            f"{self._problems.topic} was deleted and made again; nothing more of it is followed. "
            "Start all members again",
        )

    def _follow(self, numbers: list[int]) -> None:
        if self._is_another_topic:
            for number in numbers:
                self._index.store.forget(number)
        if self._is_over:
            return
        for number in numbers:
            self._ends.pop(number, None)
            self._following[number] = Following(number, self._index.store.follow(number), next(self._numbers))
        self._want()

    def _want(self) -> None:
        self._follower.want(dict(self._following))
        self._show()

    def _has_file(self) -> bool:
        """Whether there is a file. Without one, copies would fill memory or the disk of temporary files."""
        if self._index.store.path is None and not self._is_over:
            self._end()
            self._problem("standby_not_stored", "there is no file for it: the state folder can't be used")
        return not self._is_over

    def _end(self) -> None:
        self._following.clear()
        self._ends.clear()
        self._pieces.clear()
        self.stop()

    # ------------------------------------------------------------------ what is read

    def take(self, pieces: list[Piece]) -> None:
        """Keep these until there is time to write them."""
        self._pieces.extend(pieces)

    def next_due(self) -> float:
        """When to write the next piece, in monotonic seconds; infinity: there is none."""
        return self._retry_at if self._pieces else float("inf")

    def go_on(self, now: float) -> None:
        """Write the next piece, if it is due. `now`: monotonic seconds."""
        if now < self.next_due():
            return
        if not self._write(self._pieces[0]):
            self._retry_at = now + RETRY_SECONDS
            return
        self._pieces.popleft()
        if not self._pieces:
            self._follower.taken()
            self._show()

    def _write(self, piece: Piece) -> bool:
        store = self._index.store
        steps: list[Step] = []
        records, unknown = 0, []
        for following, part in piece.items():
            copy = self._copy(following)
            if copy is None:
                continue
            if part.out_of_range:
                self._out_of_range(following.partition)
                continue
            if store.is_too_old(copy):
                self._begin_again(following.partition)
                continue
            records += part.records
            unknown += [part.unknown] if part.unknown is not None else []
            end = self._ends.get(following.partition)
            at_end = end is not None and part.next_offset >= end.offset
            as_of = None if end is None else end.asked_seconds
            steps.append(Step(following.partition, part.changes, part.next_offset, at_end, as_of))
        if not self._store(steps):
            return False
        self.figures = self.figures._replace(records=self.figures.records + records)
        for reason in unknown:
            self._problems.report("unknown_record", f"{self._problems.topic}: {reason}")
        return True

    def _copy(self, following: Following) -> Copy | None:
        """What the file has of the partition; None: it is not followed any more."""
        number = following.partition
        return self._index.store.copy_of(number) if self._following.get(number) == following else None

    def _store(self, steps: list[Step]) -> bool:
        store = self._index.store
        try:
            if steps and store.path is not None and shutil.disk_usage(store.path.parent).free < FREE_BYTES_MIN:
                raise OSError(f"less than {FREE_BYTES_MIN // 1024**2} MiB of the disk are free")  # noqa: TRY301
            if steps:
                store.write(steps)
        except (OSError, sqlite3.Error) as error:
            self._problem("standby_not_stored", f"{store.name}: {error}")
            return False
        if steps:
            self._works("standby_not_stored")
        return True

    def _out_of_range(self, number: int) -> None:
        self._problems.report(
            "set_aside",
            f"what {self._index.store.name} has of partition {number} is left out: {self._problems.topic} does not "
            "hold the offset where it would go on; all of that partition is followed again",
        )
        self._begin_again(number)

    def _begin_again(self, number: int) -> None:
        """Forget the partition's copy, and follow it from the beginning of the topic."""
        self._index.store.forget(number)
        self._follow([number])

    # ------------------------------------------------------------------ what is heard of the topic

    def ends_are(self, ends: Mapping[Following, int], asked_seconds: int) -> None:
        """Take where partitions ended at that time: copies that reach these ends were up to date then."""
        steps: list[Step] = []
        for following, offset in ends.items():
            if (copy := self._copy(following)) is None:
                continue
            self._ends[following.partition] = End(offset, asked_seconds)
            is_empty, have = copy.next_offset is None, copy.next_offset or 0
            if not is_empty and self._index.store.is_too_old(copy):
                self._begin_again(following.partition)
            elif have >= offset and (is_empty or asked_seconds - copy.at_seconds >= TOUCH_SECONDS):
                steps.append(Step(following.partition, {}, have, at_end=True, as_of_seconds=asked_seconds))
        self._store(steps)
        self._show()

    def not_read(self, problem: str) -> None:
        """The topic can't be read, for this reason; it is tried again."""
        self._problem("standby_not_read", problem)

    def read_again(self) -> None:
        """The topic can be read."""
        self._works("standby_not_read")

    def _problem(self, kind: str, detail: str) -> None:
        self._is_told[kind] = detail
        self._problems.report_once(kind, detail)
        self._show()

    def _works(self, kind: str) -> None:
        if self._is_told[kind]:
            self._is_told[kind] = ""
            self._problems.fixed(kind)
            self._show()

    def _show(self) -> None:
        self.figures = self.figures._replace(
            partitions=len(self._following),
            behind_records=self._behind(),
            problem="; ".join(filter(None, self._is_told.values())) or None,
        )

    def _behind(self) -> int | None:
        if self._ends.keys() != self._following.keys():
            return None
        copies = ((end.offset, self._index.store.copy_of(number)) for number, end in self._ends.items())
        return sum(max(offset - (copy.next_offset or 0), 0) for offset, copy in copies if copy is not None)
