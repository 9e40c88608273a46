"""What the state's threads count, for whoever shows it. Pure."""

from __future__ import annotations

from typing import NamedTuple


class StandbyFigures(NamedTuple):
    """How far the partitions of other members are followed."""

    partitions: int = 0
    """How many are followed now."""
    behind_records: int | None = None
    """How many offsets of them are not in the local file, together; None: not known yet."""
    records: int = 0
    """Read of them since the start."""
    problem: str | None = None
    """Why they are not followed, or not as they should be."""


class StateFigures(NamedTuple):
    """What the threads of the state have counted until now."""

    restored_records: int = 0
    """Read of the state topic to make partitions of ours ready, since the start."""
    standby: StandbyFigures | None = None
    """None: no others are followed."""
