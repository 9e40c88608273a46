"""An order to pause or to go on, as somebody gave it for the whole group. Pure.

While sending is paused no request starts: no introduction, no retry and no probe. What is in flight ends as ever,
commits and the lease go on, partitions come and go, and what takes no request (skipped events, dead letters, deletes)
ends.
"""

from __future__ import annotations

from typing import NamedTuple


class PauseOrder(NamedTuple):
    """The last one given; all texts are anybody's who may write to the state topic."""

    is_paused: bool
    by: str
    """user@host"""
    at_ms: int
    """Since 1970, by the clock of that host."""
    reason: str
    """Empty where none was given."""
