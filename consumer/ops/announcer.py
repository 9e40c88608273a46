"""Says in the log what is wrong now and when it is over: of the causes that no edge tells by itself."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Final

from consumer.ops.causes import Cause, Finding
from consumer.sequencing.events import Partition

TOLD_HERE: Final = frozenset(
    {
        Cause.TOPIC_GONE,
        Cause.KAFKA_UNREACHABLE,
        Cause.LEADER_MISSING,
        Cause.START_UNKNOWN,
        Cause.RESTORING,
        Cause.RECORDS_NOT_WRITTEN,
        Cause.TRANSACTION_OPEN,
        Cause.NO_PROGRESS,
    }
)
LINES_MAX: Final = 10
"""At once, of one cause: an outage makes a thousand partitions stand still."""

log = logging.getLogger("consumer")

Key = tuple[Cause, Partition | None]


class Announcer:
    """Remembers what it has said."""

    def __init__(self) -> None:
        self._said: dict[Key, str] = {}

    def look(self, findings: Iterable[Finding]) -> None:
        """Say what is new, and what is over."""
        found = {(f.cause, f.partition): f.text for f in findings if f.cause in TOLD_HERE}
        new = [key for key in found if key not in self._said]
        over = [key for key in self._said if key not in found]
        self._say(logging.WARNING, {key: found[key] for key in new})
        self._say(logging.INFO, {key: f"over: {self._said[key]}" for key in over})
        self._said = found

    def _say(self, level: int, lines: dict[Key, str]) -> None:
        for cause in Cause:
            of_cause = [text for key, text in lines.items() if key[0] is cause]
            for text in of_cause[:LINES_MAX]:
                log.log(level, "%s", text)
            if len(of_cause) > LINES_MAX:
                log.log(level, "and %d more partitions like these", len(of_cause) - LINES_MAX)
