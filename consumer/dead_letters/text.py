"""Dead letters for people and scripts. Pure.

In what producers wrote, everything that a terminal could obey is escaped: control characters, marks that turn the
direction of text, bytes that are not text.
"""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from consumer.dead_letters.columns import lines
from consumer.dead_letters.selection import DeadLetter
from consumer.foreign_text import printable, printable_bytes
from consumer.sequencing.dead_letter_headers import dead_letter_receipt
from consumer.sequencing.events import Record

USER_CHARACTERS_MAX: Final = 36
DETAIL_CHARACTERS_MAX: Final = 100
HEADINGS: Final = ("DEAD LETTER", "FAILED AT", "REASON", "TYPE", "USER", "ORIGIN", "BYTES", "REPLAYS", "CAUSE")
LEFT_OUT: Final = [HEADINGS.index(name) for name in ("BYTES", "REPLAYS", "ORIGIN", "TYPE", "FAILED AT")]
"""Left out on a narrow terminal, in this order. `dlq show` and `--json` have them."""
USER: Final = HEADINGS.index("USER")
SUMMARY_HEADINGS: Final = ("COUNT", "REASON", "CAUSE, FOR EXAMPLE")
CAUSES_MAX: Final = 10
_NUMBER: Final = re.compile(r"[0-9]+")
_AGE: Final = re.compile(r"([0-9]{1,9})([smhdw])")
_AGE_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def moment_ms(text: str, now: datetime) -> int:
    """`2h` (that long before now; s, m, h, d, w) or an ISO time, in UTC if it names no zone. Raises ValueError."""
    if (age := _AGE.fullmatch(text.strip())) is not None:
        return round((now.timestamp() - int(age[1]) * _AGE_SECONDS[age[2]]) * 1000)
    moment = datetime.fromisoformat(text.strip())
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def iso(milliseconds: int) -> str:
    """UTC to the second."""
    try:
        return f"{datetime.fromtimestamp(milliseconds // 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"
    except (ValueError, OverflowError, OSError):
        return str(milliseconds)


def table(letters: Sequence[DeadLetter], replayed: Iterable[DeadLetter], columns: int | None = None) -> list[str]:
    """A heading, and a line for each. `columns`: how wide a line may be; None: without a limit."""
    done = {id(letter) for letter in replayed}
    rows = [HEADINGS, *(_row(letter, replayed=id(letter) in done) for letter in letters)]
    return lines(rows, columns, LEFT_OUT, USER)


def summary(letters: Iterable[DeadLetter], columns: int | None = None) -> list[str]:
    """A heading, and a line for each reason and cause, the most frequent first.

    Causes that differ in numbers are one.
    """
    counts: Counter[tuple[str, str, str]] = Counter()
    examples: dict[tuple[str, str, str], str] = {}
    for letter in letters:
        text = cause(letter)
        kind = letter.reason, letter.status, _NUMBER.sub("0", text)
        counts[kind] += 1
        examples.setdefault(kind, text)
    rows = [
        (str(count), printable(kind[0]), printable(examples[kind], DETAIL_CHARACTERS_MAX))
        for kind, count in counts.most_common(CAUSES_MAX)
    ]
    if (others := counts.total() - sum(int(row[0]) for row in rows)) > 0:
        rows.append((str(others), "", f"of {len(counts) - CAUSES_MAX} more causes"))
    return lines([SUMMARY_HEADINGS, *rows], columns)


def cause(letter: DeadLetter) -> str:
    """Why it is here: the status once, what else is known, and the destination's own words."""
    only_status = f"the destination answered {letter.status}"
    named = letter.status in letter.detail
    parts = [letter.status if letter.detail == only_status or not named else ""]
    parts += ["" if letter.detail == only_status else letter.detail, letter.body]
    return ": ".join(part for part in parts if part)


def _row(letter: DeadLetter, *, replayed: bool) -> tuple[str, ...]:
    replays = f"{letter.receipt.replays}{' +1' if replayed else ''}"
    return (
        f"{letter.partition}:{letter.offset}",
        iso(letter.failed_at_ms),
        printable(letter.reason),
        letter.type,
        printable(letter.user or "-", USER_CHARACTERS_MAX),
        printable(str(letter.receipt.origin)),
        "omitted" if letter.value_omitted else str(letter.size_bytes),
        replays,
        printable(cause(letter), DETAIL_CHARACTERS_MAX),
    )


def as_json(letter: DeadLetter, *, replayed: bool) -> dict[str, Any]:
    """One line of `dlq list --json`."""
    origin = letter.receipt.origin
    return {
        "partition": letter.partition,
        "offset": letter.offset,
        "failed_at": iso(letter.failed_at_ms),
        "reason": letter.reason,
        "type": letter.type,
        "user": letter.user,
        "origin": {"topic": origin.partition.topic, "partition": origin.partition.number, "offset": origin.offset},
        "item_index": origin.item_index,
        "timestamp_ms": origin.timestamp_ms,
        "status": letter.status or None,
        "detail": letter.detail,
        "body": letter.body or None,
        "size_bytes": letter.size_bytes,
        "value_omitted": letter.value_omitted,
        "batch_omitted": letter.batch_omitted,
        "replays": letter.receipt.replays,
        "replayed": replayed,
    }


def page(record: Record) -> list[str]:
    """All of a dead letter, for `dlq show`."""
    names = [name for name, _ in record.headers or []]
    width = max((len(name) for name in names), default=0)
    shown = [
        f"dead letter  {record.partition.number}:{record.offset} in {printable(record.partition.topic)}",
        f"timestamp    {iso(_produced_ms(record))}",
        f"key          {_or_none(record.key)}",
        "headers",
        *(f"  {printable(name).ljust(width)}  {_or_none(value)}" for name, value in record.headers or []),
        f"value        {'none' if record.value is None else f'{len(record.value)} bytes'}",
    ]
    if record.value is not None:
        shown.append(printable_bytes(record.value))
    return shown


def page_json(record: Record) -> dict[str, Any]:
    """The same as a JSON value. Bytes are text if they are UTF-8, else base64 under another name."""
    return {
        "topic": record.partition.topic,
        "partition": record.partition.number,
        "offset": record.offset,
        "timestamp_ms": _produced_ms(record),
        **_named("key", record.key),
        "headers": [{"name": name, **_named("value", value)} for name, value in record.headers or []],
        **_named("value", record.value),
    }


def _produced_ms(record: Record) -> int:
    """The time of the record that became this dead letter; the dead letter's own if it names none."""
    receipt = dead_letter_receipt(record)
    return record.timestamp_ms if receipt is None else receipt.origin.timestamp_ms


def _or_none(value: bytes | None) -> str:
    return "none" if value is None else printable_bytes(value)


def _named(name: str, value: bytes | None) -> dict[str, str | None]:
    if value is None:
        return {name: None}
    try:
        return {name: value.decode()}
    except UnicodeDecodeError:
        return {f"{name}_base64": base64.b64encode(value).decode()}
