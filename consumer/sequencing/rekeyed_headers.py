"""What `rekey` says of a record that it has copied: where it lay, and with which key. Pure.

The topic of `rekey` holds records of another topic under the id of their user. Behind a record's own headers stands a
tail of ours, which begins with `customfit.origin`:

    customfit.origin             topic/partition/offset of the record as it was produced
    customfit.origin_life        the beginning of that topic's id, with an @ before it if an earlier topic had its name:
                                 then it is part of the insert_id, as where `run` reads such a topic itself
    customfit.origin_key         its key, where it had one
    customfit.origin_timestamp   its time, where the topic did not take it
    customfit.item_index         the value is a batch with one item, which had this place in its batch

Whoever may write to a topic could say such things of a record. So `rekey` leaves these headers out of what it reads,
and `run` believes them only where CUSTOMFIT_REKEYED says that `rekey` alone writes its topic.
"""

from __future__ import annotations

from typing import Final

from consumer.sequencing.events import Headers, Partition, Record

ORIGIN: Final = "customfit.origin"
ORIGIN_LIFE: Final = "customfit.origin_life"
ORIGIN_KEY: Final = "customfit.origin_key"
ORIGIN_TIMESTAMP: Final = "customfit.origin_timestamp"
OURS: Final = frozenset({ORIGIN, ORIGIN_LIFE, ORIGIN_KEY, ORIGIN_TIMESTAMP})
LATER: Final = b"@"
"""So begins what is said of a topic that was made again under its name."""
DIGITS_MAX: Final = 19


def origin_tail(record: Record, life: bytes) -> Headers:
    """What goes behind the headers of this record when it is written under another key. `life`: of its topic."""
    topic, number = record.partition
    said: Headers = [(ORIGIN, b"%s/%d/%d" % (topic.encode(), number, record.offset))]
    if life:
        said.append((ORIGIN_LIFE, life))
    if record.key is not None:
        said.append((ORIGIN_KEY, record.key))
    return said


def without_claims(headers: Headers | None) -> Headers:
    """The headers that a record has of its producer, without those that only `rekey` may write."""
    return [] if headers is None else [header for header in headers if header[0] not in OURS]


def own_headers(headers: Headers | None) -> Headers:
    """The headers that a rekeyed record had where it was produced."""
    start = _tail_start(headers)
    return [] if headers is None else headers if start is None else headers[:start]


def said_place(headers: Headers | None) -> tuple[Partition, int] | None:
    """Partition and offset as `customfit.origin` says them; None where there is none that can be read."""
    start = _tail_start(headers)
    if headers is None or start is None:
        return None
    parts = (headers[start][1] or b"").decode(errors="replace").split("/")
    if len(parts) != 3 or not parts[0] or not all(_is_number(part) for part in parts[1:]):
        return None
    return Partition(parts[0], int(parts[1])), int(parts[2])


def said_life(headers: Headers | None) -> str | None:
    """What `customfit.origin_life` says; None where there is none, as in what earlier versions wrote."""
    start = _tail_start(headers)
    said = None if headers is None or start is None else dict(headers[start:]).get(ORIGIN_LIFE)
    return None if said is None else said.decode("ascii", errors="replace")


def said_key(record: Record) -> bytes | None:
    """The key with which a rekeyed record was produced."""
    start = _tail_start(record.headers)
    if record.headers is None or start is None:
        return record.key
    return dict(record.headers[start:]).get(ORIGIN_KEY)


def said_timestamp_ms(record: Record) -> int:
    """The time with which a rekeyed record was produced."""
    start = _tail_start(record.headers)
    said = None if record.headers is None or start is None else dict(record.headers[start:]).get(ORIGIN_TIMESTAMP)
    text = (said or b"").decode(errors="replace")
    return int(text) if _is_number(text) else record.timestamp_ms


def is_origin_alone(headers: Headers) -> bool:
    """Whether there is no other header than those that `rekey` adds to a record with one event."""
    return headers[0][0] == ORIGIN and all(name in OURS for name, _ in headers)


def _tail_start(headers: Headers | None) -> int | None:
    return next((at for at in reversed(range(len(headers or ()))) if (headers or [])[at][0] == ORIGIN), None)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= DIGITS_MAX
