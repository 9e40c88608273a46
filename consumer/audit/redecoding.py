"""A record, decoded again by the code that `run` decodes it with. Pure.

It is judged by the settings of now. If others were in force when the record was consumed, it may have ended
differently.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from consumer.avro.known_schemas import KnownSchemas, Read, Unreadable
from consumer.avro.wire_format import Encoded, Malformed, SchemaRef, wire_format
from consumer.choices import ValueFormat
from consumer.segment.decoding import DecodingRules, decode
from consumer.segment.usual_event import usual_event
from consumer.sequencing.events import Batch, DeadLetterReason, Decoded, Record, Rejected

UNDECODABLE: Final = DeadLetterReason.UNDECODABLE


class Unread(NamedTuple):
    """Avro with a schema that only a registry has, and none is set: `run` waits for one, or takes it for garbage."""

    schema: SchemaRef


class SchemaWanted(NamedTuple):
    """The registry has to be asked, and the record decoded again."""

    schema: SchemaRef


Redecoded = Decoded | Batch | Unread | SchemaWanted


class Decoder:
    """Decodes records by these rules, and by the schemas that are known."""

    def __init__(self, rules: DecodingRules, value_format: ValueFormat, schemas: KnownSchemas) -> None:
        self.schemas = schemas
        self._rules = rules
        self._value_format = value_format

    def decode(self, record: Record) -> Redecoded:
        """What the record is: its events, why it is none, or which schema is needed to say so."""
        if self._value_format != "avro" and (event := usual_event(record, self._rules)) is not None:
            return event
        encoded = wire_format(record, self._value_format)
        if encoded is None:
            return decode(record, self._rules)
        if isinstance(encoded, Malformed):
            return Rejected(record, "undecodable", UNDECODABLE, encoded.detail)
        if len(encoded.payload) > self._rules.record_bytes_max:
            return decode(record, self._rules)
        return self._of_schema(record, encoded)

    def _of_schema(self, record: Record, encoded: Encoded) -> Redecoded:
        if self.schemas.lacks_registry(encoded.schema):
            return Unread(encoded.schema)
        read: Read | str | None = self.schemas.find(encoded.schema, 0.0)
        if read is None:
            return SchemaWanted(encoded.schema)
        try:
            text = "" if isinstance(read, str) else read(encoded.payload)
        except Unreadable as error:
            read, text = str(error), ""
        if isinstance(text, str):
            return Rejected(record, "undecodable", UNDECODABLE, str(read))
        return decode(msgspec.structs.replace(record, text_bytes=len(text)), self._rules, text)
