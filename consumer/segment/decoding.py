"""Record → event, or the reason why not. Pure; whatever the bytes are, the answer is a value and never an exception.

Only the envelope is read; `properties` and `traits` stay JSON text and are passed on as they came (big integers exact,
key order kept). What msgspec 0.22 does not check in text that it skips is UTF-8, so that is checked here.

A record is one event, or a batch of events as Segment's HTTP API takes them, of which each is judged alone. What can't
be read at the first go is read with care (envelope.py), and such a batch is taken apart first (batch_split.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from consumer.choices import Anonymous, Integrations
from consumer.segment.batch_part import DECIDING_BYTES_MAX, BatchEnvelope, Shared, batch_of, shared
from consumer.segment.batch_split import split
from consumer.segment.engage import personas_in
from consumer.segment.envelope import (
    HALF,
    Envelope,
    Flaw,
    checked,
    decode_envelope,
    read_envelope,
    read_with_care,
)
from consumer.segment.event_of import event_of, invalid
from consumer.segment.surrogates import Repaired
from consumer.sequencing.dead_letter_headers import (
    BATCH_OMITTED,
    ITEM_INDEX,
    holds_one_item,
    named_item,
    omitted,
)
from consumer.sequencing.events import (
    Batch,
    DeadLetterReason,
    Decoded,
    Event,
    Item,
    Kind,
    Record,
    Rejected,
    Skipped,
    SkipReason,
)
from consumer.settings.name_filter import NameFilter

BATCH_ITEMS_MAX: Final = 2500
"""Segment's own limit. It also limits what one record of 1 MiB may become: otherwise 500,000 events of two bytes."""
ITEM_LETTER_BYTES: Final = DECIDING_BYTES_MAX + len(b'{"batch":[],}')


@dataclass(frozen=True, slots=True)
class DecodingRules:
    """The settings that decide whether an event is for us."""

    anonymous: Anonymous = "skip"
    integrations: Integrations = "respect"
    record_bytes_max: int = 1_048_576
    replay_topic: str = ""
    """Its records have the insert_id and the time of the record that they were at first."""
    topic_life: str = ""
    """Part of the insert_ids of the source's records, if an earlier topic had its name."""
    name_filter: NameFilter | None = None
    rekeyed: bool = False
    """`rekey` alone writes the source: its headers say where a record lay before."""


def decode(record: Record, rules: DecodingRules, text: bytes | None = None) -> Decoded | Batch:
    """Read one record. `text`: its JSON, if the value is not JSON itself (Avro)."""
    value = record.value if text is None else text
    if value is None:
        return Skipped(record, "tombstone", SkipReason.TOMBSTONE)
    # The batch was within the limit. What a dead letter puts around its item may be some bytes more.
    more = ITEM_LETTER_BYTES if len(value) > rules.record_bytes_max and holds_one_item(record.headers) else 0
    if len(value) > rules.record_bytes_max + more:
        detail = f"{len(value)} bytes; CUSTOMFIT_RECORD_BYTES_MAX is {rules.record_bytes_max}"
        return Rejected(record, "undecodable", DeadLetterReason.TOO_LARGE, detail)
    try:
        envelope = read_envelope(value)
    except msgspec.ValidationError:
        batch = batch_of(value)
        return _with_care(record, value, rules) if batch is None else _batch(record, batch, rules)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _with_care(record, value, rules)
    if envelope.type == "batch" and (batch := batch_of(value)) is not None:
        return _batch(record, batch, rules)
    return event_of(record, envelope, personas_in(envelope.context), rules)


def _with_care(record: Record, value: bytes, rules: DecodingRules) -> Decoded | Batch:
    """A record that can't be read as it is. In a batch each item is judged alone."""
    text = checked(value)
    if not isinstance(text, bytes) and (parts := split(value, BATCH_ITEMS_MAX)) is not None:
        rest = checked(parts.rest)
        batch = None if isinstance(rest, Flaw) else batch_of(rest if isinstance(rest, bytes) else rest.text)
        if batch is not None and len(parts.items) > BATCH_ITEMS_MAX:
            detail = f"a batch of more than {BATCH_ITEMS_MAX} events"
            return Rejected(record, "unknown", DeadLetterReason.TOO_LARGE, detail)
        if batch is not None:
            batch.batch = list(map(msgspec.Raw, parts.items))
            return _batch(record, batch, rules, is_sound=False)
    return _careful(record, text, None, rules)


