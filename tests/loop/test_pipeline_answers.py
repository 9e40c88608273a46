"""What the loop does about the destination's answers, beyond what the sequencer decides."""

from __future__ import annotations

import pytest

from consumer.customfit.answers import Answered
from consumer.ports.inputs import Assigned, Fetched, Responded, StartPoint, StateOpened
from consumer.sequencing.events import Partition, Record
from tests.loop.given_pipeline import pipeline_with
from tests.segment.given_events import segment

P0 = Partition("segment-events", 0)


class Destination:
    """Notes which answers it is told of."""

    def __init__(self) -> None:
        self.told: list[int] = []

    def misdirected(self, status: int) -> None:
        self.told.append(status)


@pytest.mark.parametrize(
    ("status", "told"), [(200, []), (400, []), (401, [401]), (403, [403]), (404, [404]), (503, [])]
)
def test_the_destination_is_told_of_what_blames_key_or_url(status: int, told: list[int]) -> None:
    """It is how a rotated key is noticed."""
    destination = Destination()
    pipeline = pipeline_with(destination=destination)
    pipeline.turn([Assigned({P0: StartPoint(0, None)}, "c")], 0.0)
    value = segment(type="identify", userId="u1")
    pipeline.turn([StateOpened(pipeline._sequencer.assignments[P0], 0)], 0.0)
    pipeline.turn([Fetched([Record(P0, 0, 0, b"u1", value, None, 0.0, len(value))], {})], 0.0)
    [delivery] = pipeline.sent
    pipeline.turn([Responded(delivery, Answered(status, None, b""), 0.1)], 0.1)

    assert told == destination.told
