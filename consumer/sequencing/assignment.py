"""One tenure of a partition by this member, and what is counted of it. Pure.

Everything in flight points at its assignment, so what comes back after the partition was revoked finds a dropped one
and changes nothing, also when the partition has come back meanwhile: it is another assignment then.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from consumer.sequencing.events import Partition, User
from consumer.sequencing.known_users import KnownUsers, Pool
from consumer.sequencing.lease import NEVER
from consumer.sequencing.offsets import OffsetTracker

if TYPE_CHECKING:
    from consumer.sequencing.lanes import Lane

RATIO_WINDOW_RECORDS: Final = 1000
RATIO_RECORDS_MIN: Final = 200
GOOD, SKIPPED, DEAD = range(3)
"""What may be said of an event: it is on its way or delivered, needs nothing, or is a dead letter."""


class _Recent:
    """How the last 1,000 were."""

    def __init__(self) -> None:
        self._kinds: deque[int] = deque(maxlen=RATIO_WINDOW_RECORDS)
        self._counts = [0, 0, 0]

    @property
    def size(self) -> int:
        """Of how many."""
        return len(self._kinds)

    def count(self, kind: int) -> int:
        """How many of a kind."""
        return self._counts[kind]

    def add(self, kind: int, times: int = 1) -> None:
        """So many more."""
        kinds, counts = self._kinds, self._counts
        for _ in range(times):
            if len(kinds) == RATIO_WINDOW_RECORDS:
                counts[kinds[0]] -= 1
            kinds.append(kind)
            counts[kind] += 1


class Assignment:
    """Lanes, offsets and limits of one partition while it is ours."""

    def __init__(self, partition: Partition, offsets: OffsetTracker, pool: Pool | None = None) -> None:
        """`pool`: room for users who are known; without it nobody stays known."""
        self.partition = partition
        self.offsets = offsets
        self.leased_at = NEVER
        """When the last commit that the group has accepted was sent: see lease.py."""
        self.lanes: dict[User, Lane] = {}
        self.known = KnownUsers(pool)
        self.unfinished_bytes = 0
        self.in_flight = 0
        self.unrecorded = 0
        """Events that are answered and wait for a state write."""
        self.unacknowledged = 0
        """State writes and dead letters on their way."""
        self.closed = False
        """Nothing more is sent: being revoked, or stopping."""
        self.dropped = False
        """No longer ours: whatever still comes back is ignored."""
        self.is_replay = False
        """It is the replay topic's."""
        self.halted: str | None = None
        """Why this partition has stopped by itself, in words for the operator."""
        self._ended = 0
        self._read = _Recent()
        """Of what was fetched: what can't be sent ends at once, long before the good ones around it are delivered."""
        self._sent = _Recent()
        """Of what was sent, or would have been: what was given up."""

    def of_replays(self) -> None:
        """It is the replay topic's: what fails again goes back to where it was, and nobody stays known.

        The user's own partition may be another member's, whose deletions are not heard of here.
        """
        self.is_replay = True
        self.known.leave()

    @property
    def open(self) -> bool:
        """Whether its events may be sent."""
        return not (self.closed or self.dropped or self.halted)

    @property
    def waits(self) -> bool:
        """Whether there is something to send, or to end."""
        return self.open and self.offsets.unfinished > 0

    @property
    def drained(self) -> bool:
        """Every request is answered, every state write and dead letter acknowledged."""
        return self.in_flight == 0 and self.unacknowledged == 0

    def note_on_its_way(self) -> None:
        """Count an event that is fetched and will be sent."""
        self._read.add(GOOD)

    def note_unsent_end(self, *, dead_letter: bool) -> None:
        """Count an event that is fetched and ends by that: skipped, or not to be read."""
        self._ended += 1
        self._read.add(DEAD if dead_letter else SKIPPED)

    def note_sent_end(self, *, dead_letter: bool, events: int = 1) -> None:
        """Count how events end that were on their way."""
        self._ended += events
        self._sent.add(DEAD if dead_letter else GOOD, events)

    def may_dead_letter(self, ratio_max: float) -> bool:
        """Whether the dead letters noted so far, the last one included, are not too many.

        The guard against dead-lettering a whole topic because of one wrong setting: a share of the last 1,000 events
        fetched. Of those, what is not answered yet counts as good, or a backlog with a few that can't be read would
        stop before the first good one is delivered.
        """
        if self.is_replay or self._ended < RATIO_RECORDS_MIN:
            return True
        read, sent = self._read, self._sent
        to_send = read.count(GOOD)
        given_up = to_send * sent.count(DEAD) / max(sent.size, to_send, 1)
        return read.count(DEAD) + given_up <= ratio_max * read.size

    def __repr__(self) -> str:
        state = "dropped" if self.dropped else "halted" if self.halted else "closed" if self.closed else "open"
        counts = f"{len(self.lanes)} lanes, {self.in_flight} in flight"
        return f"<Assignment {self.partition} {state}, {counts}, {self.offsets!r}>"
