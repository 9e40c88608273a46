"""The evidence, indexed: when each record ended, when a commit said so, who owned what when, who had a problem."""

from __future__ import annotations

import base64
import binascii
import bisect
import itertools
import math
import zlib
from collections import defaultdict
from collections.abc import Iterator
from typing import Final, NamedTuple

from tests.chaos.evidence import INTRODUCTION, Accepted, Commits, Dead, Evidence, Produced
from tests.chaos.lives import life_of_offset, on
from tests.chaos.records import DEAD

Place = tuple[int, int]
"""Partition and offset."""
GAP_SECONDS: Final = 1.0
"""Without a sample for longer, the brokers were away."""
AFTER_SESSION_SECONDS: Final = 6.0
"""So long, and a session, after a network between it and the brokers is fixed a member may lose its partitions."""
REBALANCE_SECONDS: Final = 3.0
"""From when the last one is there or given up until everybody knows what is theirs: one heartbeat interval."""
AFTER_HTTP_SECONDS: Final = 0.5
"""What a proxy held back arrives when the network is fixed."""


class Interval(NamedTuple):
    """A time in which something was wrong for some members."""

    begins: float
    ends: float
    slot: str
    """`m0`, `m0.3` for one process of it; "" for everybody."""
    what: str

    def concerns(self, sender: str) -> bool:
        """Whether this process had a problem."""
        return self.slot in ("", sender, sender.partition(".")[0])


