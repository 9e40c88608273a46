"""What a dead letter says of itself, and what a replayed one carries through. Pure.

A dead letter is the record as it was, and behind its own headers a tail of ours that begins with the last
`__connect.errors.topic`. A record of the replay topic is that dead letter unchanged, plus one header or two:

    customfit.replays     how many times this record has been replayed: with the origin it says which dead letter this
                          is a replay of, so it is the receipt of it as well
    customfit.timestamp   the record's timestamp, where the dead letter does not say it. The dead letter has the time at
                          which its topic took it, the replay that of the replay: with the old one retention would
                          remove them before they are read, and the lag would be weeks

A dead letter of an item of a batch holds a batch of that item alone, and `customfit.item_index` says which it was.
Those of earlier versions hold the whole batch, and `customfit.batch_index` says which item is meant; both are read.

When it becomes a dead letter once more, the tail is replaced and speaks of the original record again: a second replay
sends the same insert_id, and headers do not grow from replay to replay.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from consumer.sequencing.events import Headers, Partition, Record
from consumer.sequencing.rekeyed_headers import LATER, own_headers, said_life, said_place, said_timestamp_ms

TOPIC: Final = "__connect.errors.topic"
PARTITION: Final = "__connect.errors.partition"
OFFSET: Final = "__connect.errors.offset"
MESSAGE: Final = "__connect.errors.exception.message"
REASON: Final = "customfit.reason"
STATUS: Final = "customfit.http.status"
BODY: Final = "customfit.http.body"
FAILED_AT: Final = "customfit.failed_at"
REPLAYS: Final = "customfit.replays"
TIMESTAMP: Final = "customfit.timestamp"
TOPIC_LIFE: Final = "customfit.topic_life"
"""The first characters of the topic's id, if several topics have had this name."""
ITEM_INDEX: Final = "customfit.item_index"
"""The value is a batch with one item. This was the item's place in its own batch."""
BATCH_INDEX: Final = "customfit.batch_index"
"""The value is a whole batch, and only this item of it is meant. Still read, no longer written."""
VALUE_OMITTED: Final = "customfit.value_omitted"
BATCH_OMITTED: Final = "customfit.batch_omitted"
"""How many bytes of what the batch said for the item were left out, since a dead letter does not take so much along."""
HEADERS_OMITTED: Final = "customfit.headers_omitted"
KEY_OMITTED: Final = "customfit.key_omitted"


TOPIC_LIFE_CHARACTERS: Final = 8


class Origin(NamedTuple):
    """Where a record stood when its producer wrote it, and when that was."""

    partition: Partition
    offset: int
    timestamp_ms: int
    item_index: int | None = None
    topic_life: str = ""
    """The first characters of the topic's id, if an earlier topic had this name."""

    def __str__(self) -> str:
        place = f"{self.partition}-{self.offset}"
        if self.item_index is not None:
            place += f"-{self.item_index}"
        return f"{place}@{self.topic_life}" if self.topic_life else place


class Receipt(NamedTuple):
    """Names a dead letter for good: which record, and how many times it had been replayed before.

    It is not the dead letter's own place: a crash between the dead letter and its commit leaves two of them, and one
    replay is enough. The timestamp in the origin tells records apart when a topic was deleted and made again.
    """

    origin: Origin
    replays: int


def origin_of(record: Record, replay_topic: str, *, rekeyed: bool = False) -> Origin:
    """Where the record came from. Only a record in the replay topic may say so itself, or one that `rekey` wrote."""
    own = Origin(record.partition, record.offset, record.timestamp_ms, record.item_index)
    if record.partition.topic != replay_topic:
        return (_rekeyed_origin(record) or own) if rekeyed else own
    said = _origin(tail(record.headers), record.timestamp_ms) or own
    return said if said.item_index is not None else said._replace(item_index=record.item_index)


def dead_letter_receipt(record: Record) -> Receipt | None:
    """Which dead letter this is; None if the record does not say where it came from."""
    said = tail(record.headers)
    origin = _origin(said, record.timestamp_ms)
    return None if origin is None else Receipt(origin, _whole(said.get(REPLAYS)) or 0)


