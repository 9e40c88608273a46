"""Records with Segment events in them, the end that each comes to, and the request that CustomFit gets."""

from __future__ import annotations

import io
import json
from typing import Any, Final

import fastavro

from consumer.avro.reader import event_schema, fingerprint
from consumer.choices import ApiDialect
from consumer.customfit.mapping import request_body
from consumer.segment.decoding import DecodingRules, decode
from consumer.segment.usual_event import usual_event
from consumer.sequencing.assignment import Assignment
from consumer.sequencing.events import Batch, Decoded, Event, Kind, Partition, Record, Skipped
from consumer.sequencing.lanes import Delivery, Lane
from consumer.sequencing.offsets import OffsetTracker
from consumer.sequencing.rule import DeliveryKind

PARTITION: Final = Partition("segment-events", 3)
RECORD_MS: Final = 1_795_428_000_456
RECORD_TIME: Final = "2026-11-23 10:00:00.456Z"


def record(value: bytes | None, *, offset: int = 42, timestamp_ms: int = RECORD_MS) -> Record:
    """A record with this value."""
    return Record(PARTITION, offset, timestamp_ms, b"u1", value)


def segment(fields: dict[str, Any] | None = None, /, **more: Any) -> bytes:
    """The JSON of a track of u1, with these fields in place of its own or besides."""
    return json.dumps({"type": "track", "userId": "u1", "event": "Signed Up", **(fields or {}), **more}).encode()


def single_object(event: dict[str, Any] | None) -> bytes:
    """An event by our schema behind its fingerprint; None: that alone."""
    target = io.BytesIO()
    if event is not None:
        fastavro.schemaless_writer(target, event_schema(), event)
    return b"\xc3\x01" + fingerprint(event_schema()) + target.getvalue()


def decoded(value: bytes | None, rules: DecodingRules | None = None) -> Decoded:
    """What a record with this value is; if the short way finds an event in it, then the same."""
    rules, whole = rules or DecodingRules(), record(value)
    made = decode(whole, rules)
    assert not isinstance(made, Batch)
    short = usual_event(whole, rules)
    assert short is None or fields_of(made) == fields_of(short)
    return made


def fields_of(made: Decoded) -> tuple[Any, ...]:
    """What it says, to be compared."""
    names = (*made.__struct_fields__, "payload") if isinstance(made, Event) else made.__slots__
    return (type(made), *(getattr(made, name) for name in names if name != "raw_payload"))


def event(value: bytes, rules: DecodingRules | None = None) -> Event:
    """The event in a record that has one."""
    made = decoded(value, rules)
    assert isinstance(made, Event), made
    return made


def end(value: bytes | None, rules: DecodingRules | None = None) -> str:
    """`sent`, or how a record with this value ends instead, and why."""
    made = decoded(value, rules)
    if isinstance(made, Event):
        return "sent"
    return f"{'skipped' if isinstance(made, Skipped) else 'dead letter'}: {made.reason.value}"


def body(*events: Event, dialect: ApiDialect = "destination", kind: DeliveryKind | None = None) -> bytes:
    """The request with these events of one user: what their type asks for, or an introduction."""
    if kind is None:
        kind = DeliveryKind.IDENTIFY if events[0].kind is Kind.IDENTIFY else DeliveryKind.EVENTS
    lane = Lane(Assignment(PARTITION, OffsetTracker(0)), events[0].user, identified=True)
    return request_body(Delivery(lane, kind, list(events)), dialect)
