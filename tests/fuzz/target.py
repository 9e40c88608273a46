"""What holds for any bytes in the topic: each record comes to a documented end, and what is sent is JSON."""

from __future__ import annotations

import json
from typing import Final, NoReturn

from consumer.avro.known_schemas import Unreadable
from consumer.avro.reader import avro_reader, single_object_readers
from consumer.avro.schema_safety import UnusableSchema
from consumer.avro.wire_format import Encoded, wire_format
from consumer.choices import ApiDialect
from consumer.segment.decoding import DecodingRules, decode
from consumer.sequencing.events import Batch, Decoded, Event, Kind, Record, Rejected, Skipped
from consumer.sequencing.rule import DeliveryKind
from tests.segment.given_events import body, record

SCHEMA: Final = b"schema "
"""An input that begins with this is a line with an Avro schema, and a payload written with it."""
RULES: Final = (DecodingRules(), DecodingRules(anonymous="forward", integrations="ignore"))
DIALECTS: Final[tuple[ApiDialect, ...]] = ("destination", "sdk")

_readers = single_object_readers()


def check(value: bytes) -> None:
    """Do with this value what `run` does; raises whatever is not as documented."""
    if value.startswith(SCHEMA):
        _check_with_its_schema(value.removeprefix(SCHEMA))
        return
    one = record(value)
    text: bytes | None = None
    form = wire_format(one, "auto")
    if isinstance(form, Encoded):
        read = _readers.get(form.schema) if isinstance(form.schema, bytes) else None
        if read is None:
            return  # no such schema: the record is a dead letter
        try:
            text = read(form.payload)
        except Unreadable:
            return
    _check_ends(one, text)


def _check_with_its_schema(value: bytes) -> None:
    line, _, payload = value.partition(b"\n")
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        return  # a registry answers JSON
    try:
        text = avro_reader([document])(payload)
    except (UnusableSchema, Unreadable):
        return
    _check_ends(record(payload), text)


def _check_ends(one: Record, text: bytes | None) -> None:
    for rules in RULES:
        made = decode(one, rules, text)
        for item in made.items if isinstance(made, Batch) else [made]:
            _check_end(item)


def _check_end(item: Decoded) -> None:
    assert isinstance(item, Event | Skipped | Rejected), item
    if not isinstance(item, Event):
        assert item.reason.value
        return
    if item.kind is Kind.DELETE:
        return  # it makes us forget its user, and is not sent
    kinds: list[DeliveryKind | None] = [None]
    if item.kind is not Kind.IDENTIFY:
        kinds.append(DeliveryKind.INTRODUCTION)
    for dialect in DIALECTS:
        for kind in kinds:
            sent = json.loads(body(item, dialect=dialect, kind=kind), parse_constant=_not_json)
            assert sent["user"]["user_customer_id"]


def _not_json(constant: str) -> NoReturn:
    raise AssertionError(f"{constant} is not JSON")
