"""Logs when something goes wrong and when it is over, for the causes that no edge reports by itself."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Final

from consumer.log_codes import Code, fields
from consumer.ops.advice import DO
from consumer.ops.causes import Cause, Finding
from consumer.ops.snapshot import Snapshot
from consumer.ops.traces import trace_id
from consumer.sequencing.events import Partition
from consumer.sequencing.waiting import Waiting

LOGGED_HERE: Final = frozenset(
    {
        Cause.TOPIC_GONE,
        Cause.DESTINATION_SLOW,
        Cause.KAFKA_UNREACHABLE,
        Cause.GROUP_SILENT,
        Cause.LEADER_MISSING,
        Cause.START_UNKNOWN,
        Cause.END_UNKNOWN,
        Cause.RESTORING,
        Cause.RECORDS_NOT_WRITTEN,
        Cause.REGISTRY_NOT_SET,
        Cause.TRANSACTION_OPEN,
        Cause.NO_PROGRESS,
    }
)
ENDS_LOGGED_HERE: Final = LOGGED_HERE | {
    Cause.STATE_TOPIC,
    Cause.DEAD_LETTERS_NOT_WRITTEN,
    Cause.RECEIPTS_NOT_WRITTEN,
    Cause.REGISTRY,
}
"""An edge logs each failure of these, but it does not notice when they work again."""
LINES_MAX: Final = 10
"""Most lines at once about one cause: in an outage a thousand partitions stand still."""

WAITING_SECONDS: Final = 10.0
"""A lane that has waited for less is not worth a line."""
WAITING_AGAIN_SECONDS: Final = 60.0
WAITING_LINES: Final = 3

log = logging.getLogger("consumer")

Key = tuple[Cause, Partition | None]


class Announcer:
    """Remembers what it has logged."""

    def __init__(self) -> None:
        self._said: dict[Key, str] = {}
        self._waiting_said_at = float("-inf")

    def look(self, findings: Iterable[Finding]) -> None:
        """Log what is new, and what is over."""
        found = {(f.cause, f.partition): f.text for f in findings if f.cause in ENDS_LOGGED_HERE}
        new = [key for key in found if key not in self._said and key[0] in LOGGED_HERE]
        over = [key for key in self._said if key not in found]
        self._say(logging.WARNING, Code.DEGRADED, {key: found[key] for key in new})
        self._say(logging.INFO, Code.DEGRADED_OVER, {key: f"over: {self._said[key]}" for key in over})
        self._said = found

    def wait(self, snapshot: Snapshot) -> None:
        """Log what there is to know of the users who have waited longest for another try; again once a minute."""
        now = snapshot.taken_at
        if now < self._waiting_said_at + WAITING_AGAIN_SECONDS:
            return
        old = [one for one in snapshot.waiting if one.kind == "retrying" and now - one.since >= WAITING_SECONDS]
        for one in old[:WAITING_LINES]:
            self._waiting_said_at = now
            place = {"partition": str(one.partition), "offset": one.offset, "trace_id": trace_id(one.headers)}
            sentence = _sentence(one, snapshot.pseudonyms.of(one.user), now)
            log.warning("%s", sentence, extra=fields(Code.USER_WAITS, **place))

    def _say(self, level: int, code: Code, lines: dict[Key, str]) -> None:
        for cause in Cause:
            of_cause = [text for key, text in lines.items() if key[0] is cause]
            for number, text in enumerate(of_cause[:LINES_MAX]):
                advice = {"do": DO[cause]} if code is Code.DEGRADED and number == 0 else {}
                log.log(level, "%s", text, extra=fields(code, cause=cause.value, **advice))
            if (more := len(of_cause) - LINES_MAX) > 0:
                log.log(level, "and %d more partitions like these", more, extra=fields(code, cause=cause.value))


def _sentence(waiting: Waiting, pseudonym: str, now: float) -> str:
    attempts = f"{waiting.attempts} attempts in {now - waiting.since:.0f} s"
    next_try = "" if waiting.next_try_at is None else f", next try in {max(waiting.next_try_at - now, 0):.0f} s"
    given_up = "" if waiting.given_up_at is None else f", given up in {max(waiting.given_up_at - now, 0):.0f} s"
    return f"a user (pseudonym {pseudonym}) waits: {attempts}, last answer {waiting.last_answer}{next_try}{given_up}"
