"""What the loop makes of news of the stored state."""

from __future__ import annotations

from typing import Any, cast

from consumer.events import Partition
from consumer.gate import Gate
from consumer.inputs import Assigned, Input, StartPoint, StateOpened
from consumer.known_schemas import KnownSchemas
from consumer.sequencer import Sequencer, SequencingRules
from tests.given_settings import load
from tests.simulated_member import SilentReporter, SteppedPipeline

P0 = Partition("segment-events", 0)


class Source:
    """Notes what is resumed; takes all else."""

    def __init__(self) -> None:
        self.resumed: list[Partition] = []

    def resume(self, partition: Partition) -> None:
        self.resumed.append(partition)


def test_a_state_that_is_read_again_resumes_nothing() -> None:
    """A damaged file is rebuilt while the partition is ours: it may rest, for a schema or for good."""
    source, edge = Source(), cast("Any", SilentReporter())
    settings = load()
    sequencer = Sequencer(SequencingRules(), Gate(100, lambda _n: 1.0, 10.0), lambda _n: 1.0)
    schemas = KnownSchemas({}, has_registry=False)
    pipeline = SteppedPipeline(lambda: 0.0, settings, edge, sequencer, source, edge, edge, edge, edge, schemas, edge)
    news: list[Input] = [Assigned({P0: StartPoint(0, None)}, "c"), StateOpened(P0, 1), StateOpened(P0, 2)]
    pipeline.turn(news, 0.0)

    assert [P0] == source.resumed
    assert 2 == pipeline._notes[P0].identified_users
