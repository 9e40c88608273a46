"""The guard against dead-lettering a whole topic because of one wrong setting. Pure."""

from __future__ import annotations

from collections import deque
from typing import Final

RATIO_WINDOW_RECORDS: Final = 1000
RATIO_RECORDS_MIN: Final = 200
GOOD, SKIPPED, DEAD = range(3)
"""What an event counts as: on its way or delivered, done with nothing to send, or a dead letter."""


class _Recent:
    """What the last 1,000 records counted as."""

    def __init__(self) -> None:
        self._runs: deque[list[int]] = deque()
        """Kind, and how many of it in a row, the oldest first."""
        self._counts = [0, 0, 0]
        self.size = 0
        """How many there are, up to 1,000."""

    def count(self, kind: int) -> int:
        """How many are of this kind."""
        return self._counts[kind]

    def add(self, kind: int, times: int = 1) -> None:
        """Add some of this kind. The oldest drop out."""
        runs, counts = self._runs, self._counts
        if len(runs) == 1 and runs[0][0] == kind and self.size == RATIO_WINDOW_RECORDS:
            return  # all are of this kind, as nearly always: nothing changes
        if runs and runs[-1][0] == kind:
            runs[-1][1] += times
        else:
            runs.append([kind, times])
        counts[kind] += times
        self.size += times
        while (too_many := self.size - RATIO_WINDOW_RECORDS) > 0:
            oldest = runs[0]
            leaving = min(too_many, oldest[1])
            oldest[1] -= leaving
            counts[oldest[0]] -= leaving
            self.size -= leaving
            if not oldest[1]:
                runs.popleft()


class DeadLetterGuard:
    """How the last events of one partition ended, or will end."""

    def __init__(self) -> None:
        self._ended = 0
        self._read = _Recent()
        """What was fetched. What can't be sent ends at once, long before the good events around it are delivered.
        """
        self._sent = _Recent()
        """How events ended that were sent, or would have been."""

    def note_on_their_way(self, events: int) -> None:
        """Count events that are fetched and will be sent."""
        self._read.add(GOOD, events)

    def note_unsent_end(self, *, dead_letter: bool) -> None:
        """Count an event that ends as soon as it is fetched: skipped, or unreadable."""
        self._ended += 1
        self._read.add(DEAD if dead_letter else SKIPPED)

    def note_sent_end(self, *, dead_letter: bool, events: int = 1) -> None:
        """Count how events ended that were on their way."""
        self._ended += events
        self._sent.add(DEAD if dead_letter else GOOD, events)

    def allows(self, ratio_max: float) -> bool:
        """Whether the dead letters noted so far, including the last one, are few enough.

        The limit is a share of the last 1,000 events fetched. An event that is not answered yet counts as good.
        Otherwise a backlog with a few unreadable records would stop before its first good event is delivered.
        """
        if self._ended < RATIO_RECORDS_MIN:
            return True
        read, sent = self._read, self._sent
        to_send = read.count(GOOD)
        given_up = to_send * sent.count(DEAD) / max(sent.size, to_send, 1)
        return read.count(DEAD) + given_up <= ratio_max * read.size