class Book:
    """Indexes; built once."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self.session_seconds: float = evidence.options.get("session_seconds", 6.0)
        self.records: dict[Place, Produced] = {(r.partition, r.offset): r for r in evidence.produced}
        self.by_insert_id: dict[str, Produced] = {record.insert_id: record for record in evidence.produced}
        self.deliveries: dict[str, list[Accepted]] = defaultdict(list)
        """Insert id → requests that had it, in the order of the ledger; introductions aside."""
        for request in evidence.accepted:
            if not request.is_introduction:
                for insert_id in request.insert_ids:
                    self.deliveries[insert_id].append(request)
        self.dead: dict[Place, list[Dead]] = defaultdict(list)
        for letter in evidence.dead:
            self.dead[(letter.partition, letter.offset)].append(letter)
        self.committed: dict[Place, int] = {}
        """Partition and life → what was committed last."""
        for commits in evidence.commits:
            for partition, (offset, _) in commits.points.items():
                self.committed[partition, life_of_offset(offset)] = offset
        self.refused_alone = {
            request.insert_ids[0].removeprefix(INTRODUCTION)
            for request in evidence.alone
            if request.status == 400 and len(request.insert_ids) == 1
        }
        """Events that were refused for good, since their user failed with 400 just then."""
        self.recorded_at = dict(_recorded(evidence.commits))
        """Place → when a sample first showed a commit that says it is finished."""
        self.unclean = sorted(_unclean(evidence, self.session_seconds))
        """When members may have lost what they had finished and not committed."""
        self.unanswered = sorted(_unanswered(evidence))
        """When answers of the destination may not have reached members."""
        self.held_up = sorted(_held_up(evidence, self.session_seconds))
        """When a rebalance may have waited for somebody, so that nobody's commits were answered."""
        self._owners_at = [owners.answered_at for owners in evidence.owners]
        self.committed_at = _commit_times(evidence.commits)
        """Partition → when samples first showed another commit of it."""

    def ended_at(self, record: Produced) -> float:
        """When it needed nothing more: an answered delivery, or a dead letter; infinity for never."""
        if record.what in ("skipped", "delete"):
            return -math.inf
        times = [request.accepted_at for request in self.deliveries.get(record.insert_id, ()) if request.answered]
        letters = [letter.failed_at for letter in self.dead.get((record.partition, record.offset), ())]
        if record.what in DEAD:
            times = letters
        elif record.insert_id in self.refused_alone:
            times += letters
        return min(times, default=math.inf)

    def is_committed(self, record: Produced) -> bool:
        """Whether it is below the last offset that was committed, in its topic's life."""
        life = life_of_offset(record.offset)
        return record.offset < self.committed.get((record.partition, life), on(0, life))

    def is_gone(self, record: Produced) -> bool:
        """Whether it went with a topic that was deleted, before the group had committed it."""
        return life_of_offset(record.offset) < len(self.evidence.later_lives) and not self.is_committed(record)

    def is_refused_alone(self, record: Produced) -> bool:
        """Whether it became a dead letter since everything of its user was refused just then."""
        return record.insert_id in self.refused_alone and (record.partition, record.offset) in self.dead

    def owner(self, partition: int, at: float) -> str | None:
        """Who had the partition then, where the samples before and after agree; None where that is not known."""
        index = bisect.bisect_right(self._owners_at, at)
        samples = self.evidence.owners[max(index - 1, 0) : index + 1]
        found = {sample.members.get(partition) for sample in samples}
        return found.pop() if len(found) == 1 and len(samples) == 2 else None

    def may_have_lost(self, partition: int, owner: str, begins: float, ends: float) -> bool:
        """Whether the owner may not have had the partition all the time between two moments."""
        first, last = bisect.bisect_left(self._owners_at, begins), bisect.bisect_right(self._owners_at, ends)
        samples = self.evidence.owners[max(first - 1, 0) : last + 1]
        times = [sample.answered_at for sample in samples] + [ends if math.isfinite(ends) else begins + GAP_SECONDS + 1]
        is_gap = any(after - before > GAP_SECONDS for before, after in itertools.pairwise(times))
        return is_gap or any(sample.members.get(partition) != owner for sample in samples)

    def has_lost(self, partition: int, owner: str, begins: float, ends: float) -> bool | None:
        """Whether a sample between two moments shows that another member had the partition; None without samples."""
        first, last = bisect.bisect_left(self._owners_at, begins), bisect.bisect_right(self._owners_at, ends)
        samples = self.evidence.owners[first:last]
        if any(sample.members.get(partition) not in (owner, None) for sample in samples):
            return True
        times = [begins, *self._owners_at[first:last], ends if math.isfinite(ends) else begins + GAP_SECONDS + 1]
        return None if any(after - before > GAP_SECONDS for before, after in itertools.pairwise(times)) else False

    def commits_around(self, partition: int, at: float) -> tuple[float, float]:
        """The changes of what is committed of the partition before and after a moment; infinite where there is none."""
        times = self.committed_at.get(partition, [])
        index = bisect.bisect_right(times, at)
        return times[index - 1] if index else -math.inf, times[index] if index < len(times) else math.inf

    def tenure_began_after(self, partition: int, owner: str, at: float) -> float:
        """A moment before which the owner's present assignment did not begin; minus infinity: not known."""
        for sample in reversed(self.evidence.owners[: bisect.bisect_right(self._owners_at, at)]):
            if sample.members.get(partition) not in (owner, None):
                return sample.asked_at
        return -math.inf


def _recorded(samples: list[Commits]) -> Iterator[tuple[Place, float]]:
    below: dict[int, int] = defaultdict(int)
    above: dict[int, set[int]] = defaultdict(set)
    for commits in samples:
        for partition, (offset, metadata) in commits.points.items():
            known = above[partition]
            below[partition] = max(below[partition], on(0, life_of_offset(offset)))
            for number in range(below[partition], offset):
                if number not in known:
                    yield (partition, number), commits.answered_at
            below[partition] = max(offset, below[partition])
            for number in claimed(offset, metadata):
                if number not in known and number >= below[partition]:
                    known.add(number)
                    yield (partition, number), commits.answered_at
            above[partition] = {number for number in known if number >= below[partition]}


def _commit_times(samples: list[Commits]) -> dict[int, list[float]]:
    times: dict[int, list[float]] = defaultdict(list)
    last: dict[int, tuple[int, str]] = {}
    for commits in samples:
        for partition, point in commits.points.items():
            if point != last.get(partition):
                times[partition].append(commits.answered_at)
            last[partition] = point
    return times


