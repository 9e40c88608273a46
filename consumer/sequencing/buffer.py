"""How full the buffer is. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from consumer.sequencing.accounting import Account
from consumer.sequencing.assignment import Assignment

BUFFER_FULL: Final = 0.75
"""A source that was paused fetches again only when the buffer is below this share."""


class Buffered(NamedTuple):
    """What is fetched and not finished."""

    events: int
    size_bytes: int

    def fills(self, events_max: int, bytes_max: int) -> bool:
        """Whether nothing more is fetched until some of it is finished."""
        return self.events >= BUFFER_FULL * events_max or self.size_bytes >= BUFFER_FULL * bytes_max


def buffered(account: Account, stopped: Iterable[Assignment]) -> Buffered:
    """Unfinished events and their bytes, without partitions that have stopped. Asked for each record."""
    events, size_bytes = account.unfinished, account.unfinished_bytes
    for assignment in stopped:
        events -= assignment.offsets.unfinished
        size_bytes -= assignment.unfinished_bytes
    return Buffered(events, size_bytes)
