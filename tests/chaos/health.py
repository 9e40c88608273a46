"""The health oracle: what members say of themselves, against what is known without them.

A partition makes progress when one of its events ends or its committed offset moves. Whenever one has had records to
read or unfinished events and no progress for 30 s, its owner's word is not `ready`, and names the partition. When
everything has flowed for 30 s it is `ready`. One user who fails alone is no cause: they are counted, in a metric.
"""

from __future__ import annotations

import bisect
import heapq
import itertools
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from tests.chaos.book import GAP_SECONDS, Book
from tests.chaos.evidence import Health, Produced
from tests.chaos.findings import Column, Finding
from tests.chaos.lives import life_of_offset
from tests.chaos.records import DEAD, DELIVERED, TOPIC

STALL_SECONDS: Final = 30.0
SAYING_SECONDS: Final = 5.0
"""So much later it is said: the loop turns each second, answers and samples take their time."""
WINDOW_SECONDS: Final = STALL_SECONDS + SAYING_SECONDS
FLOWING_SECONDS: Final = 5.0
"""What waits no longer than this flows."""
RETRYING_SECONDS: Final = 3.0
READY: Final = "ready"
STARTING: Final = "starting"
OBVIOUS: Final = ("user.",)
"""Faults that are no reason for anybody not to be ready. A visitor's rebalance may hold up commits for a moment."""


@dataclass(slots=True)
class Waiting:
    """The records of one partition that are neither delivered nor dead letters, as of moments that only rise."""

    left: list[tuple[float, float, str, int]]
    """When produced, when ended, user, life; the last produced first."""
    lines: dict[str, list[tuple[float, float, int]]] = field(default_factory=dict)
    """The same by user, "" for all who never fail alone: heaps."""

    def oldest(self, at: float, life: int, alone: frozenset[str], ever_alone: frozenset[str]) -> tuple[float, float]:
        """When the oldest that waits was produced: of those who fail alone now, of all others; infinite for none."""
        while self.left and self.left[-1][0] <= at:
            produced_at, ended_at, user, its_life = self.left.pop()
            line = self.lines.setdefault(user if user in ever_alone else "", [])
            heapq.heappush(line, (produced_at, ended_at, its_life))
        theirs = others = math.inf
        for user, line in self.lines.items():
            while line and (line[0][1] <= at or line[0][2] != life):
                heapq.heappop(line)
            if line and user in alone:
                theirs = min(theirs, line[0][0])
            elif line:
                others = min(others, line[0][0])
        return theirs, others


class Oracle:
    """Judges every sample; what it counts is in `counts`, what is wrong in what `findings` gives."""

    def __init__(self, book: Book) -> None:
        self.counts: Counter[str] = Counter()
        self._book = book
        evidence = book.evidence
        self._waiting = {p: Waiting(left) for p, left in _by_partition(book, evidence.produced).items()}
        self._progress = _progress(book)
        self._failures, self._successes = _times_of_users(book)
        self._ever_alone = frozenset(self._failures)
        self._owners_at = [owners.answered_at for owners in evidence.owners]
        self._unflowed_at: dict[int, float] = defaultdict(lambda: -math.inf)
        self._disturbed = sorted(_disturbances(book))

    def findings(self) -> Iterator[Finding]:
        """What was said wrongly, once for each spell of it."""
        said: dict[tuple[str, str], float] = {}
        for sample in sorted(self._book.evidence.health):
            for key, text in self._judge(sample):
                if sample.at - said.get((sample.member, key), -math.inf) > WINDOW_SECONDS:
                    yield Finding(Column.HEALTH, f"{sample.member} at {sample.at:.3f} is {sample.word!r}: {text}")
                said[sample.member, key] = sample.at

    def _judge(self, sample: Health) -> Iterator[tuple[str, str]]:
        at, life = sample.at, sum(later.deleted_at <= sample.at for later in self._book.evidence.later_lives)
        alone = self._alone(at)
        ages: dict[int, tuple[float, float]] = {}
        for partition, waiting in self._waiting.items():
            theirs, others = waiting.oldest(at, life, alone, self._ever_alone)
            ages[partition] = at - theirs, at - others
            if at - others > FLOWING_SECONDS:
                self._unflowed_at[partition] = at
        owned = self._owned(sample.member, at)
        if owned is None or self._is_disturbed(at, sample.member, itself=True):
            return
        for partition in sorted(owned):
            yield from self._judge_partition(sample, partition, *ages.get(partition, (-math.inf, -math.inf)))
        yield from self._judge_retrying(sample, owned)
        is_flowing = all(at - self._unflowed_at[partition] > WINDOW_SECONDS for partition in owned)
        if is_flowing and not self._is_disturbed(at, sample.member, itself=False):
            if not owned and sample.word == STARTING and self._group_waits(at):
                self.counts["waiting for the group"] += 1
                return
            self.counts["flowing"] += 1
            if sample.word != READY:
                yield "flowing", f"everything has flowed for {STALL_SECONDS:g} s, and it says {_short(sample.reasons)}"

    def _group_waits(self, at: float) -> bool:
        """Whether the group may wait for the session of a dead member: of one that died while it joined, twice."""
        book = self._book
        return any(i.begins <= at <= i.ends + book.session_seconds for i in book.held_up)

    def _judge_partition(
        self, sample: Health, partition: int, theirs: float, others: float
    ) -> Iterator[tuple[str, str]]:
        """`theirs`, `others`: how long the oldest record has waited, of those who fail alone and of all others."""
        progress = self._progress.get(partition, [])
        index = bisect.bisect_right(progress, sample.at)
        still_seconds = sample.at - progress[index - 1] if index else math.inf
        if still_seconds <= WINDOW_SECONDS:
            return
        if others <= WINDOW_SECONDS:
            self.counts["stalled by one user"] += theirs > WINDOW_SECONDS
            return
        self.counts["stalled"] += 1
        named = any(re.search(rf"\b{TOPIC}-{partition}\b", reason) for reason in sample.reasons)
        if sample.word == READY or not named:
            what = f"{TOPIC}-{partition} waits for {others:.0f} s, without progress for {still_seconds:.0f} s"
            yield f"stalled {partition}", f"{what}, and it says {_short(sample.reasons)}"

    def _judge_retrying(self, sample: Health, owned: Iterable[int]) -> Iterator[tuple[str, str]]:
        """A user of ours who fails alone is counted."""
        since = sample.at - RETRYING_SECONDS
        recent = {
            one.user
            for one in self._book.evidence.alone
            if since - 10 < one.at < since and one.sender == sample.member and one.status != 400
        }
        if recent & self._alone(sample.at) and any(True for _ in owned):
            self.counts["users that failed alone"] += 1
            if not sample.retrying:
                yield (
                    "retrying",
                    f"{', '.join(sorted(recent))} fails alone, and customfit_users_retrying is {sample.retrying}",
                )

    def _alone(self, at: float) -> frozenset[str]:
        """Users whose last request failed because of them."""
        return frozenset(
            user for user, times in self._failures.items() if _last(times, at) > _last(self._successes[user], at)
        )

    def _owned(self, member: str, at: float) -> frozenset[int] | None:
        """What the member has had all the time of the window; None where that is not known."""
        first, last = (bisect.bisect_right(self._owners_at, moment) for moment in (at - WINDOW_SECONDS, at))
        samples = self._book.evidence.owners[first:last]
        times = [at - WINDOW_SECONDS, *(sample.answered_at for sample in samples), at]
        if any(after - before > GAP_SECONDS for before, after in itertools.pairwise(times)):
            return None
        before = {frozenset(p for p, owner in sample.members.items() if owner == member) for sample in samples}
        return before.pop() if len(before) == 1 else None

    def _is_disturbed(self, at: float, member: str, *, itself: bool) -> bool:
        """Whether something was wrong within the window: with its process, or with anything."""
        slot = member.partition(".")[0]
        for begins, ends, whose, what in self._disturbed:
            if begins > at:
                break
            if ends >= at - WINDOW_SECONDS and (whose in (slot, member) if itself else what == "fault"):
                return True
        return False


