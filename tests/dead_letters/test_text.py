"""What `dlq list` and `dlq show` print: safe on a terminal, exact for scripts."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import pytest

from consumer.dead_letters.selection import DeadLetter, read_dead_letter
from consumer.dead_letters.text import as_json, cause, iso, moment_ms, page, page_json, summary, table
from consumer.sequencing.events import Partition, Record
from consumer.settings.masking import Masker

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


def read(
    number: int, reason: str, detail: str, status: str = "", body: str = "", *, masker: Masker | None = None
) -> DeadLetter:
    """A dead letter with this tail."""
    said = {
        "__connect.errors.topic": "events",
        "__connect.errors.partition": "0",
        "__connect.errors.offset": str(number),
        "__connect.errors.exception.message": detail,
        "customfit.reason": reason,
        "customfit.http.status": status,
        "customfit.http.body": body,
    }
    headers: list[tuple[str, bytes | None]] = [(name, text.encode()) for name, text in said.items() if text]
    letter = read_dead_letter(
        Record(Partition("dlq", 0), number, 0, b"ann", b"{}", headers), {}, (masker or Masker()).beginning_of
    )
    assert letter is not None
    return letter


REFUSED = read(1, "refused", "the destination answered 400", "400", '{"error":"no such event"}')
GAVE_UP = read(2, "gave_up", "failing for 905 s while other users succeed: 503", "503", "busy")
OTHER = read(3, "refused", "something else", "422")


@pytest.mark.parametrize(
    ("letter", "expected"),
    [
        (REFUSED, '400: {"error":"no such event"}'),
        (GAVE_UP, "failing for 905 s while other users succeed: 503: busy"),
        (OTHER, "422: something else"),
        (read(4, "undecodable", "not JSON"), "not JSON"),
    ],
)
def test_the_cause_has_the_body_and_the_status_once(letter: DeadLetter, expected: str) -> None:
    """What the destination said is what one looks for."""
    assert expected == cause(letter)
    assert table([letter], [])[1].endswith(f"  {expected}")


def test_what_an_earlier_version_wrote_down_is_listed_without_secrets() -> None:
    """In what was answered and in what is known beside it; where it is cut off no piece of one is left."""
    masker = Masker(["s3cret/value"])
    letter = read(1, "refused", "it said s3cret%2Fvalue", "400", "x" * 110 + "s3cret\\/value", masker=masker)
    cut = read(1, "refused", "", "400", "s3cret/va", masker=masker)

    assert ("it said ***", "x" * 110 + "***", "***") == (letter.detail, letter.body, cut.body)
    assert "s3cret" not in "".join([*table([letter], []), *summary([letter]), str(as_json(letter, replayed=False))])


def test_the_summary_counts_by_reason_and_cause() -> None:
    """The most frequent first, with one of them as the example; other numbers are no other cause."""
    later = [read(n, "gave_up", f"failing for {n} s while other users succeed: 503", "503", "busy") for n in (906, 907)]

    assert [
        "COUNT  REASON   CAUSE, FOR EXAMPLE",
        "3      gave_up  failing for 905 s while other users succeed: 503: busy",
        '1      refused  400: {"error":"no such event"}',
        "1      refused  422: something else",
    ] == summary([REFUSED, GAVE_UP, OTHER, *later])


def test_a_summary_is_short() -> None:
    """However many causes there are: the others are counted."""
    letters = [read(n, "refused", "the destination answered 400", "400", "x" * n) for n in range(1, 14)]

    assert 12 == len(summary(letters))
    assert "3               of 3 more causes" == summary(letters)[-1]


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


@pytest.mark.parametrize("columns", [60, 80, 100, 150])
def test_a_list_fits_the_terminal(columns: int) -> None:
    """What is left out is what `dlq show` has; where one lies, why, whose it is and the cause are always there."""
    letters = [REFUSED, GAVE_UP, OTHER]
    heading, *rows = table(letters, [], columns)
    whole = [len(line) for line in table(letters, [])]

    assert columns >= max(map(len, [heading, *rows, *summary(letters, columns)]))
    assert {"DEAD LETTER", "REASON", "USER", "CAUSE"} <= set(re.split("  +", heading))
    assert ("FAILED AT" in heading) == (columns >= 80)
    assert ("BYTES" in heading) == (columns >= 150)
    assert max(whole) > 100
