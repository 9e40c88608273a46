"""How long a partition may be worked on without a word from the group. Pure.

The group gives a member's partitions to others when it has not heard from it for the session's time-out. The member may
not notice: it can be cut off from the group's coordinator and still fetch (a KIP-848 member goes on doing so), or it is
stopped (SIGSTOP, a paused machine) and wakes up. So a partition is ours on lease:

    an accepted commit proves that the group took us for a member after the commit was sent (the answer to where a
    partition starts does not: anybody may ask), so a new partition begins with a commit that says nothing new
    a request starts only if such a commit was *sent* less than one lease ago; when it was answered says nothing
    lease + request time-out + 1 s = session: when the group may give the partition away, the last request is over

A process that is stopped can't end its requests: those in flight then are the most that another owner repeats. Time is
CLOCK_MONOTONIC, which does not count a machine's suspension (nor would the group's answer: its connections are gone).

That a user is identified is recorded on lease too, by the same sum (its time-out is the producer's message.timeout.ms):
a record that comes late would lie behind the next owner's deletion of the user and undo it.

While events of a partition wait, its commit is renewed every third of the lease, also with nothing new to say. An idle
partition lets its lease run out, and its next event waits for one commit: a round trip to the broker.
"""

from __future__ import annotations

from typing import Final, NamedTuple

MARGIN_SECONDS: Final = 1.0
"""A margin for what is not exact: turns of the loop, timers, clocks that run apart."""
SHARE_MIN: Final = 1 / 3
"""The lease is at least this share of the session. Otherwise one or two late commits would stop all sending."""
STATE_WRITE_SECONDS: Final = 10.0
"""How long a record may be on its way to the state topic. Then it is given up, and written again if it still counts."""
RENEWALS: Final = 3
"""How many renewals of a commit fit into one lease: two may fail."""


class Lease(NamedTuple):
    """What a member keeps to."""

    seconds: float
    request_timeout_seconds: float
    """As set, or less if the session has no room for it."""

    @property
    def renew_seconds(self) -> float:
        """The age at which a commit is repeated."""
        return self.seconds / RENEWALS


NEVER: Final = -1e9
"""Before any clock has started."""
NO_LEASE: Final = Lease(float("inf"), float("inf"))
"""For a partition that nobody else can own."""


def lease_of(session_seconds: float, request_timeout_seconds: float) -> Lease:
    """The lease that fits the session. If that leaves too little, the request time-out is shortened.

    With Kafka's default session of 45 s and requests of 10 s, it is 34 s and renewed every 11.
    """
    margin_seconds = min(MARGIN_SECONDS, session_seconds * SHARE_MIN / 2)
    seconds = max(session_seconds - request_timeout_seconds - margin_seconds, session_seconds * SHARE_MIN)
    return Lease(seconds, min(request_timeout_seconds, session_seconds - margin_seconds - seconds))
