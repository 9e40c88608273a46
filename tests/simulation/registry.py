"""A schema registry that takes its time, and does not answer while the world is bad; a schema is what reads JSON."""

from __future__ import annotations

from consumer.avro.reader import json_reader
from consumer.avro.wire_format import SchemaRef
from consumer.ports.inputs import Post, RegistryProblem, SchemaFound
from tests.simulation.stage import Stage


class SimulatedRegistry:
    """One member's; a question is answered late, and sometimes only after problems."""

    def __init__(self, stage: Stage, post: Post) -> None:
        self._stage = stage
        self._post = post

    def fetch(self, schema: SchemaRef) -> None:
        """Answer some time later."""
        self._stage.exercised["schemas asked for"] += 1
        if self._stage.chance(0.3):
            self._stage.after(self._stage.between(0.0, 3.0), lambda: self._fail(schema))
        else:
            self._stage.after(self._stage.between(0.0, 1.0), lambda: self._post(SchemaFound(schema, json_reader)))

    def _fail(self, schema: SchemaRef) -> None:
        self._post(RegistryProblem("503"))
        self.fetch(schema)
