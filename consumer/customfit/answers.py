"""HTTP answer → outcome: the one table of what each status means. Pure.

Contract, "Answers". The retry classes are those Segment's own destinations use (408, 423, 429 and 5xx but 501 are
retried) plus 425; a wrong key or URL is told apart, because retrying or dead-lettering it would spend the topic.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final, Literal, NamedTuple, assert_never

from consumer.sequencing.events import Delivered, Misdirected, Outcome, Refused, Unavailable

RETRY_AFTER_SECONDS_MAX: Final = 300.0
RETRIED: Final = frozenset({408, 423, 425, 429})
MISDIRECTED: Final = frozenset({401, 402, 403, 404, 405, 407, 410})

DELIVERED: Final = Delivered()
NoAnswerKind = Literal["timeout", "connect_error", "protocol_error"]
Result = Literal["2xx", "3xx", "4xx", "401", "403", "429", "5xx", "timeout", "connect_error", "protocol_error"]
RESULTS: Final[tuple[Result, ...]] = (
    "2xx",
    "3xx",
    "4xx",
    "401",
    "403",
    "429",
    "5xx",
    "timeout",
    "connect_error",
    "protocol_error",
)
SUCCESSFUL: Final = range(200, 300)
_OWN_RESULTS: Final[Mapping[int, Result]] = {401: "401", 403: "403", 429: "429"}
_RESULTS_BY_HUNDREDS: Final[Mapping[int, Result]] = {2: "2xx", 3: "3xx", 4: "4xx", 5: "5xx"}


class Answered(NamedTuple):
    """An HTTP answer, whatever its status. `body` is its beginning, with secrets masked.

    The body of a 2xx is left as it came: nobody is shown it, and masking would cost every request.
    """

    status: int
    retry_after: str | None
    body: bytes


class NoAnswer(NamedTuple):
    """No complete answer came. Only with `connect_error` is it certain that nothing was sent."""

    kind: NoAnswerKind
    detail: str


Answer = Answered | NoAnswer


def judge(answer: Answer, now: datetime) -> Outcome:
    """What to do about an answer; `now` is only for a Retry-After that gives a date."""
    match answer:
        case NoAnswer(kind, detail):
            return Unavailable(cause=f"{kind}: {detail}" if detail else kind, timed_out=kind == "timeout")
        case Answered(status=status):
            if status in SUCCESSFUL:
                return DELIVERED
            if status in RETRIED or (status >= 500 and status != 501) or status < 200:
                after = retry_after_seconds(answer.retry_after, now) if 400 <= status < 600 else None
                return Unavailable(cause=str(status), retry_after_seconds=after, throttled=status == 429)
            if status in MISDIRECTED or 300 <= status < 400:
                return Misdirected(status)
            return Refused(status, answer.body)
        case _:
            assert_never(answer)


def retry_after_seconds(header: str | None, now: datetime) -> float | None:
    """Seconds (or an HTTP date) as seconds from now, 0 to 300; None when absent or not understood."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return min(float(text), RETRY_AFTER_SECONDS_MAX)
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, IndexError, OverflowError):
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return min(max((date - now).total_seconds(), 0.0), RETRY_AFTER_SECONDS_MAX)


def result_of(answer: Answer) -> Result:
    """The `result` label of customfit_requests_total."""
    if isinstance(answer, NoAnswer):
        return answer.kind
    return _OWN_RESULTS.get(answer.status) or _RESULTS_BY_HUNDREDS.get(answer.status // 100, "protocol_error")
