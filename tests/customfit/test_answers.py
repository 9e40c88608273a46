"""The one table of what each answer means: every status, every Retry-After, every label."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.customfit.answers import (
    RESULTS,
    RETRY_AFTER_SECONDS_MAX,
    Answered,
    NoAnswer,
    NoAnswerKind,
    Result,
    judge,
    result_of,
    retry_after_seconds,
)
from consumer.sequencing.events import Delivered, Misdirected, Outcome, Refused, Unavailable

NOW = datetime(2026, 11, 23, 10, 0, 0, tzinfo=UTC)

RETRIED = {408, 423, 425, 429, *range(500, 600)} - {501}
MISDIRECTED = {401, 402, 403, 404, 405, 407, 410, *range(300, 400)}


def judged(status: int, retry_after: str | None = None, body: bytes = b"") -> Outcome:
    """What is done about this answer."""
    return judge(Answered(status, retry_after, body), NOW)


def test_every_status() -> None:
    """The contract's classes: 2xx, tried again, the whole destination stops, and this event alone is refused.

    What is no status of HTTP (below 200 as a final answer, above 599) is some broken proxy: tried again.
    """
    for status in range(100, 1000):
        if 200 <= status < 300:
            outcome: Outcome = Delivered()
        elif status in RETRIED or status < 200 or status >= 600:
            outcome = Unavailable(cause=str(status), throttled=status == 429)
        elif status in MISDIRECTED:
            outcome = Misdirected(status)
        else:
            outcome = Refused(status, b"why")

        assert outcome == judged(status, body=b"why")


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, Delivered()),
        (202, Delivered()),
        (204, Delivered()),
        (302, Misdirected(302)),
        (304, Misdirected(304)),
        (400, Refused(400)),
        (401, Misdirected(401)),
        (402, Misdirected(402)),
        (403, Misdirected(403)),
        (404, Misdirected(404)),
        (405, Misdirected(405)),
        (406, Refused(406)),
        (407, Misdirected(407)),
        (408, Unavailable("408")),
        (409, Refused(409)),
        (410, Misdirected(410)),
        (411, Refused(411)),
        (413, Refused(413)),
        (415, Refused(415)),
        (422, Refused(422)),
        (423, Unavailable("423")),
        (424, Refused(424)),
        (425, Unavailable("425")),
        (429, Unavailable("429", throttled=True)),
        (431, Refused(431)),
        (451, Refused(451)),
        (500, Unavailable("500")),
        (501, Refused(501)),
        (502, Unavailable("502")),
        (503, Unavailable("503")),
        (504, Unavailable("504")),
        (507, Unavailable("507")),
        (521, Unavailable("521")),
    ],
)
def test_statuses_one_meets(status: int, outcome: Outcome) -> None:
    """The same, spelled out for those that occur."""
    assert outcome == judged(status)


@pytest.mark.parametrize("kind", get_args(NoAnswerKind))
def test_no_answer(kind: NoAnswerKind) -> None:
    """A time-out, a connection or protocol error is tried again; the cause is for people."""
    expected = Unavailable(f"{kind}: no answer within 10 s", timed_out=kind == "timeout")

    assert expected == judge(NoAnswer(kind, "no answer within 10 s"), NOW)
    assert Unavailable(kind, timed_out=kind == "timeout") == judge(NoAnswer(kind, ""), NOW)


# --- Retry-After


def test_who_may_ask_to_wait() -> None:
    """Retry-After counts on whatever is tried again: of a 429 for everybody, of the others for one user."""
    outcomes = {status: judged(status, "7") for status in range(100, 1000)}
    waits = {status: outcome for status, outcome in outcomes.items() if getattr(outcome, "retry_after_seconds", None)}

    assert {408, 423, 425, 429, *range(500, 600)} - {501} == waits.keys()
    assert Unavailable("429", 7.0, throttled=True) == waits[429]
    assert Unavailable("503", 7.0) == waits[503]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        ("1", 1.0),
        (" 30\t", 30.0),
        ("0000000030", 30.0),
        ("299", 299.0),
        ("300", 300.0),
        ("301", 300.0),
        ("86400", 300.0),
        ("9" * 100, 300.0),
        ("9" * 10_000, 300.0),
        ("Mon, 23 Nov 2026 10:00:30 GMT", 30.0),
        ("Mon, 23 Nov 2026 12:00:30 +0200", 30.0),
        ("Mon, 23 Nov 2026 10:00:30 -0000", 30.0),
        ("Mon, 23 Nov 2026 10:00:30", 30.0),
        ("Monday, 23-Nov-26 10:00:30 GMT", 30.0),
        ("Mon Nov 23 10:00:30 2026", 30.0),
        ("Sat, 23 Nov 2026 10:00:30 GMT", 30.0),
        ("Mon, 23 Nov 2026 10:00:00 GMT", 0.0),
        ("Mon, 23 Nov 2026 09:59:59 GMT", 0.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("Mon, 23 Nov 2026 11:00:00 GMT", 300.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 300.0),
        ("", None),
        (" ", None),
        ("-1", None),
        ("+5", None),
        ("1.5", None),
        ("1e3", None),
        ("0x10", None),
        ("5 s", None),
        ("5, 10", None),
        ("inf", None),
        ("nan", None),
        ("٣", None),
        ("²", None),
        ("soon", None),
        ("2026-11-23T10:00:30Z", None),
        ("Mon, 32 Nov 2026 10:00:00 GMT", None),
        ("Mon, 23 Nov 99999999999 10:00:00 GMT", None),
        ("Mon, 23 Nov 2026 10:00:00 +9999999999", None),
        ("\x00", None),
    ],
)
def test_retry_after(header: str | None, seconds: float | None) -> None:
    """Seconds or a date, from now, between 0 and 300; absent when it is neither."""
    assert seconds == retry_after_seconds(header, NOW)


@given(ahead=st.integers(-(10**9), 10**9))
def test_retry_after_any_date(ahead: int) -> None:
    """A date is as many seconds as it is ahead, within the limits."""
    header = format_datetime(NOW + timedelta(seconds=ahead), usegmt=True)

    assert min(max(ahead, 0), 300) == retry_after_seconds(header, NOW)


date_words = st.sampled_from(
    ["Mon,", "Nov", "23", "2026", "10:00:30", "GMT", "-0000", "+9999", "0", "9" * 20, "-", ":", "a"]
)


@given(header=st.text() | st.lists(date_words, max_size=8).map(" ".join) | st.floats().map(str))
def test_retry_after_anything(header: str) -> None:
    """Whatever a server writes there, nothing raises and nobody waits longer than the limit."""
    seconds = retry_after_seconds(header, NOW)

    assert seconds is None or 0.0 <= seconds <= RETRY_AFTER_SECONDS_MAX


# --- the `result` label


def test_labels() -> None:
    """401, 403 and 429 have labels of their own, the others that of their hundred; no status makes a new label."""
    for status in range(100, 1000):
        label = f"{status // 100}xx" if 200 <= status < 600 else "protocol_error"
        if status in (401, 403, 429):
            label = str(status)

        assert label == result_of(Answered(status, None, b""))
        assert label in RESULTS


@pytest.mark.parametrize("kind", get_args(NoAnswerKind))
def test_labels_without_an_answer(kind: NoAnswerKind) -> None:
    """Without an answer the label says how it failed."""
    assert kind == result_of(NoAnswer(kind, "whatever the library says"))
    assert kind in RESULTS


def test_the_labels_are_a_closed_list() -> None:
    """The labels are those that the metric starts at 0, each once."""
    assert list(get_args(Result)) == list(RESULTS)
    assert len(set(RESULTS)) == len(RESULTS)
