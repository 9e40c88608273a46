"""An answer that comes when its partition has gone, and what it says of the partition once that is back."""

from __future__ import annotations

import pytest

from consumer.customfit.answers import Answered
from consumer.ports.inputs import Assigned, Fetched, LookedUp, Lost, Responded, StartPoint, StateOpened
from consumer.sequencing.events import Partition, Record
from consumer.sequencing.rule import DeliveryKind
from tests.loop.given_pipeline import pipeline_with
from tests.segment.given_events import segment
from tests.simulation.stepped_pipeline import SteppedPipeline

P0 = Partition("segment-events", 0)


def fetched_again(pipeline: SteppedPipeline, value: bytes, now: float) -> None:
    """The partition is ours, with its state, and its record is read; nobody is known."""
    pipeline.turn([Assigned({P0: StartPoint(0, None)}, "c")], now)
    assignment = pipeline._sequencer.assignments[P0]
    pipeline.turn([StateOpened(assignment, 0)], now)
    pipeline.turn([Fetched([Record(P0, 0, 7, b"u1", value, None, 0.0, len(value))], {})], now)
    if pipeline._sequencer.look_ups._asked:
        pipeline.turn([LookedUp({})], now)


@pytest.mark.parametrize(
    ("value", "first", "again"),
    [
        (segment(type="identify", userId="u1"), DeliveryKind.IDENTIFY, []),
        (segment(userId="u1"), DeliveryKind.INTRODUCTION, [DeliveryKind.INTRODUCTION]),
    ],
    ids=["an identify", "an introduction"],
)
def test_what_was_accepted_late_is_not_sent_again(value: bytes, first: DeliveryKind, again: list[DeliveryKind]) -> None:
    """But of an introduction the event behind it was not sent: to take it for delivered would lose it."""
    pipeline = pipeline_with()
    fetched_again(pipeline, value, 0.0)
    [delivery] = pipeline.sent
    pipeline.turn([Lost([P0])], 1.0)
    pipeline.turn([Responded(delivery, Answered(200, None, b""), 0.1)], 1.1)
    fetched_again(pipeline, value, 2.0)

    assert first is delivery.kind
    assert again == [sent.kind for sent in pipeline.sent[1:]]


class Receipts:
    """A sink that takes all and says nothing."""

    def begin(self, _assignment: object) -> None:
        pass

    def write(self, _actions: object) -> None:
        pass


def test_with_receipts_what_was_accepted_late_is_sent_again() -> None:
    """It has no receipt, and its offset must not move without one."""
    pipeline = pipeline_with(receipts=Receipts())
    identify = segment(type="identify", userId="u1")
    fetched_again(pipeline, identify, 0.0)
    [delivery] = pipeline.sent
    pipeline.turn([Lost([P0])], 1.0)
    pipeline.turn([Responded(delivery, Answered(200, None, b""), 0.1)], 1.1)
    fetched_again(pipeline, identify, 2.0)

    assert [DeliveryKind.IDENTIFY] * 2 == [sent.kind for sent in pipeline.sent]


def test_what_was_finished_before_is_skipped_among_others_that_are_as_usual() -> None:
    """An earlier assignment to this process had finished the first; the others go out."""
    pipeline = pipeline_with()
    usual = segment(userId="u1", messageId="m", timestamp="2026-11-23T10:00:00.123Z", type="identify")
    fetched_again(pipeline, usual, 0.0)
    [delivery] = pipeline.sent
    pipeline.turn([Lost([P0])], 1.0)
    pipeline.turn([Responded(delivery, Answered(200, None, b""), 0.1)], 1.1)
    pipeline.turn([Assigned({P0: StartPoint(0, None)}, "c")], 2.0)
    pipeline.turn([StateOpened(pipeline._sequencer.assignments[P0], 0)], 2.0)
    records = [Record(P0, offset, 7, b"u1", usual, None, 0.0, len(usual)) for offset in range(2)]
    pipeline.turn([Fetched(records, {})], 2.0)

    assert [[0], [1]] == [[event.record.offset for event in sent.events] for sent in pipeline.sent]
