"""The lanes in which events wait for their user's identify. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from consumer.sequencing.lanes import Lane


class Holds:
    """Lanes in hold, oldest first, and how many events that keeps: in all, and of each partition."""

    def __init__(self, events_max: int) -> None:
        self.events = 0
        self._events_max = events_max
        self._lanes: dict[Lane, None] = {}

    @property
    def users(self) -> int:
        """How many users are waited for."""
        return len(self._lanes)

    @property
    def too_many(self) -> Lane | None:
        """The lane whose hold must end now, because too much is held; None: all may stay."""
        return next(iter(self._lanes)) if self.events > self._events_max else None

    def __iter__(self) -> Iterator[Lane]:
        """The longest held first. A lane that is held once more, for its next event, comes last again."""
        return iter(self._lanes)

    def add(self, lane: Lane) -> None:
        """Hold a lane with all that waits in it."""
        self._lanes[lane] = None
        self.events += len(lane.waiting)
        lane.assignment.held_events += len(lane.waiting)

    def grow(self, lane: Lane) -> None:
        """One more event waits in a lane that is held."""
        self.events += 1
        lane.assignment.held_events += 1

    def remove(self, lane: Lane) -> None:
        """End a hold."""
        del self._lanes[lane]
        self.events -= len(lane.waiting)
        lane.assignment.held_events -= len(lane.waiting)