def claimed(offset: int, metadata: str) -> Iterator[int]:
    """The offsets that a commit's metadata says are finished: base64(4 bytes of checksum · zlib(varints)).

    It stands behind "1", or behind "2", the topic's id and a dot.

    Run lengths, unfinished and finished in turn, from the committed offset on. Written down here once more on purpose.
    """
    version, _, runs = metadata.partition(".") if metadata.startswith("2") else (metadata[:1], "", metadata[1:])
    if version[:1] not in ("1", "2"):
        return
    try:
        data = zlib.decompress(base64.b64decode(runs)[4:])
    except (binascii.Error, zlib.error):
        return
    at, length, shift, finished = offset, 0, 0, False
    for byte in data:
        length |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            if finished:
                yield from range(at, at + length)
            at, length, shift, finished = at + length, 0, 0, not finished


def _next_of_life(evidence: Evidence, what: str, life: int) -> float:
    return next((h.at for h in evidence.history if h.what == what and h.fields["life"] == life), math.inf)


def _unclean(evidence: Evidence, session_seconds: float) -> Iterator[Interval]:
    lasting_seconds = session_seconds + AFTER_SESSION_SECONDS
    asked: dict[str, float] = {}
    for at, what, fields in evidence.history:
        member = fields.get("member", "")
        match what:
            case "kill":
                yield Interval(at, at + 1.0, member, "kill")
            case "term":
                asked[member] = at
            case "stop":
                yield Interval(at, _next(evidence, at, "cont", member) + lasting_seconds, member, "stop")
            case "froze":
                yield Interval(at - fields["seconds"], at + lasting_seconds, "", "machine")
            case "deleting":
                ends = _next_of_life(evidence, "reset", fields["life"])
                yield Interval(at, ends + lasting_seconds, "", "topic.again")
            case "exit" if fields["code"] != 0:
                yield Interval(asked.get(member, at - 1.0), at + 1.0, member, f"exit {fields['code']}")
    yield from _faults(evidence, ("kafka", "broker"), lasting_seconds)


def _held_up(evidence: Evidence, session_seconds: float) -> Iterator[Interval]:
    """A rebalance of the classic protocol waits for each member until its session is over.

    Meanwhile the commits of all others wait behind their JoinGroup requests (a broker answers the requests of a
    connection in turn); then the group has a new generation and refuses them.
    """
    if evidence.options.get("protocol", "classic") != "classic":
        return
    lasting_seconds = session_seconds + REBALANCE_SECONDS
    for at, what, fields in evidence.history:
        died = what == "exit" and fields["code"] not in (0, 69, 75)
        if what in ("kill", "stop") or died:
            yield Interval(at, at + lasting_seconds, "", f"rebalance held up by a {what}")
    for interval in _faults(evidence, ("kafka",), 0.0):
        if interval.slot:
            ends = interval.ends + lasting_seconds
            yield Interval(interval.begins, ends, "", f"rebalance held up by {interval.what}")


def _unanswered(evidence: Evidence) -> Iterator[Interval]:
    for interval in _faults(evidence, ("http",), AFTER_HTTP_SECONDS):
        match interval.what:
            case "http.cut" | "http.reset":  # what was under way then; nothing comes through from then on
                yield interval._replace(ends=interval.begins + AFTER_HTTP_SECONDS)
            case "http.mute" | "http.stall":
                yield interval
    for at, what, fields in evidence.history:
        if what == "froze":
            yield Interval(at - fields["seconds"], at + AFTER_HTTP_SECONDS, "", "machine")


def _faults(evidence: Evidence, places: tuple[str, ...], lasting_seconds: float) -> Iterator[Interval]:
    for at, what, fields in evidence.history:
        fault = fields.get("fault", "")
        place = fault.partition(".")[0]
        if what == "begin" and place in places:
            ends = next(
                (
                    other.at
                    for other in evidence.history
                    if other.what == "end" and other.at >= at and other.fields == fields
                ),
                math.inf,
            )
            everybody = fields["target"] < 0 or place in ("broker", "api")
            yield Interval(at, ends + lasting_seconds, "" if everybody else f"m{fields['target']}", fault)


def _next(evidence: Evidence, after: float, what: str, member: str) -> float:
    times = (h.at for h in evidence.history if h.what == what and h.at >= after and h.fields.get("member") == member)
    return next(times, math.inf)
