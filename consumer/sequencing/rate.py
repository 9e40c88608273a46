"""One rate for the whole group: how many requests this member may start, by its share of the partitions. Pure.

Nobody hands out permits, so nobody has to be asked: each member knows how many partitions there are and which are its
own, and the group sees to it that a partition has one owner.

    source partitions   95 % of the rate, each of them the same part of it; live events take these permits first
    replay partitions   the other 5 %, in the same way; live events may take them while no replay waits
    replays             take what is theirs, and of the rest what live events have left over

Every start of a request takes one: an introduction, a retry and a probe, too. Permits come evenly and are kept for
BURST_SECONDS and one request more, so in any second

    the group starts at most    rate + BURST_SECONDS * rate + 1 for each member + 1 for each that has replay partitions

A partition counts from when the group has accepted a commit that this member sent after it got it: of whichever of its
partitions, since that proves it a member, and an idle one has no lease (lease.py). It counts until it is asked for or
lost. Its next owner has it only later, and what was saved up does not go along. So shares never add up to more than the
whole; those of partitions that nobody has are not used. A share of less than one request a second is a request now and
then.

When partitions are added, members hear of it at different moments. From then on each part is smaller; the new ones
count GROWTH_SECONDS later, when everybody has heard.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from consumer.sequencing.assignment import Assignment

from consumer.sequencing.lease import NEVER

SOURCE_SHARE: Final = 0.95
BURST_SECONDS: Final = 0.1
"""Permits of this time are kept.

