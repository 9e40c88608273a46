"""What people ask of the lanes is answered in a turn of the loop."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

from consumer.ports.inputs import InHandAsked, WaitsAsked
from consumer.sequencing.events import Event, Kind, Partition, Record, User
from consumer.sequencing.user_waits import InHand, UserWaits, Why
from tests.loop.given_pipeline import pipeline_with
from tests.sequencing.given_sequencer import Bench

ANN = User("ann")


def with_ann() -> Any:
    """A loop that holds a track of hers, of whom the stored state is being asked."""
    pipeline = pipeline_with()
    assignment = pipeline._sequencer.assign(Partition("segment-events", 0), Bench().assignment.offsets)
    event = Event(Record(assignment.partition, 7, 0, None, b"{}"), Kind.TRACK, ANN, "m7", "")
    pipeline._sequencer.accept(assignment, event.record, [event], 0.0)
    return pipeline


def test_both_questions_are_answered_within_the_turn() -> None:
    """Of whom there is anything; and what one of them waits for."""
    in_hand: Future[InHand] = Future()
    waits: Future[list[UserWaits]] = Future()
    with_ann().turn([InHandAsked(in_hand), WaitsAsked([ANN, User("bob")], waits)], 0.0)

    assert InHand([ANN], []) == in_hand.result(0)
    assert [(ANN, Why.LOOK_UP, 7)] == [(one.user, one.why, one.offset) for one in waits.result(0)]


def test_whoever_gave_up_is_not_answered() -> None:
    """A cancelled question would end the loop, if it were answered."""
    in_hand: Future[InHand] = Future()
    in_hand.cancel()
    with_ann().turn([InHandAsked(in_hand)], 0.0)

    assert in_hand.cancelled()
