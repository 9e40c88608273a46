"""Log lines: their two formats, and that nothing foreign can fake or garble one."""

from __future__ import annotations

import io
import json
import logging
from logging import LogRecord
from typing import NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.choices import LogLevel
from consumer.log_codes import Code, fields
from consumer.ops.logs import (
    LIBRDKAFKA_LOGGER,
    JsonFormatter,
    TextFormatter,
    setup_logging,
)
from consumer.settings import Secret
from tests.ops.given_logs import record

pytestmark = pytest.mark.usefixtures("logging_as_before")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def fail() -> NoReturn:
    """Raise an error whose text is hostile."""
    raise ValueError("evil\n2026-11-24T03:42:29.123Z ERROR    fake\x1b[2J")


def failed() -> LogRecord:
    """A record with the traceback of that error."""
    try:
        fail()
    except ValueError as error:
        made = record("failed")
        made.exc_info = (type(error), error, error.__traceback__)
    return made


def text(message: str, **values: object) -> str:
    """The line in text."""
    return TextFormatter().format(record(message, **values))


def as_json(message: str, **values: object) -> dict[str, object]:
    """The line in JSON, read again."""
    line = JsonFormatter().format(record(message, **values))
    assert line.isprintable()
    decoded = json.loads(line)
    assert isinstance(decoded, dict)
    return decoded


# ---- text


def test_text() -> None:
    """Time in UTC with milliseconds, level, message, fields."""
    assert (
        "2026-11-24T03:42:29.123Z WARNING  dead-lettered  partition=3 offset=17 reason=refused code=registry"
        == text("dead-lettered", partition=3, offset=17, reason="refused", status=None)
    )
    assert "2026-11-24T03:42:29.123Z INFO     started  code=registry" == TextFormatter().format(
        record("started", "consumer", logging.INFO)
    )


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("plain-1.0/x", "plain-1.0/x"),
        ("", '""'),
        ("two words", '"two words"'),
        ("a=b", '"a=b"'),
        ('say "hi"', '"say \\"hi\\""'),
        ("back\\slash", '"back\\\\slash"'),
        ("a\nb\r\n", '"a\\nb\\r\\n"'),
        ("\x1b[31mred", '"\\x1b[31mred"'),
        ("\x9b31m", '"\\x9b31m"'),
        ("\u202eturned", '"\\u202eturned"'),
        ("\u2028", '"\\u2028"'),
        ("\udc80", '"\\udc80"'),
        ("naïve→", "naïve→"),
        (3.5, "3.5"),
        (True, "True"),
        ({"a": 1}, "\"{'a': 1}\""),
        (ValueError("bad\nthing"), '"bad\\nthing"'),
        (Secret("canary-key"), "***"),
    ],
)
def test_values_in_text(value: object, shown: str) -> None:
    """A value can neither end its line, nor pass for another field, nor reach the terminal."""
    assert text("m", value=value).endswith(f"WARNING  m  value={shown} code=registry")


@given(st.text(), st.text())
def test_text_is_one_printable_line(message: str, value: str) -> None:
    """Whatever is logged, the line is one line of printable characters."""
    assert text(message, value=value).isprintable()


def test_values_are_cut() -> None:
    """A value has at most 500 characters in both formats, a message 2000."""
    assert text("m", value="v" * 501).endswith("=" + "v" * 499 + "… code=registry")
    assert text("m", value="v" * 500).endswith("=" + "v" * 500 + " code=registry")
    assert "v" * 499 + "…" == as_json("m", value="v" * 501)["value"]
    assert text("m" * 2001).endswith("m" * 1999 + "…  code=registry")


def test_traceback_in_text() -> None:
    """A traceback stands indented below its line, so that no line of it passes for a log line."""
    first, *below = TextFormatter().format(failed()).split("\n")

    assert first.endswith("WARNING  failed  code=registry")
    assert "    Traceback (most recent call last):" == below[0]
    assert "    2026-11-24T03:42:29.123Z ERROR    fake\\x1b[2J" == below[-1]
    assert all(line.startswith("    ") and line.isprintable() for line in below)


# ---- JSON


