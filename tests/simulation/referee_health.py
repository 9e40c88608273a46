"""Judge of what members say of their health, by ledgers in which they have no part.

A partition makes progress when one of its events finishes or its committed offset moves. Whenever one has had records
to read or unfinished events and no progress for 30 s, the word is not `ready`, and a reason names the partition. When
everything has flowed for 30 s it is `ready`. While sending is paused it is `paused`, and nothing is stuck. One user who
fails alone is no cause, and what a hold holds is none yet.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from consumer.ops.health import Health
from consumer.sequencing.events import Partition
from tests.simulation.ledgers import Ledger
from tests.simulation.log import Entry, Log
from tests.simulation.options import Options
from tests.simulation.referee_commits import CommitJudge
from tests.simulation.requests import Tenure
from tests.simulation.stage import Stage, Violation

STALL_SECONDS = 30.0
SAYING_SECONDS = 2.0
"""So much later it is said: a turn a second, and what a look a second here is too late."""
FLOWING_SECONDS = 0.5
"""Progress from each look to the next, or nothing to do, is a flow."""
READY = "ready"
PAUSED = "paused"
THROTTLED_SECONDS = 12.0
"""After the last 429: 10, and what a look once a second is too late."""
ALONE = ("stubborn", "throttled", "forbidden", "postponed")
"""Verdicts on events that fail whatever others do."""


@dataclass(slots=True)
class Watch:
    """One partition in the hands of one member."""

    seen: tuple[int, int] = (-1, -1)
    """What is committed, and how much has finished."""
    idle_or_moved_at: float = 0.0
    """When it last made progress, had nothing to do, or held all there was."""


@dataclass(slots=True)
class MemberWatch:
    """One member's life."""

    partitions: dict[Tenure, Watch] = field(default_factory=dict)
    unflowed_at: float = 0.0
    """When last something did not flow, or partitions came or went."""


