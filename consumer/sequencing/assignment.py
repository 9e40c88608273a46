"""One assignment of a partition to this member, and what is counted of it. Pure.

Everything in flight points at its assignment, so what comes back after the partition was revoked finds a dropped one
and changes nothing, also when the partition has come back meanwhile: it is another assignment then.
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
        """`pool`: room for users who are known; without it nobody stays known. `active`: it joins these."""
        self.partition = partition
        self.offsets = offsets
        self.receipts_begin = offsets.inherited_end
        """From this offset on it finishes nothing without a receipt, where receipts are written at all."""
        self.leased_at = NEVER
        """When the last commit that the group has accepted was sent: see lease.py."""
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
        """Nothing more is sent: being revoked, or stopping."""
        self.dropped = False
        """No longer ours: whatever still comes back is ignored."""
        self.topic_life = ""
        """In insert_ids made from offsets: the topic's id, in short, where a topic of its name was there before."""
        self.is_replay = False
        """It is the replay topic's."""
        self._stopped: Stopped | None = None
        self._active = active or Active()
        self.guard = DeadLetterGuard()
        self.formats = FormatGuard()

    def of_replays(self) -> None:
        """It is the replay topic's: what fails again goes back to where it was, and nobody stays known.

        The user's own partition may be another member's, whose deletions are not heard of here.
        """
        self.is_replay = True
        self.known.leave()

    @property
    def stopped(self) -> Stopped | None:
        """Why it reads and sends no more until somebody acts."""
        return self._stopped

    @stopped.setter
    def stopped(self, stopped: Stopped) -> None:
        self._stopped = stopped
        if not self.dropped:
            self._active.halt(self, stopped)

    def touch(self) -> None:
        """Something of it has changed: it is looked at in this turn."""
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
        """Whether what is finished of it is to be committed: not of a topic that is another one by now."""
        return self.stopped is None or self.stopped.cause is not StopCause.TOPIC_MADE_AGAIN

    @property
    def waits(self) -> bool:
        """Whether there is something to send, or to end."""
        return self.open and self.offsets.unfinished > 0

    @property
    def drained(self) -> bool:
        """Every request is answered, every state write and dead letter acknowledged."""
        return not self.under_way and self.unacknowledged == 0

    def may_dead_letter(self, ratio_max: float) -> bool:
        """Whether the dead letters so far are not too many; of replays there is no limit."""
        return self.is_replay or self.guard.allows(ratio_max)

    def takes_as_garbage(self, ratio_max: float) -> bool:
        """Whether a record that takes a registry, where none is set, is garbage: see format_guard.py.

        What can't be read of replays goes back to where it was.
        """
        return self.is_replay or self.formats.takes_as_garbage(ratio_max)

    def __repr__(self) -> str:
        state = "dropped" if self.dropped else "stopped" if self.stopped else "closed" if self.closed else "open"
        counts = f"{len(self.lanes)} lanes, {self.in_flight} in flight"
        return f"<Assignment {self.partition} {state}, {counts}, {self.offsets!r}>"
