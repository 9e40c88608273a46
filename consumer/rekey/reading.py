"""A record's text: its value where that is JSON, else read by its schema, which may have to be asked for."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Final

from consumer.avro.known_schemas import KnownSchemas, Unreadable
from consumer.avro.reader import single_object_readers
from consumer.avro.wire_format import Malformed, wire_format
from consumer.kafka.schema_registry import SchemaRegistry
from consumer.ports.inputs import Input, RegistryProblem, SchemaFound, SchemaMissing, ThreadEnded

if TYPE_CHECKING:
    from consumer.sequencing.events import Record
    from consumer.settings import Settings
    from consumer.settings.masking import Masker


class Text(Enum):
    """What is said of a record in place of its text."""

    IS_VALUE = "is_value"
    NOT_YET = "not_yet"
    """Its schema is asked for."""
    NONE = "none"
    """Nobody can read it."""


PROBLEM_SECONDS: Final = 10.0


class Reading:
    """Reads records, for one thread; the registry is asked in another."""

    def __init__(
        self, settings: Settings, backoff: Callable[[int], float], reload: Callable[[], Settings], masker: Masker
    ) -> None:
        self._format = settings.value_format
        self._bytes_max = settings.record_bytes_max
        self._schemas = KnownSchemas(single_object_readers(), has_registry=settings.schema_registry_url is not None)
        self._answers: queue.SimpleQueue[Input] = queue.SimpleQueue()
        self._registry = SchemaRegistry(settings, self._answers.put, backoff, reload, masker)
        self._problem = ""
        self._problem_at = 0.0

    def start(self) -> None:
        """Start the registry's thread, if there is a registry."""
        self._registry.start()

    def stop(self) -> None:
        """End it."""
        self._registry.stop()

    @property
    def problem(self) -> str | None:
        """What the registry said lately in the place of an answer."""
        is_new = time.monotonic() - self._problem_at < PROBLEM_SECONDS
        return f"the schema registry does not answer: {self._problem}" if self._problem and is_new else None

    def has_news(self, now: float) -> bool:
        """Take what the registry has said; whether something that waited may be read now."""
        news = False
        while True:
            try:
                answer = self._answers.get_nowait()
            except queue.Empty:
                return news
            match answer:
                case SchemaFound():
                    self._schemas.found(answer.schema, answer.read)
                    self._problem, news = "", True
                case SchemaMissing():
                    self._schemas.missing(answer.schema, answer.detail, now)
                    self._problem, news = "", True
                case RegistryProblem():
                    self._problem, self._problem_at = answer.detail, now
                case ThreadEnded(error=error) if error is not None:
                    raise error
                case _:
                    pass

    def text_of(self, record: Record, now: float) -> bytes | Text:
        """The JSON text of a record that is Avro, or that its value is the text, or why there is none."""
        if record.headers is None and (record.value or b"")[:1] == b"{" and self._format != "avro":
            return Text.IS_VALUE  # nearly all
        encoded = wire_format(record, self._format)
        if encoded is None:
            return Text.IS_VALUE
        if isinstance(encoded, Malformed) or len(encoded.payload) > self._bytes_max:
            return Text.NONE
        read = self._schemas.find(encoded.schema, now)
        if read is None:
            if self._schemas.ask(encoded.schema):
                self._registry.fetch(encoded.schema)
            return Text.NOT_YET
        try:
            return Text.NONE if isinstance(read, str) else read(encoded.payload)
        except Unreadable:
            return Text.NONE
