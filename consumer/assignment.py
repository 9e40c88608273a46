"""One tenure of a partition by this member, and what is counted of it. Pure.

Everything in flight points at its assignment, so what comes back after the partition was revoked finds a dropped one
and changes nothing, also when the partition has come back meanwhile: it is another assignment then.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from consumer.events import Partition, User
from consumer.known_users import KnownUsers
from consumer.lease import NEVER
from consumer.offsets import OffsetTracker

if TYPE_CHECKING:
    from consumer.lanes import Lane

KNOWN_USERS_MAX: Final = 5000
RATIO_WINDOW_RECORDS: Final = 1000
RATIO_RECORDS_MIN: Final = 200


class Assignment:
    """Lanes, offsets and limits of one partition while it is ours."""

    def __init__(self, partition: Partition, offsets: OffsetTracker) -> None:
        self.partition = partition
        self.offsets = offsets
        self.leased_at = NEVER
        """When the last commit that the group has accepted was sent: see lease.py."""
        self.lanes: dict[User, Lane] = {}
        self.known = KnownUsers(KNOWN_USERS_MAX)
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
        self.guarded = True
        """Too many dead letters halt it. Not the replay topic: what fails again goes back to where it was."""
        self.halted: str | None = None
        """Why this partition has stopped by itself, in words for the operator."""
        self._recent: deque[bool] = deque(maxlen=RATIO_WINDOW_RECORDS)
        self._recent_dead_letters = 0

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

    def note_end(self, *, dead_letter: bool, ratio_max: float) -> bool:
        """Count how one more record ends; False when that would be one dead letter too many.

        The guard against dead-lettering a whole topic because of one wrong setting: a share of the last 1,000 records.
        """
        if dead_letter and self.guarded:
            seen = len(self._recent) + 1
            if seen >= RATIO_RECORDS_MIN and self._recent_dead_letters + 1 > ratio_max * seen:
                return False
        if len(self._recent) == RATIO_WINDOW_RECORDS and self._recent[0]:
            self._recent_dead_letters -= 1
        self._recent.append(dead_letter)
        self._recent_dead_letters += dead_letter
        return True

    def __repr__(self) -> str:
        state = "dropped" if self.dropped else "halted" if self.halted else "closed" if self.closed else "open"
        counts = f"{len(self.lanes)} lanes, {self.in_flight} in flight"
        return f"<Assignment {self.partition} {state}, {counts}, {self.offsets!r}>"
