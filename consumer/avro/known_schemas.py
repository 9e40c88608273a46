"""Which schemas are known, which nobody has, and which were asked for. Pure: answers in, answers out.

All of it has limits, because a record may name any of four billion ids.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Final

from consumer.avro.wire_format import SchemaRef

KNOWN_MAX: Final = 1000
MISSING_MAX: Final = 1000
MISSING_SECONDS: Final = 60.0
"""A schema that the registry did not have is asked for again after this long: it may have been registered since."""

Read = Callable[[bytes], bytes]
"""An encoded event → its JSON text; raises Unreadable."""


class Unreadable(Exception):
    """A record that its schema can't read."""


class KnownSchemas:
    """By id, GUID or fingerprint: how to read with a schema, or why that can't be done."""

    def __init__(self, built_in: Mapping[bytes, Read], *, has_registry: bool) -> None:
        self.has_registry = has_registry
        self._built_in = built_in
        self._known: OrderedDict[SchemaRef, Read | str] = OrderedDict()
        self._missing: OrderedDict[SchemaRef, tuple[float, str]] = OrderedDict()
        self._asked: set[SchemaRef] = set()

    def find(self, schema: SchemaRef, now: float) -> Read | str | None:
        """How to read with this schema. A text: why it can't be read. None: the registry has to say."""
        if isinstance(schema, bytes):
            return self._built_in.get(schema) or f"no schema has the fingerprint {schema.hex()}"
        if (known := self._known.get(schema)) is not None:
            self._known.move_to_end(schema)
            return known
        if not self.has_registry:
            return f"Avro of schema {schema}, and CUSTOMFIT_SCHEMA_REGISTRY_URL is not set"
        until, why = self._missing.get(schema, (now, ""))
        return why if now < until else None

    def lacks_registry(self, schema: SchemaRef) -> bool:
        """Whether only a registry could say, and none is set."""
        return not (self.has_registry or isinstance(schema, bytes))

    def ask(self, schema: SchemaRef) -> bool:
        """Whether to ask the registry now: not while an answer is awaited, and not if there is no registry."""
        if schema in self._asked or not self.has_registry:
            return False
        self._asked.add(schema)
        return True

    def found(self, schema: SchemaRef, read: Read | str) -> None:
        """The registry has it. A text: it is not safe to read with, or not Avro."""
        self._asked.discard(schema)
        self._missing.pop(schema, None)
        self._known[schema] = read
        if len(self._known) > KNOWN_MAX:
            self._known.popitem(last=False)

    def missing(self, schema: SchemaRef, why: str, now: float) -> None:
        """The registry does not have it."""
        self._asked.discard(schema)
        self._missing.pop(schema, None)
        self._missing[schema] = (now + MISSING_SECONDS, why)
        if len(self._missing) > MISSING_MAX:
            self._missing.popitem(last=False)
