"""Which records are judged: those whose time lies in the window, in the stretches of the log that hold them. Pure."""

from __future__ import annotations

from typing import NamedTuple


class Window(NamedTuple):
    """From this moment to before that one, by the records' own timestamps."""

    from_ms: int
    to_ms: int
    now_ms: int
    """When it was asked for."""

    def __contains__(self, timestamp_ms: object) -> bool:
        """Whether a record of this time is meant."""
        return isinstance(timestamp_ms, int) and self.from_ms <= timestamp_ms < self.to_ms


class Stretch(NamedTuple):
    """A part of one partition: from this offset to before that one."""

    low: int
    end: int

    def __contains__(self, offset: object) -> bool:
        """Whether it lies inside."""
        return isinstance(offset, int) and self.low <= offset < self.end
