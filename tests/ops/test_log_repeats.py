"""Lines of one kind that come too often are held back and counted; no line holds a secret."""

from __future__ import annotations

import io
import json
import logging
from itertools import pairwise
from logging import LogRecord
from typing import NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.choices import LogFormat
from consumer.log_codes import Code, fields
from consumer.ops.logs import (
    MESSAGE_CHARACTERS_MAX,
    TRACEBACK_CHARACTERS_MAX,
    VALUE_CHARACTERS_MAX,
    RepeatLimiter,
    Suppressed,
    TextFormatter,
    setup_logging,
)
from consumer.settings.masking import Masker
from tests.ops.given_logs import record

pytestmark = pytest.mark.usefixtures("logging_as_before")


# ---- repeats


def test_repeats_are_held_back_and_counted() -> None:
    """Two lines in ten seconds; the next one that passes says how many were held back."""
    limiter = RepeatLimiter(lines_max=2, window_seconds=10)

    assert [0, 0, None, None] == [limiter.allow("refused", now) for now in (0.0, 1.0, 2.0, 9.9)]
    assert 2 == limiter.allow("refused", 10.0)
    assert None is limiter.allow("refused", 10.9)
    assert 1 == limiter.allow("refused", 11.0)


def test_kinds_do_not_share_a_limit() -> None:
    """A flood of one kind hides no other."""
    limiter = RepeatLimiter(lines_max=1, window_seconds=10)
    limiter.allow("refused", 0.0)

    assert None is limiter.allow("refused", 1.0)
    assert 0 == limiter.allow("gave up", 1.0)


def test_held_back_lines_of_a_kind_that_went_quiet() -> None:
    """`due` reports them once their time is over, once, and that counts as a line."""
    limiter = RepeatLimiter(lines_max=1, window_seconds=10)
    for now in (0.0, 1.0, 2.0):
        limiter.allow("refused", now)
    limiter.allow("gave up", 0.0)

    assert [] == limiter.due(9.9)
    assert [Suppressed("refused", 2)] == limiter.due(10.0)
    assert [] == limiter.due(30.0)
    assert None is RepeatLimiter.allow(limiter, "refused", 19.9)


def test_kinds_have_a_limit_too() -> None:
    """Beyond the limit the kind longest unused is forgotten."""
    limiter = RepeatLimiter(lines_max=1, window_seconds=10, kinds_max=2)
    for kind in ("a", "b", "a", "c"):
        limiter.allow(kind, 0.0)

    assert None is limiter.allow("a", 1.0)
    assert 0 == limiter.allow("b", 1.0)


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 5), st.booleans()), max_size=80),
    st.integers(1, 4),
    st.integers(1, 10),
)
def test_no_window_holds_more_lines(steps: list[tuple[str, int, bool]], lines_max: int, window_seconds: int) -> None:
    """In no window of that length are more lines written, and every line is written or counted."""
    limiter = RepeatLimiter(lines_max, window_seconds)
    now, asked = 0, {"a": 0, "b": 0}
    written: dict[str, list[int]] = {"a": [], "b": []}
    told = {"a": 0, "b": 0}
    for kind, pause, tick in steps:
        now += pause
        if tick:
            for suppressed in limiter.due(now):
                written[suppressed.kind].append(now)
                told[suppressed.kind] += suppressed.lines
        asked[kind] += 1
        if (held_back := limiter.allow(kind, now)) is not None:
            written[kind].append(now)
            told[kind] += held_back + 1
    for suppressed in limiter.due(now + window_seconds):
        told[suppressed.kind] += suppressed.lines

    assert asked == told
    for times in written.values():
        assert all(late - early >= window_seconds for early, late in zip(times, times[lines_max:], strict=False))
        assert all(early <= late for early, late in pairwise(times))


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_a_secret_that_anybody_has_said_is_not_in_the_line(log_format: LogFormat) -> None:
    """The last place before a reader: a broker's message, a traceback, a field."""
    stream = io.StringIO()
    mask = Masker(["s3cret/value"]).text
    handler = setup_logging("info", log_format, stream, {}, mask)
    try:
        try:
            int("s3cret/value")
        except ValueError:
            logging.getLogger("consumer.x").exception(
                "the broker says s3cret/value", extra=fields(Code.PROGRAM_FAILED, why="s3cret%2Fvalue")
            )
    finally:
        logging.getLogger().removeHandler(handler)

    assert 3 <= stream.getvalue().count("***")
    assert "s3cret" not in stream.getvalue()


def broken(text: str) -> NoReturn:
    """Somewhere in the program."""
    raise ValueError(text)


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_a_secret_that_a_line_is_cut_off_in_leaves_no_piece(log_format: LogFormat) -> None:
    """It is blotted out before the cut: of a long message and a long field from behind, of a traceback from before."""
    stream = io.StringIO()
    handler = setup_logging("info", log_format, stream, {}, Masker(["s3cret/value"]).text)
    try:
        try:
            broken("s3cret/value" + "x" * (TRACEBACK_CHARACTERS_MAX - 4))
        except ValueError:
            logging.getLogger("consumer.x").exception(
                "%ss3cret/value",
                "m" * (MESSAGE_CHARACTERS_MAX - 8),
                extra=fields(Code.PROGRAM_FAILED, why="v" * (VALUE_CHARACTERS_MAX - 8) + "s3cret/value"),
            )
    finally:
        logging.getLogger().removeHandler(handler)

    assert [] == [piece for piece in ("s3cre", "alue") if piece in stream.getvalue()]


def test_a_line_of_json_is_one_whatever_the_secrets_are() -> None:
    """Names and numbers are ours: a password of digits or one called like a field breaks no parser."""
    stream = io.StringIO()
    handler = setup_logging("info", "json", stream, {}, Masker(["12345678", "offset", "level"]).text)
    try:
        logging.getLogger("consumer.x").info(
            "at 12345678", extra=fields(Code.DEAD_LETTER, offset=12345678, why="level")
        )
    finally:
        logging.getLogger().removeHandler(handler)
    line = json.loads(stream.getvalue())
    text = TextFormatter(Masker(["12345678"]).text).format(record("at 12345678", offset=12345678))

    assert "at ***  offset=12345678" in text
    assert ("info", "at ***", 12345678, "***") == (line["level"], line["event"], line["offset"], line["why"])


def test_a_line_that_cannot_be_made_is_not_printed_with_its_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    """As logging itself would print it, from the template and its arguments."""
    stream = io.StringIO()
    handler = setup_logging("info", "text", stream, {}, Masker(["s3cret/value"]).text)
    handler.handle(LogRecord("consumer", logging.WARNING, "some.py", 17, "%d events", ("s3cret/value",), None))

    assert "" == capsys.readouterr().err
    assert "customfit-consumer: the log line of some.py:17 can't be written: TypeError\n" == stream.getvalue()