def _by_partition(book: Book, produced: Iterable[Produced]) -> dict[int, list[tuple[float, float, str, int]]]:
    found: dict[int, list[tuple[float, float, str, int]]] = defaultdict(list)
    for record in produced:
        if record.what in DELIVERED | DEAD:
            life = life_of_offset(record.offset)
            recorded_at = book.recorded_at.get((record.partition, record.offset), math.inf)
            ended_at = min(book.ended_at(record), recorded_at)  # lost is not stuck
            found[record.partition].append((record.produced_at, ended_at, record.user, life))
    for left in found.values():
        left.sort(reverse=True)
    return found


def _progress(book: Book) -> dict[int, list[float]]:
    """When each partition made progress."""
    found: dict[int, list[float]] = defaultdict(list)
    for record in book.evidence.produced:
        if math.isfinite(ended_at := book.ended_at(record)):
            found[record.partition].append(ended_at)
    for partition, times in book.committed_at.items():
        found[partition] += times
    for times in found.values():
        times.sort()
    return found


def _times_of_users(book: Book) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """When requests of users who ever fail alone did, and when theirs were accepted."""
    failures: dict[str, list[float]] = defaultdict(list)
    successes: dict[str, list[float]] = defaultdict(list)
    for one in book.evidence.alone:
        failures[one.user].append(one.at)
    for request in book.evidence.accepted:
        if request.user in failures:
            successes[request.user].append(request.accepted_at)
    return failures, successes


def _disturbances(book: Book) -> Iterator[tuple[float, float, str, str]]:
    """From when to when, of which member or slot, and whether by a fault."""
    open_faults: dict[tuple[str, int], float] = {}
    for at, what, fields in book.evidence.history:
        match what:
            case "start" | "stop" | "cont":
                yield at, at, fields["member"], "process"
            case "term":
                yield at, math.inf, fields["member"], "process"
            case "froze":
                yield at - fields["seconds"], at, "", "fault"
            case "begin" if not fields["fault"].startswith(OBVIOUS):
                open_faults[fields["fault"], fields["target"]] = at
            case "end" if (key := (fields["fault"], fields["target"])) in open_faults:
                yield open_faults.pop(key), at, "", "fault"
            case "deleting":
                open_faults["topic.again", fields["life"]] = at
            case "reset":
                yield open_faults.pop(("topic.again", fields["life"])), at, "", "fault"
    for began_at in open_faults.values():
        yield began_at, math.inf, "", "fault"


def _last(times: list[float], at: float) -> float:
    index = bisect.bisect_right(times, at)
    return times[index - 1] if index else -math.inf


def _short(reasons: Iterable[str]) -> str:
    return "; ".join(reasons)[:300] or "nothing"
