"""Ready lanes that wait for a commit, or for the lease of their partition. Pure.

All of a partition may have to wait, and there may be 200,000 of them: they are looked at again when what they wait for
has changed, and not each turn.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from consumer.sequencing.assignment import Assignment
from consumer.sequencing.lanes import Lane, LaneStatus


class Limits(NamedTuple):
    """All that decides, beside the lane itself, whether a lane of a partition may send."""

    is_leased: bool
    may_send: bool
    """As far as the budget goes."""
    is_probing: bool
    is_committed: bool
    committable: int
    """The lane that has this event may send in any case, if all before it is committed."""


class Stalled:
    """By their partitions. `limits`: of a partition now."""

    def __init__(self, limits: Callable[[Assignment, float], Limits]) -> None:
        self._limits = limits
        self._lanes: dict[Assignment, tuple[Limits, list[Lane]]] = {}

    def __bool__(self) -> bool:
        return bool(self._lanes)

    def add(self, lane: Lane, now: float) -> None:
        """It may not send now."""
        found = self._lanes.get(lane.assignment)
        if found is None:
            found = self._lanes[lane.assignment] = self._limits(lane.assignment, now), []
        found[1].append(lane)

    def let_go(self, now: float) -> list[Lane]:
        """Those that may be able to send now."""
        changed = [
            assignment
            for assignment, (limits, _) in self._lanes.items()
            if not assignment.open or limits != self._limits(assignment, now)
        ]
        lanes = [lane for assignment in changed for lane in self._lanes.pop(assignment)[1]]
        return [lane for lane in lanes if lane.status is LaneStatus.READY and lane.assignment.open]
