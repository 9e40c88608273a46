"""What `dlq list` and `dlq show` print: safe on a terminal, exact for scripts."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from consumer.dead_letters.selection import read_dead_letter
from consumer.dead_letters.text import as_json, iso, moment_ms, page, page_json, table
from consumer.sequencing.events import Partition, Record

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
EVIL = "\x1b]0;title\x07\x1b[2J\u202egnp.exe\r\n\x00\u2028\x9b31m"


def a_dead_letter(value: bytes = EVIL.encode(), key: bytes | None = EVIL.encode()) -> Record:
    """With hostile text wherever a producer can put it."""
    headers: list[tuple[str, bytes | None]] = [
        (EVIL, b"\xff\xfe"),
        ("none", None),
        ("__connect.errors.topic", EVIL.encode()),
        ("__connect.errors.partition", b"3"),
        ("__connect.errors.offset", b"42"),
        ("__connect.errors.exception.message", EVIL.encode()),
        ("customfit.reason", EVIL.encode()),
        ("customfit.http.status", EVIL.encode()),
    ]
    return Record(Partition("dlq", 3), 7, 1_795_428_000_456, key, value, headers)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90s", "2026-11-24T11:58:30Z"),
        ("30m", "2026-11-24T11:30:00Z"),
        ("2h", "2026-11-24T10:00:00Z"),
        (" 3d ", "2026-11-21T12:00:00Z"),
        ("1w", "2026-11-17T12:00:00Z"),
        ("2026-11-23", "2026-11-23T00:00:00Z"),
        ("2026-11-23T10:00", "2026-11-23T10:00:00Z"),
        ("2026-11-23T10:00:00+02:00", "2026-11-23T08:00:00Z"),
        ("2026-11-23T10:00:00Z", "2026-11-23T10:00:00Z"),
    ],
)
def test_moments(text: str, expected: str) -> None:
    """So long ago, or an ISO time, in UTC unless it says otherwise."""
    assert expected == iso(moment_ms(text, NOW))


@pytest.mark.parametrize("text", ["", "soon", "2", "h", "-2h", "2 h", "2026-13-01", "2.5h"])
def test_what_is_no_moment(text: str) -> None:
    """Anything else is refused."""
    with pytest.raises(ValueError, match=r".*"):
        moment_ms(text, NOW)


def test_nothing_that_a_terminal_obeys_is_printed() -> None:
    """Escapes, controls, direction marks and line separators are shown, not sent; each record stays on its line."""
    record = a_dead_letter()
    letter = read_dead_letter(record, {})
    assert letter is not None
    lines = [*page(record), *table([letter], [])]

    assert all(line.isprintable() for line in lines)
    assert 2 == len(table([letter], []))
    assert r"\x1b]0;title\x07" in "\n".join(lines)
    assert r"\xff\xfe" in "\n".join(lines)
    assert r"\u202e" in "\n".join(lines)


def test_json_is_exact() -> None:
    """Scripts get what lies there: text as text, other bytes in base64, one line of ASCII each."""
    record = a_dead_letter(b"\xff\x00", None)
    letter = read_dead_letter(record, {})
    assert letter is not None
    shown = page_json(record)
    line = json.dumps(as_json(letter, replayed=True))

    assert ("/wA=", None) == (shown["value_base64"], shown["key"])
    assert {"name": EVIL, "value_base64": "//4="} == shown["headers"][0]
    assert {"name": "none", "value": None} == shown["headers"][1]
    assert line.isprintable()
    assert EVIL == json.loads(line)["reason"]


@pytest.mark.parametrize("milliseconds", [10**18, -(10**18)])
def test_an_impossible_time_is_its_number(milliseconds: int) -> None:
    """A clock that was never right must not end the command."""
    assert str(milliseconds) == iso(milliseconds)