With less, a late turn would lose some; with more, too many would come at once after a rest.
"""
GROWTH_SECONDS: Final = 5.0
"""How long after they were added new partitions begin to count. Members look at the topics every 2 s."""
LOOK_SECONDS: Final = 0.05
LOOK_SECONDS_A_PARTITION: Final = 0.000_05
"""How much later than the commit a share may begin, since partitions are counted only so often. 1,000 take 0.3 ms."""
WAKE_SECONDS: Final = 0.005
"""Permits are waited for at least this long, so that a turn takes several of them if the rate is fast."""
RESERVE_SHARE: Final = 0.5
"""The part of what live events can save up that replays leave alone. Otherwise a live event would often find none."""
_WHOLE: Final = 1 - 1e-6
"""Sums of fractions are not exact: a permit that lacks a millionth counts as one."""
FOREVER: Final = float("inf")


class Permits:
    """Permits that come evenly, `rate` a second. Some are kept."""

    def __init__(self) -> None:
        self.rate = 0.0
        self.saved = 0.0
        self._at = 0.0

    @property
    def saved_max(self) -> float:
        """No more than these are kept."""
        return 1 + BURST_SECONDS * self.rate

    def refill(self, now: float) -> None:
        """Add the permits that have come since."""
        if now > self._at:
            self.saved = min(self.saved + self.rate * (now - self._at), self.saved_max)
            self._at = now

    def change(self, rate: float, now: float) -> None:
        """From now on they come at this rate. Without any rate, none are kept."""
        self.refill(now)
        self.rate = rate
        self.saved = min(self.saved, self.saved_max) if rate else 0.0

    def has(self, reserve: float = 0.0) -> bool:
        """Whether there is one, with so many left beside it."""
        return self.saved >= _WHOLE + reserve

    def due(self, reserve: float = 0.0) -> float:
        """When there will be one, if none is taken before."""
        missing = 1 + reserve - self.saved
        return self._at if missing <= 0 else self._at + missing / self.rate if self.rate else FOREVER


class Rate:
    """This member's share of the group's rate."""

    def __init__(self, limit: float) -> None:
        """`limit`: how many requests a second the whole group may start."""
        self.limit = limit
        self.waits_until: float | None = None
        """When the next request may start that waits for nothing but a permit; None: none waits for one."""
        self.waited_seconds = 0.0
        """For how long requests have waited for permits, in all."""
        self._source = Permits()
        self._replays = Permits()
        self._source_count = Count()
        self._replay_count = Count()
        self._ticked_at = 0.0
        self._waits_since: float | None = None
        self._look_at = 0.0
        self._since: dict[Assignment, float] = {}
        """When each of our partitions was first counted."""
        self._proven_at = NEVER
        """When the last commit that the group has accepted was sent."""

    @property
    def share(self) -> float:
        """How many requests a second this member may start."""
        return self._source.rate + self._replays.rate

    def waiting_seconds(self, now: float) -> float:
        """For how long at least one request has waited for a permit, without a break; 0: none waits."""
        return 0.0 if self._waits_since is None else now - self._waits_since

    # ------------------------------------------------------------------ what it depends on

    def topics_have(self, source_partitions: int | None, replay_partitions: int | None, now: float) -> None:
        """How many partitions were seen; None: nobody has said."""
        self._source_count.seen(source_partitions, now)
        self._replay_count.seen(replay_partitions, now)
        self._look_at = now

    def changed(self) -> None:
        """A partition came or went, so they are counted again in the next turn."""
        self._look_at = 0.0

    def tick(self, assignments: Iterable[Assignment], now: float) -> None:
        """Once a turn: add up what the partitions contribute."""
        if self.waits_until is None:
            self._waits_since = None
        else:
            self.waited_seconds += now - self._ticked_at
            self._waits_since = self._ticked_at if self._waits_since is None else self._waits_since
        self._ticked_at = now
        if now >= self._look_at:
            self._count(assignments, now)
            self._look_at = now + max(LOOK_SECONDS, LOOK_SECONDS_A_PARTITION * len(self._since))

    def _count(self, assignments: Iterable[Assignment], now: float) -> None:
        self._since = {assignment: self._since.get(assignment, now) for assignment in assignments}
        self._proven_at = max([self._proven_at, *(assignment.leased_at for assignment in self._since)])
        source = replays = 0.0
        for assignment, since in self._since.items():
            if since <= self._proven_at and not assignment.closed:
                number = assignment.partition.number
                if assignment.is_replay:
                    replays += self._replay_count.part(number, now)
                else:
                    source += self._source_count.part(number, now)
        self._source.change(SOURCE_SHARE * self.limit * source, now)
        self._replays.change((1 - SOURCE_SHARE) * self.limit * replays, now)

    # ------------------------------------------------------------------ permits

    def refill(self, now: float) -> None:
        """Count the permits up to now. From here on nobody counts as waiting for one."""
        self.waits_until = None
        self._source.refill(now)
        self._replays.refill(now)

    def has(self, *, is_replay: bool, others_wait: bool) -> bool:
        """Whether a request may start.

        `others_wait`: for a live event, that a replay waits; for a replay, that a live one does.
        """
        return self._from(is_replay=is_replay, others_wait=others_wait) is not None

    def take(self, *, is_replay: bool, others_wait: bool) -> None:
        """A request starts."""
        permits = self._from(is_replay=is_replay, others_wait=others_wait)
        assert permits is not None, "nothing starts without a permit"
        permits.saved -= 1

    def wait(self, now: float, *, live: bool, replays: bool) -> None:
        """These wait for a permit: find out until when."""
        due = FOREVER
        if live:
            due = min(self._source.due(), FOREVER if replays else self._replays.due())
        if replays:
            due = min(due, self._replays.due(), FOREVER if live else self._source.due(self._reserve))
        self.waits_until = max(due, now + WAKE_SECONDS)

    def _from(self, *, is_replay: bool, others_wait: bool) -> Permits | None:
        """Which permits it would take."""
        source, replays = self._source, self._replays
        if is_replay:
            if replays.has():
                return replays
            return source if not others_wait and source.has(self._reserve) else None
        if source.has():
            return source
        return replays if not others_wait and replays.has() else None

    @property
    def _reserve(self) -> float:
        """How much replays leave for live events, if that much can be saved up at all."""
        return min(RESERVE_SHARE * self._source.saved_max, self._source.saved_max - 1)


class Count:
    """How many partitions a topic has, and which of them count already."""

    def __init__(self) -> None:
        self._partitions = 0
        self._counting = 0
        """Partitions below this number have been there for long enough."""
        self._grown_at = 0.0

    def seen(self, partitions: int | None, now: float) -> None:
        """A topic never has fewer partitions than before; whoever says so has old news."""
        if partitions is None or partitions <= self._partitions:
            return
        self._settle(now)
        self._counting = self._counting or partitions
        self._partitions = partitions
        self._grown_at = now

    def part(self, number: int, now: float) -> float:
        """What part of the whole the partition with this number stands for."""
        self._settle(now)
        return 1 / self._partitions if number < self._counting else 0.0

    def _settle(self, now: float) -> None:
        if now >= self._grown_at + GROWTH_SECONDS:
            self._counting = self._partitions