def replay_receipt(record: Record) -> Receipt | None:
    """Which dead letter this record of the replay topic is a replay of."""
    said = tail(record.headers)
    origin = _origin(said, record.timestamp_ms)
    replays = _whole(said.get(REPLAYS)) or 0
    return None if origin is None or replays < 1 else Receipt(origin, replays - 1)


def replay_headers(dead_letter: Record, receipt: Receipt) -> Headers:
    """The headers of the dead letter's replay."""
    headers = [*(dead_letter.headers or []), (REPLAYS, str(receipt.replays + 1).encode())]
    if TIMESTAMP not in tail(dead_letter.headers):
        headers.append((TIMESTAMP, str(receipt.origin.timestamp_ms).encode()))
    return headers


def carried(record: Record, replay_topic: str, *, rekeyed: bool = False) -> tuple[Headers, int]:
    """The producer's own headers, which a dead letter keeps, and how many times the record has been replayed."""
    headers = record.headers or []
    if record.partition.topic != replay_topic:
        return own_headers(headers) if rekeyed else headers, 0
    if (start := _tail_start(headers)) is None:
        return headers, 0
    return headers[:start], _whole(tail(headers).get(REPLAYS)) or 0


def named_item(headers: Headers | None) -> tuple[str, bytes] | None:
    """Which item of its batch a record is about: name and value of the last header that says so.

    It is believed in the source topic, too: tools that copy dead letters back there keep the headers.
    """
    for name, value in reversed(headers or []):
        if name in (ITEM_INDEX, BATCH_INDEX):
            return name, value or b""
    return None


def holds_one_item(headers: Headers | None) -> bool:
    """Whether the value is JSON that we made: a batch of one item, in whatever format its batch was."""
    found = named_item(headers)
    return found is not None and found[0] == ITEM_INDEX


def omitted(headers: Headers | None, name: str) -> int:
    """How many bytes a dead letter says that it left out; 0 where it says nothing."""
    return _whole(tail(headers).get(name)) or 0


def tail(headers: Headers | None) -> dict[str, bytes]:
    """The headers that were added when the record became a dead letter.

    If a name stands there twice, the last counts.
    """
    start = _tail_start(headers or [])
    return {} if headers is None or start is None else {name: value or b"" for name, value in headers[start:]}


def _tail_start(headers: Headers) -> int | None:
    return next((index for index in reversed(range(len(headers))) if headers[index][0] == TOPIC), None)


def _rekeyed_origin(record: Record) -> Origin | None:
    place = said_place(record.headers)
    if place is None:
        return None
    index = record.item_index
    if index is None and (named := named_item(record.headers)) is not None:  # an item that can't be read as one
        index = _whole(named[1])
    life = said_life(record.headers) or ""
    later = LATER.decode()
    topic_life = life.removeprefix(later)[:TOPIC_LIFE_CHARACTERS] if life.startswith(later) else ""
    return Origin(*place, said_timestamp_ms(record), index, topic_life)


def _origin(said: dict[str, bytes], timestamp_ms: int) -> Origin | None:
    topic = said.get(TOPIC, b"").decode(errors="replace")
    number, offset = _whole(said.get(PARTITION)), _whole(said.get(OFFSET))
    if not topic or number is None or offset is None:
        return None
    carried_ms = _whole(said.get(TIMESTAMP))
    item_index = _whole(said.get(ITEM_INDEX) or said.get(BATCH_INDEX))
    timestamp_ms = timestamp_ms if carried_ms is None else carried_ms
    topic_life = said.get(TOPIC_LIFE, b"")[:TOPIC_LIFE_CHARACTERS].decode("ascii", errors="replace")
    return Origin(Partition(topic, number), offset, timestamp_ms, item_index, topic_life)


def _whole(text: bytes | None) -> int | None:
    # 19 digits hold what Kafka counts; int() alone would take blanks, signs and a megabyte of digits.
    return int(text) if text is not None and text.isdigit() and len(text) <= 19 else None
