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
    """By their partition, and by its limits as each lane found them.

    Limits may change and be as before at the next look, as when the process was stopped in between: then those go that
    came meanwhile.
    """

    def __init__(self, limits: Callable[[Assignment, float], Limits]) -> None:
        """`limits`: of a partition now."""
        self._limits = limits
        self._lanes: dict[tuple[Assignment, Limits], list[Lane]] = {}

    def __bool__(self) -> bool:
        return bool(self._lanes)

    def add(self, lane: Lane, now: float) -> None:
        """It may not send now."""
        key = lane.assignment, self._limits(lane.assignment, now)
        self._lanes.setdefault(key, []).append(lane)

    def let_go(self, now: float) -> list[Lane]:
        """Those that may be able to send now."""
        changed = [key for key in self._lanes if not key[0].open or key[1] != self._limits(key[0], now)]
        lanes = [lane for key in changed for lane in self._lanes.pop(key)]
        return [lane for lane in lanes if lane.status is LaneStatus.READY and lane.assignment.open]
