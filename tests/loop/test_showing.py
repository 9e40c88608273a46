"""What the loop shows of itself, beyond what it owns."""

from __future__ import annotations

import threading
import time
from typing import Any, NoReturn

from consumer.customfit.answers import Answered
from consumer.ops.causes import FULL_SECONDS, UNMOVED_SECONDS, Cause, findings
from consumer.ports.inputs import Assigned, Fetched, LogBounds, Responded, StartPoint, StateOpened
from consumer.sequencing.events import Partition, Record
from tests.loop.given_pipeline import pipeline_with
from tests.segment.given_events import segment
from tests.simulation.stepped_pipeline import SteppedPipeline

P0 = Partition("segment-events", 0)


def burn() -> None:
    """Use a tenth of a second of the processor, in the thread that calls it."""
    until = time.thread_time() + 0.1
    while time.thread_time() < until:
        pass


def test_the_loops_cpu_time_is_that_of_its_own_thread() -> None:
    """What another thread of the process uses is not in it: with it, the loop would seem to be the limit."""
    pipeline = pipeline_with()
    first = pipeline.fresh_snapshot(0.0).loop_cpu_seconds
    burn()
    own = pipeline.fresh_snapshot(10.0).loop_cpu_seconds
    other = threading.Thread(target=burn)
    other.start()
    other.join()
    later = pipeline.fresh_snapshot(20.0).loop_cpu_seconds

    assert 0.1 <= own - first
    assert 0.1 > later - own


def with_users(count: int) -> SteppedPipeline:
    """A loop that was handed an identify of each of so many users, and may have 100 requests in flight."""
    pipeline = pipeline_with()
    pipeline.turn([Assigned({P0: StartPoint(0, None)}, "c")], 0.0)
    assignment = pipeline._sequencer.assignments[P0]
    assignment.leased_at = 1000.0  # nobody else may have it meanwhile
    pipeline.turn([StateOpened(assignment, 0)], 0.0)
    values = [segment(type="identify", userId=f"u{number}") for number in range(count)]
    records = [Record(P0, place, 0, b"k", value, None, 0.0, len(value)) for place, value in enumerate(values)]
    pipeline.turn([Fetched(records, {})], 0.0)
    return pipeline


def slow(pipeline: SteppedPipeline, now: float) -> list[str]:
    """What is found of the cause, while the broker that has the log answers."""
    pipeline.turn([LogBounds({P0: 200}, {P0: 200}, {P0: 0})], now)
    return [one.text for one in findings(pipeline.fresh_snapshot(now)) if one.cause is Cause.DESTINATION_SLOW]


def test_slow_answers_for_which_others_wait_are_a_slow_destination() -> None:
    """As long as there are others: with the last of them gone, it is as slow as before and nobody waits."""
    pipeline = with_users(103)
    found = [slow(pipeline, 0.0)]
    for place, now in enumerate((1.5, FULL_SECONDS + 1.0, FULL_SECONDS + 2.0)):
        pipeline.turn([Responded(pipeline.sent[place], Answered(200, None, b""), 1.5)], now)
        found.append(slow(pipeline, now))

    told = "the destination is slow: an answer takes 1.5 s, and others wait while as many requests as may be (100)"
    assert [[], [], [f"{told} are in flight"], []] == found


class Unwalked(dict[Any, Any]):
    """Lanes of which there may be 200,000."""

    def values(self) -> NoReturn:
        """All of them."""
        raise AssertionError("all lanes of a partition are walked")

    items = __iter__ = values


def test_a_partition_that_does_not_move_is_shown_without_a_walk_over_its_lanes() -> None:
    """In an outage one turn a second took 0.3 s with 200,000 of them: whoever asked for a user waited for it."""
    pipeline = with_users(103)
    assignment = pipeline._sequencer.assignments[P0]
    assignment.lanes = Unwalked(assignment.lanes)
    slow(pipeline, 0.0)
    (view,) = pipeline.fresh_snapshot(UNMOVED_SECONDS + 1.0).partitions

    assert (16.0, 16.0) == (view.unmoved_seconds, view.waits.answer_seconds)


def test_a_partition_that_waits_for_one_answer_names_the_destination() -> None:
    """Where a request may take longer than a partition may stand still."""
    pipeline = with_users(1)
    found = [slow(pipeline, now) for now in (0.0, UNMOVED_SECONDS - 1.0, UNMOVED_SECONDS + 1.0)]

    text = "segment-events-0: the destination is slow: for 16 s there has been no answer; 1 events in hand"
    assert [[], [], [text]] == found