def _careful(record: Record, text: bytes | Repaired | Flaw, batch: Shared | None, rules: DecodingRules) -> Decoded:
    """The event in a text, or what is wrong with it. `batch`: what it inherits from its batch."""
    read = text if isinstance(text, Flaw) else read_with_care(text)
    if isinstance(read, Flaw):
        type_ = "undecodable" if read.reason is DeadLetterReason.UNDECODABLE else "unknown"
        of_batch = "" if record.item is None else f"item {record.item.index} of the batch: "
        return Rejected(record, type_, read.reason, of_batch + read.detail)
    made = _of_batch(record, read.envelope, batch, rules)
    if not isinstance(made, Event):
        return made
    if read.half_in_a_key:
        return invalid(record, made.kind, f"{HALF} in a key")
    replaced = read.replaced.get("traits" if made.kind is Kind.IDENTIFY else "properties", 0)
    is_sent = made.raw_payload is not None
    return msgspec.structs.replace(made, replaced_surrogates=replaced) if replaced and is_sent else made


def _batch(record: Record, batch: BatchEnvelope, rules: DecodingRules, *, is_sound: bool = True) -> Decoded | Batch:
    """The events of a batch. `is_sound`: all of its text is known to be JSON."""
    texts = batch.batch
    if not texts:
        return Skipped(record, "unknown", SkipReason.EMPTY_BATCH)
    if len(texts) > BATCH_ITEMS_MAX:
        detail = f"a batch of {len(texts)} events; the limit is {BATCH_ITEMS_MAX}"
        return Rejected(record, "unknown", DeadLetterReason.TOO_LARGE, detail)
    named = named_item(record.headers)
    if named is None:
        of_batch = shared(batch)
        items = [_item(record, index, text, of_batch, rules, is_sound=is_sound) for index, text in enumerate(texts)]
        return Batch(record, items)
    header, index = named
    is_alone = header == ITEM_INDEX
    places = BATCH_ITEMS_MAX if is_alone else len(texts)
    if not index.isdigit() or len(index) > 4 or int(index) >= places or (is_alone and len(texts) > 1):
        detail = f"its header {header} names none of its {len(texts)} events"
        return Rejected(record, "unknown", DeadLetterReason.INVALID_EVENT, detail)
    text = texts[0 if is_alone else int(index)]
    left_out = omitted(record.headers, BATCH_OMITTED) if is_alone else 0
    item = _item(record, int(index), text, shared(batch, left_out), rules, is_sound=is_sound)
    if left_out:  # without it an event might be sent that must not be, or with other traits
        detail = f"item {int(index)} of a batch of which the part that decides is missing ({left_out} bytes)"
        item = Rejected(item.record, item.type, DeadLetterReason.INVALID_EVENT, detail)
    return Batch(record, [item])


def _item(
    record: Record, index: int, text: msgspec.Raw, batch: Shared, rules: DecodingRules, *, is_sound: bool
) -> Decoded:
    """One event of a batch."""
    at = (record.partition, record.offset, record.timestamp_ms, record.key, record.value, record.headers)
    item = Record(*at, record.fetched_at, record.size_bytes, Item(index, text, batch.part), len(memoryview(text)))
    try:
        envelope = decode_envelope(text) if is_sound else read_envelope(bytes(text))
    except (msgspec.DecodeError, UnicodeDecodeError):
        whole = checked(bytes(text))
        if isinstance(whole, Flaw) or batch_of(whole if isinstance(whole, bytes) else whole.text) is None:
            return _careful(item, whole, batch, rules)
        envelope = None
    if envelope is None or envelope.type == "batch":
        detail = f"item {index} of the batch: a batch"
        return Rejected(item, "unknown", DeadLetterReason.INVALID_EVENT, detail)
    return _of_batch(item, envelope, batch, rules)


def _of_batch(record: Record, envelope: Envelope, batch: Shared | None, rules: DecodingRules) -> Decoded:
    """The event, with the batch's times, context and integrations if it has none of its own."""
    if batch is None:
        return event_of(record, envelope, personas_in(envelope.context), rules)
    envelope.sentAt = batch.sent_at if envelope.sentAt is None else envelope.sentAt
    envelope.receivedAt = batch.received_at if envelope.receivedAt is None else envelope.receivedAt
    has_own = b'"personas"' in bytes(envelope.context)
    if batch.integrations is not None:
        own = envelope.integrations
        envelope.integrations = {**batch.integrations, **own} if isinstance(own, dict) else batch.integrations
    return event_of(record, envelope, personas_in(envelope.context) if has_own else batch.personas, rules)
