"""An order, by somebody for the whole group, to pause sending or to go on. Pure.

While sending is paused no request starts: no introduction, no retry and no probe. Requests in flight end as usual,
commits and the lease go on, partitions come and go, and what needs no request ends (skipped events, dead letters,
deletes).
"""

from __future__ import annotations

from typing import NamedTuple


class PauseOrder(NamedTuple):
    """The last order given. Whoever may write to the state topic may have written its texts."""

    is_paused: bool
    by: str
    """Who gave it: user@host."""
    at_ms: int
    """When, in milliseconds since 1970 by the clock of that host."""
    reason: str
    """Why; empty if no reason was given."""