def test_json() -> None:
    """Time, level, event, then the fields with their types."""
    line = JsonFormatter().format(
        record("dead-lettered", partition=3, ratio=0.5, ok=True, reason="refused", status=None)
    )

    assert (
        '{"ts":"2026-11-24T03:42:29.123Z","level":"warning","code":"registry","event":"dead-lettered",'
        '"partition":3,"ratio":0.5,"ok":true,"reason":"refused"}' == line
    )


@given(st.text(), st.text() | st.integers() | st.floats())
def test_json_is_one_line(message: str, value: str | float) -> None:
    """Whatever is logged, the line is one JSON object."""
    assert {"ts", "level", "code", "event", "value"} == as_json(message, value=value).keys()


def test_half_a_surrogate_pair_in_json() -> None:
    """What UTF-8 can't hold is written as an escape instead of losing the line."""
    assert "\\udc80" == as_json("m", value="\udc80")["value"]


def test_secret_in_json() -> None:
    """A secret is masked there too."""
    assert "***" == as_json("m", value=Secret("canary-key"))["value"]


def test_traceback_in_json() -> None:
    """A traceback is a field."""
    line = json.loads(JsonFormatter().format(failed()))

    assert line["traceback"].startswith("Traceback (most recent call last):")
    assert line["traceback"].endswith("fake\x1b[2J")


def test_foreign_loggers_are_named() -> None:
    """Lines of libraries say whose they are; ours need not."""
    assert "WARNING  m  logger=librdkafka" in TextFormatter().format(record("m", LIBRDKAFKA_LOGGER))
    assert "logger" not in as_json("m")


def test_reserved_fields() -> None:
    """A field can't replace the time, the level or the event."""
    with pytest.raises(AssertionError):
        fields(Code.SUPPRESSED, level="x")


# ---- set-up


@pytest.mark.parametrize(("level", "lines"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_levels(level: LogLevel, lines: int) -> None:
    """The least level that is logged."""
    stream = io.StringIO()
    setup_logging(level, "text", stream, {})
    log = logging.getLogger("consumer.test")
    for write in (log.debug, log.info, log.warning, log.error):
        write("m")

    assert lines == len(stream.getvalue().splitlines())


def test_http_clients_are_quiet() -> None:
    """Httpx logs the URL at INFO, and the key may be in it."""
    stream = io.StringIO()
    setup_logging("debug", "json", stream, {})
    for name in ("httpx", "httpcore", "httpcore.connection"):
        logging.getLogger(name).info("HTTP Request: POST https://example.com/?cfenc=canary-key")
        logging.getLogger(name).warning("seen")

    assert 3 == stream.getvalue().count("seen")
    assert "canary" not in stream.getvalue()


def test_http_clients_obey_a_higher_level() -> None:
    """At `error` their warnings are not logged either."""
    stream = io.StringIO()
    setup_logging("error", "text", stream, {})
    logging.getLogger("httpx").warning("m")

    assert "" == stream.getvalue()


def test_set_up_twice() -> None:
    """The second set-up replaces the first and leaves other handlers alone."""
    first, second = io.StringIO(), io.StringIO()
    others = logging.getLogger().handlers[:]
    setup_logging("info", "text", first, {})
    handler = setup_logging("info", "text", second, {})
    logging.getLogger("consumer").warning("m")

    assert [*others, handler] == logging.getLogger().handlers
    assert "" == first.getvalue()
    assert 1 == second.getvalue().count("m\n")


@pytest.mark.parametrize(
    ("stream", "environ", "coloured"),
    [
        (Terminal(), {}, True),
        (Terminal(), {"NO_COLOR": ""}, True),
        (Terminal(), {"NO_COLOR": "1"}, False),
        (Terminal(), {"TERM": "dumb"}, False),
        (io.StringIO(), {}, False),
    ],
)
def test_colour(stream: io.StringIO, environ: dict[str, str], coloured: bool) -> None:
    """Colour only on a terminal, and not when NO_COLOR asks for none."""
    setup_logging("info", "text", stream, environ)
    logging.getLogger("consumer").error("m")

    assert coloured == ("\x1b[31mERROR  \x1b[0m" in stream.getvalue())
    assert coloured == ("\x1b" in stream.getvalue())
