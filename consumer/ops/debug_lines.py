"""What the log says at the level debug: how each request ended, what was fetched, what was committed.

The loop reads one flag a turn, so these lines cost nothing while nobody wants them. When they are on, only so many
lines of a kind are written in a second, and the next line says how many were left out. Each way in which a request can
end is a kind of its own, so that failures do not drown among thousands of accepted requests.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from consumer.customfit.answers import Answered, result_of
from consumer.log_codes import Code, fields
from consumer.ops.logs import RepeatLimiter
from consumer.ops.pseudonyms import Pseudonyms
from consumer.ops.traces import place_of
from consumer.ports.inputs import Committed, Fetched, Input, Responded, StateWritten
from consumer.sequencing.events import Partition

LINES_MAX: Final = 20
LINES_SECONDS: Final = 1.0
PARTITIONS_NAMED: Final = 20

log = logging.getLogger("consumer.debug")


class DebugLines:
    """The debug lines of one loop; times are the loop's."""

    def __init__(self, pseudonyms: Pseudonyms) -> None:
        """`pseudonyms`: what to call the users of the requests."""
        self._pseudonyms = pseudonyms
        self.are_wanted = False
        """Whether the level was debug when last checked."""
        self._limiter = RepeatLimiter(LINES_MAX, LINES_SECONDS)
        self.look()

    def look(self) -> None:
        """Check whether the level is debug now. Not in each turn: asking a logger costs more than reading a flag."""
        self.are_wanted = log.isEnabledFor(logging.DEBUG)

    def taken(self, inputs: Iterable[Input], now: float) -> None:
        """A turn begins with these inputs; nothing has been done about them yet."""
        for kind, lines in self._limiter.due(now):
            told = "%s: %d more like this were not shown"
            log.debug(told, kind, lines, extra=fields(Code.SUPPRESSED, kind=kind, lines=lines))
        for item in inputs:
            match item:
                case Responded():
                    self._responded(item, now)
                case Fetched():
                    self._fetched(item, now)
                case Committed():
                    self._committed(item, now)
                case StateWritten(lanes=lanes):
                    self._say(Code.STATE_WRITTEN, f"who is identified: {len(lanes)} changes are in the topic", now)

    def _responded(self, item: Responded, now: float) -> None:
        result = result_of(item.answer)
        if (left_out := self._limiter.allow(f"{Code.REQUEST_ENDED.value} {result}", now)) is None:
            return
        delivery, answer = item.delivery, item.answer
        values = {
            "user": self._pseudonyms.of(delivery.user),
            "kind": delivery.kind.value,
            "events": len(delivery.events),
            "status": answer.status if isinstance(answer, Answered) else None,
            "result": result,
            "attempt": delivery.attempts + 1,
            "ms": round(item.seconds * 1000, 1),
            **place_of(delivery),
        }
        log.debug("a request ended%s", _left_out(left_out), extra=fields(Code.REQUEST_ENDED, **values))

    def _fetched(self, item: Fetched, now: float) -> None:
        counts = Counter(record.partition for record in item.records)
        size_bytes = sum(record.size_bytes for record in item.records)
        text = f"fetched {len(item.records)} records: {_named(counts)}"
        self._say(Code.RECORDS_FETCHED, text, now, records=len(item.records), size_bytes=size_bytes)

    def _committed(self, item: Committed, now: float) -> None:
        offsets = {partition: point.offset for partition, point in item.asked.items()}
        text = f"a commit was answered: {_named(offsets)}"
        self._say(Code.COMMIT_ANSWERED, text, now, accepted=len(item.accepted), error=item.error)

    def _say(self, code: Code, text: str, now: float, **values: object) -> None:
        if (left_out := self._limiter.allow(code.value, now)) is not None:
            log.debug("%s%s", text, _left_out(left_out), extra=fields(code, **values))


def _named(numbers: Mapping[Partition, int]) -> str:
    """Some of these partitions, each with its number."""
    shown = [f"{partition}: {number}" for partition, number in sorted(numbers.items())[:PARTITIONS_NAMED]]
    more = len(numbers) - len(shown)
    return ", ".join(shown) + (f" and {more} more partitions" if more else "")


def _left_out(lines: int) -> str:
    return f" ({lines} more like this were not shown)" if lines else ""
