"""The lanes that may send, if a rate is set. Live events and replays stand apart, each as far as there are permits.

Pure.

Within each the oldest go first, as always (ready.py), whichever partition they are of; a retry gets no way around.
While the gate probes, both take turns: the lanes of one may be those that always fail.
"""

from __future__ import annotations

from consumer.sequencing.gate import Gate
from consumer.sequencing.lanes import Lane
from consumer.sequencing.rate import Rate
from consumer.sequencing.ready import ReadyLanes


class ReadyWithinRate:
    """Like ReadyLanes, but `begin` comes before, and `start` or `wait` afterwards."""

    def __init__(self, rate: Rate, gate: Gate) -> None:
        self._rate = rate
        self._gate = gate
        self._live = ReadyLanes()
        self._replays = ReadyLanes()
        self._chosen = self._live
        self._replays_first = False

    def add(self, lane: Lane, *, last: bool = False) -> None:
        """Put a lane in its place."""
        (self._replays if lane.assignment.is_replay else self._live).add(lane, last=last)

    @property
    def has_some(self) -> bool:
        """Whether a lane waits here, with or without a permit."""
        return self._live.has_some or self._replays.has_some

    def __bool__(self) -> bool:
        return bool(self._live or self._replays)

    def begin(self, now: float) -> None:
        """Count the permits up to now."""
        self._rate.refill(now)

    def first(self) -> Lane | None:
        """The next one for which there is a permit."""
        both = (self._replays, self._live) if self._replays_first else (self._live, self._replays)
        for queue in both:
            lane = queue.first()
            if lane is not None and self._permits(queue):
                self._chosen = queue
                return lane
        return None

    def pop(self) -> Lane:
        """Take it out."""
        return self._chosen.pop()

    def start(self, lane: Lane) -> None:
        """Its request starts now: it takes the permit."""
        is_replay = lane.assignment.is_replay
        self._rate.take(is_replay=is_replay, others_wait=(self._live if is_replay else self._replays).has_some)
        self._replays_first = self._gate.probing and not is_replay

    def wait(self, now: float, in_flight: int) -> None:
        """Nothing more starts now. Any lane that is still here waits for a permit, and for nothing else."""
        live, replays = self._live.has_some, self._replays.has_some
        if live or replays:
            self._rate.wait(now, live=live, replays=replays)
            self._gate.held_back(now, in_flight)

    def _permits(self, queue: ReadyLanes) -> bool:
        if queue is self._replays:
            return self._rate.has(is_replay=True, others_wait=self._live.has_some)
        return self._rate.has(is_replay=False, others_wait=self._replays.has_some)