class HealthJudge:
    """Looks once a second at every member."""

    def __init__(self, stage: Stage, options: Options, log: Log, commits: CommitJudge) -> None:
        self.healed_at = float("inf")
        """When all that is outside the members had become good."""
        self._stage = stage
        self._options = options
        self._log = log
        self._commits = commits
        self._members: dict[str, MemberWatch] = {}

    def rest(self, name: str) -> None:
        """It can't be asked now: its process is stopped."""
        self._members.pop(name, None)

    def look(self, member: Ledger, tenures: Mapping[Partition, Tenure], ask: Callable[[], Health]) -> None:
        """Judge one member; `ask` gives what it says, and is called only where something is to be said."""
        now = self._stage.now
        watch = self._members.setdefault(member.name, MemberWatch(unflowed_at=now))
        if watch.partitions.keys() != set(tenures.values()):
            watch.unflowed_at = now
            watch.partitions = {t: watch.partitions.get(t, Watch(idle_or_moved_at=now)) for t in tenures.values()}
        if member.is_paused:
            self._check_paused(watch, member, ask())
            return
        someone_fails_alone = False
        for tenure, one in watch.partitions.items():
            undone = self._undone(tenure)
            someone_fails_alone |= self._fails_alone(undone, member)
            seen = (self._commits.committed[tenure.partition], self._finished(tenure))
            if undone and self._are_held(tenure, undone):  # which has a word of its own
                self._stage.exercised["asked while all is held"] += 1
                watch.unflowed_at = one.idle_or_moved_at = now
            if not undone or seen != one.seen:
                one.seen, one.idle_or_moved_at = seen, now
            still_seconds = now - one.idle_or_moved_at
            if still_seconds > FLOWING_SECONDS and not self._fail_alone(undone, member):
                watch.unflowed_at = now
            if still_seconds > STALL_SECONDS + SAYING_SECONDS:
                self._check_said(tenure, undone, member, ask)
        # One without any partition was not told so here, as Kafka tells it, and goes on waiting for its first.
        if tenures and now - max(watch.unflowed_at, self.healed_at) > STALL_SECONDS + SAYING_SECONDS:
            self._stage.exercised["asked while a user fails alone"] += someone_fails_alone
            self._check_ready(member, ask(), is_throttled=now - member.throttled_at <= THROTTLED_SECONDS)

    def _check_paused(self, watch: MemberWatch, member: Ledger, health: Health) -> None:
        """It is what somebody wants: nothing is said to be stuck, now or right after it."""
        self._stage.exercised["asked while paused"] += 1
        watch.unflowed_at = self._stage.now
        for one in watch.partitions.values():
            one.idle_or_moved_at = self._stage.now
        said = health.status == PAUSED and any("paused by" in reason for reason in health.reasons)
        if (health.ok and not said) or any("no progress" in reason for reason in health.reasons):
            raise Violation("health", f"{member.name} is paused: {health.status}, {health.reasons}")

    def _check_said(self, tenure: Tenure, undone: list[Entry], member: Ledger, ask: Callable[[], Health]) -> None:
        if self._fail_alone(undone, member):
            return
        self._stage.exercised["asked while a partition stands still"] += 1
        health = ask()
        named = any(re.search(rf"\b{tenure.partition}\b", reason) for reason in health.reasons)
        if health.status == READY or not named:
            what = f"{tenure} has made no progress for {STALL_SECONDS:g} s, next is {undone[0]}"
            raise Violation("health", f"{what}: {health.status}, {health.reasons}")

    def _check_ready(self, member: Ledger, health: Health, *, is_throttled: bool) -> None:
        """A 429 slows down everybody, also one that a single user gets: then `throttled` is the truth."""
        self._stage.exercised["asked when all has flowed"] += 1
        # One user's 403 counts as the destination's while nobody else has anything to send.
        is_stopped = member.misdirected_at is not None and "stopped" in str(health.reasons)
        if health.status != READY and not is_stopped and not (is_throttled and "throttled" in str(health.reasons)):
            raise Violation(
                "health", f"{member.name} has flowed for {STALL_SECONDS:g} s: {health.status}, {health.reasons}"
            )

    def _undone(self, tenure: Tenure) -> list[Entry]:
        """To be read, or unfinished."""
        committed, now = self._commits.committed[tenure.partition], self._stage.now
        return [
            entry
            for entry in self._log.entries[tenure.partition]
            if entry.offset >= committed and entry.appended_at <= now and not _is_finished(tenure, entry)
        ]

    def _finished(self, tenure: Tenure) -> int:
        """How many: delivered, dead letters, deletes and what is skipped."""
        skipped = sum(
            entry.what == "skipped" and entry.offset in tenure.accepted_at
            for entry in self._log.entries[tenure.partition]
        )
        return skipped + sum(map(len, (tenure.answered, tenure.buried_acknowledged, tenure.forgotten_acknowledged)))

    def _fail_alone(self, undone: list[Entry], member: Ledger) -> bool:
        """All that is left is of users whose next event fails for ever, while others succeed."""
        if member.succeeded_at is None or self._stage.now - member.succeeded_at > STALL_SECONDS:
            return False
        first = {entry.user: entry for entry in reversed(undone)}
        return bool(first) and all(e.verdict in ALONE or user in member.failing for user, e in first.items())

    def _fails_alone(self, undone: list[Entry], member: Ledger) -> bool:
        """There is such a user, in a partition where others get on."""
        is_served = member.succeeded_at is not None and self._stage.now - member.succeeded_at <= STALL_SECONDS
        return is_served and any(entry.verdict in ALONE for entry in undone)

    def _are_held(self, tenure: Tenure, undone: list[Entry]) -> bool:
        """All was fetched less long ago than an event may wait for its user's identify."""
        since = self._stage.now - self._options.hold_seconds
        return all(tenure.fetched_at.get(entry.offset, -1.0) >= since for entry in undone)


def _is_finished(tenure: Tenure, entry: Entry) -> bool:
    """What is skipped is so as soon as it is decoded."""
    return tenure.finished(entry.offset) or (entry.what == "skipped" and entry.offset in tenure.accepted_at)
