"""The loop with edges that take all and say nothing, but for those that a test is about."""

from __future__ import annotations

from typing import Any

from consumer.avro.known_schemas import KnownSchemas
from consumer.ports.edges import Edges
from consumer.sequencing.gate import Gate
from consumer.sequencing.sequencer import Sequencer
from tests.sequencing.given_rules import rules
from tests.settings.given_settings import load
from tests.simulation.stepped_pipeline import SilentReporter, SteppedPipeline


def pipeline_with(
    *,
    source: Any = None,
    destination: Any = None,
    reporter: Any = None,
    receipts: Any = None,
    kind: type[SteppedPipeline] = SteppedPipeline,
    **settings: str,
) -> SteppedPipeline:
    """A loop whose time is 0, with these edges and these settings."""
    edge: Any = SilentReporter()
    sequencer = Sequencer(rules(), Gate(100, lambda _n: 1.0, 10.0), lambda _n: 1.0)
    schemas = KnownSchemas({}, has_registry=False)
    edges = Edges(source or edge, edge, edge, destination or edge, edge, edge, receipts)
    return kind(lambda: 0.0, load(**settings), edge, sequencer, edges, reporter or edge, schemas)
