"""One assignment of a partition to this member, and what is counted for it. Pure.

Everything in flight points at its assignment. An answer that comes after the partition was revoked finds a dropped
assignment and changes nothing, even if the partition has come back meanwhile: that is another assignment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.sequencing.active import Active
from consumer.sequencing.dead_letter_guard import DeadLetterGuard
from consumer.sequencing.events import Partition, User
from consumer.sequencing.format_guard import FormatGuard
from consumer.sequencing.known_users import KnownUsers, Pool
from consumer.sequencing.lease import NEVER
from consumer.sequencing.offsets import OffsetTracker
from consumer.sequencing.progress import Progress
from consumer.sequencing.stops import StopCause, Stopped

if TYPE_CHECKING:
    from consumer.sequencing.lanes import Lane


class Assignment:
    """Lanes, offsets and limits of one partition while it is ours."""

    def __init__(
        self,
        partition: Partition,
        offsets: OffsetTracker,
        pool: Pool | None = None,
        active: Active | None = None,
    ) -> None:
        """`pool`: room for known users; without it no user stays known. `active`: the set that this one joins."""
        self.partition = partition
        self.offsets = offsets
        self.receipts_begin = offsets.inherited_end
        """If receipts are written: nothing from this offset on is finished without one."""
        self.leased_at = NEVER
        """When the last commit that the group has accepted was sent (lease.py)."""
        self.lanes: dict[User, Lane] = {}
        self.known = KnownUsers(pool)
        self.unfinished_bytes = 0
        self.under_way: dict[Lane, None] = {}
        """Lanes whose request waits for its answer, the one that was sent first comes first."""
        self.retrying: dict[Lane, None] = {}
        """Lanes whose request has failed (waiting.py)."""
        self.held_events = 0
        """How many events wait for their users' identify (holds.py)."""
        self.unrecorded = 0
        """Events that are answered and wait for a state write or a receipt."""
        self.unacknowledged = 0
        """State writes, dead letters and receipts on their way."""
        self.acknowledged = 0
        """How many of them were acknowledged."""
        self.progress = Progress()
        self.closed = False
        """Nothing more is sent, because it is being revoked or the member stops."""
        self.dropped = False
        """It is no longer ours: whatever still comes back is ignored."""
        self.topic_life = ""
        """Part of insert_ids that are made from offsets: the topic's id, shortened, if an earlier topic had this name.
        """
        self.is_replay = False
        """Whether it is a partition of the replay topic."""
        self._stopped: Stopped | None = None
        self._active = active or Active()
        self.guard = DeadLetterGuard()
        self.formats = FormatGuard()

    def of_replays(self) -> None:
        """Make it one of the replay topic: what fails again is a dead letter again, and no user stays known.

        The user's own partition may belong to another member, and this one does not hear of deletions there.
        """
        self.is_replay = True
        self.known.leave()

    @property
    def stopped(self) -> Stopped | None:
        """Why it reads and sends nothing more until somebody acts."""
        return self._stopped

    @stopped.setter
    def stopped(self, stopped: Stopped) -> None:
        self._stopped = stopped
        if not self.dropped:
            self._active.halt(self, stopped)

    def touch(self) -> None:
        """Something in it has changed: look at it in this turn."""
        if not self.dropped:
            self._active.touch(self)

    @property
    def unrecorded_events(self) -> int:
        """How many answered events of it a crash now would send again."""
        return self.offsets.unrecorded + self.unrecorded

    @property
    def in_flight(self) -> int:
        """How many requests wait for their answer."""
        return len(self.under_way)

    @property
    def open(self) -> bool:
        """Whether its events may be sent."""
        return not (self.closed or self.dropped or self._stopped)

    @property
    def may_commit(self) -> bool:
        """Whether what is finished may be committed: not if the topic is another one by now."""
        return self.stopped is None or self.stopped.cause is not StopCause.TOPIC_MADE_AGAIN

    @property
    def waits(self) -> bool:
        """Whether there is something to send, or to finish."""
        return self.open and self.offsets.unfinished > 0

    @property
    def drained(self) -> bool:
        """Every request is answered, every state write and dead letter acknowledged."""
        return not self.under_way and self.unacknowledged == 0

    def may_dead_letter(self, ratio_max: float) -> bool:
        """Whether the share of dead letters is still allowed. Replays have no limit."""
        return self.is_replay or self.guard.allows(ratio_max)

    def takes_as_garbage(self, ratio_max: float) -> bool:
        """Whether a record that needs a registry is garbage, when no registry is set: see format_guard.py.

        A replay that can't be read becomes a dead letter again.
        """
        return self.is_replay or self.formats.takes_as_garbage(ratio_max)

    def __repr__(self) -> str:
        state = "dropped" if self.dropped else "stopped" if self.stopped else "closed" if self.closed else "open"
        counts = f"{len(self.lanes)} lanes, {self.in_flight} in flight"
        return f"<Assignment {self.partition} {state}, {counts}, {self.offsets!r}>"
