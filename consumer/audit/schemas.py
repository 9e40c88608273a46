"""Schemas of the registry, asked for one at a time and waited for: a command has nothing else to do meanwhile."""

from __future__ import annotations

import queue
import time
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from consumer.avro.known_schemas import KnownSchemas
from consumer.avro.reader import single_object_readers
from consumer.avro.wire_format import SchemaRef
from consumer.kafka.schema_registry import RegistryUnavailable, SchemaRegistry
from consumer.ports.inputs import Input, RegistryProblem, SchemaFound, SchemaMissing

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.settings import Settings

BACKOFF_SECONDS: Final = 1.0


class Schemas:
    """What is known of schemas; a context manager."""

    def __init__(self, settings: Settings, check: Callable[[], None]) -> None:
        """`check` is called while an answer is waited for, and may raise to end that."""
        self.known = KnownSchemas(single_object_readers(), has_registry=settings.schema_registry_url is not None)
        self._settings = settings
        self._check = check
        self._answers: queue.SimpleQueue[Input] = queue.SimpleQueue()
        self._registry = SchemaRegistry(settings, self._answers.put, lambda _attempt: BACKOFF_SECONDS, lambda: settings)

    def __enter__(self) -> Self:
        """Start the thread that asks."""
        self._registry.start()
        return self

    def __exit__(self, _type: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        """End it."""
        self._registry.stop()

    def ask(self, schema: SchemaRef) -> None:
        """Wait until it is known how to read with it, or that nobody has it. Raises RegistryUnavailable."""
        self.known.ask(schema)
        self._registry.fetch(schema)
        deadline = time.monotonic() + self._settings.startup_timeout_seconds
        problem = "no answer"
        while time.monotonic() < deadline:
            self._check()
            try:
                answer = self._answers.get(timeout=0.1)
            except queue.Empty:
                continue
            match answer:
                case SchemaFound(found, read):
                    self.known.found(found, read)
                    return
                case SchemaMissing(missing, detail):
                    self.known.missing(missing, detail, 0.0)
                    return
                case RegistryProblem(problem):
                    pass
                case _:
                    raise AssertionError(f"the registry says {answer}")
        raise RegistryUnavailable(f"the schema registry: {problem}")
