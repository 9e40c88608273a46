"""A schema, the registry edge and what it posts."""

from __future__ import annotations

import queue

from consumer.kafka.schema_registry import SchemaRegistry
from consumer.ports.inputs import Input, SchemaFound
from consumer.settings import load_settings

SCHEMA = {"type": "record", "name": "E", "fields": [{"name": "type", "type": "string"}]}
PAYLOAD = b"\x0aalias"
GUID = "11111111-2222-3333-4444-555555555555"
ENVIRONMENT = {"CUSTOMFIT_API_KEY": "not-a-real-key"}


class Asking:
    """The edge, and what it posts."""

    def __init__(self, url: str, **environment: str) -> None:
        self._posted: queue.SimpleQueue[Input] = queue.SimpleQueue()
        environ = {**ENVIRONMENT, "CUSTOMFIT_SCHEMA_REGISTRY_URL": url, **environment}
        settings = load_settings(environ)
        self.edge = SchemaRegistry(settings, self._posted.put, lambda _attempt: 0.01, lambda: load_settings(environ))
        self.edge.start()

    def next(self) -> Input:
        """The next thing it posts."""
        return self._posted.get(timeout=60)

    def ask(self, schema: int | str) -> Input:
        """Ask, and give the first thing that comes."""
        self.edge.fetch(schema)
        return self.next()


def read_with(answer: Input, payload: bytes = PAYLOAD) -> bytes:
    """The JSON text of a payload, by the schema found."""
    assert isinstance(answer, SchemaFound)
    assert not isinstance(answer.read, str)
    return answer.read(payload)
