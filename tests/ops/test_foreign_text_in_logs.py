"""Text of every script and every control character in log lines, in both formats: one line each, safe to show."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator, Mapping
from typing import Final

import pytest

from consumer.choices import LogFormat
from consumer.log_codes import Code, fields
from consumer.ops.logs import VALUE_CHARACTERS_MAX, setup_logging
from consumer.ops.metrics import Metrics
from consumer.ops.reporter import Reporter
from consumer.segment.decoding import DecodingRules, decode
from consumer.sequencing.actions import WriteDeadLetter
from consumer.sequencing.assignment import Assignment
from consumer.sequencing.events import DeadLetterReason, Rejected
from consumer.sequencing.offsets import OffsetTracker
from tests.fakes.foreign_strings import TEXTS
from tests.ops.given_snapshot import snapshot
from tests.segment.given_events import PARTITION, record

log: Final = logging.getLogger("consumer")
HALVES: Final = ["\ud83d", "a\ude00b", "\udcff"]
TEXT_LINE: Final = re.compile(r"[-0-9T:.]{23}Z [A-Z]+ +(?P<message>.*)", re.DOTALL)


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def written(log_format: LogFormat, *lines: tuple[str, Mapping[str, object]]) -> list[str]:
    """What goes to a stream that takes UTF-8 and nothing else."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="utf-8", newline="")
    logging.getLogger().handlers.clear()  # what the tests' runner keeps, it must be able to write down
    setup_logging("info", log_format, stream)
    for message, values in lines:
        log.warning("%s", message, extra=fields(Code.DEAD_LETTER, **values))
    stream.flush()
    return raw.getvalue().decode().split("\n")[:-1]


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_text_in_a_message_and_in_a_field(log_format: LogFormat) -> None:
    """As many lines as were said, and no character that a terminal obeys or that ends a line for some reader."""
    texts = [*TEXTS, *HALVES]
    lines = written(log_format, *((f"it said {text}", {"user": text, "n": 7}) for text in texts))

    assert len(texts) == len(lines)
    for line, text in zip(lines, texts, strict=True):
        assert line.isprintable(), ascii(text)
        assert [line] == line.splitlines()


def test_a_line_of_json_says_what_was_said() -> None:
    """To a parser: the same characters, however they are escaped."""
    lines = written("json", *((f"it said {text}", {"user": text}) for text in TEXTS))

    for line, text in zip(lines, TEXTS, strict=True):
        read = json.loads(line)
        assert (f"it said {text}", text) == (read["event"], read["user"])
        assert len(text) <= VALUE_CHARACTERS_MAX


def test_a_line_of_text_has_one_field_and_no_forged_one() -> None:
    """Whatever stands in a value: it is quoted where it could be taken for more than one."""
    lines = written("text", *(("said", {"user": text, "last": "end"}) for text in TEXTS))

    for line, text in zip(lines, TEXTS, strict=True):
        match = TEXT_LINE.fullmatch(line)
        assert match is not None
        assert match["message"].startswith("said  user=")
        assert match["message"].endswith(" last=end code=dead_letter")
        shown = match["message"].removeprefix("said  user=").removesuffix(" last=end code=dead_letter")
        is_quoted = shown.startswith('"') and re.fullmatch(r'"(?:[^"\\]|\\.)*"', shown) is not None
        assert is_quoted or not re.search(r'[ "=]', shown), ascii(text)


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_an_event_that_is_refused_is_told_in_one_line(log_format: LogFormat) -> None:
    """With a text in each of its fields, and in what the destination says of it."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="utf-8", newline="")
    logging.getLogger().handlers.clear()
    setup_logging("info", log_format, stream)
    assignment = Assignment(PARTITION, OffsetTracker(0))
    for text in TEXTS:
        reporter = Reporter(Metrics(snapshot), "letters")  # of its own, or most lines would be held back
        value = json.dumps({"type": "track", "userId": text, "event": {text: text}, "properties": text}).encode()
        made = decode(record(value), DecodingRules())
        assert isinstance(made, Rejected)
        reporter.rejected(made)
        reporter.dead_lettered(WriteDeadLetter(assignment, made.record, made.reason, made.detail))
        body = text.encode() + b"\xff\xfe\x1b[2J"
        reporter.dead_lettered(WriteDeadLetter(assignment, made.record, DeadLetterReason.REFUSED, text, 400, body))
    stream.flush()
    lines = raw.getvalue().decode().split("\n")[:-1]

    assert 2 * len(TEXTS) == len(lines)
    assert all(line.isprintable() for line in lines)
    if log_format == "json":
        assert all(text in json.loads(line)["event"] for text, line in zip(TEXTS, lines[1::2], strict=True))
