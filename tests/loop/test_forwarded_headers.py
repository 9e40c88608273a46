"""Record headers on their way through the loop: from the record to the request that sends its event."""

from __future__ import annotations

import time
from typing import Any

import pytest

from consumer.customfit.answers import Answered
from consumer.loop.pipeline import Pipeline
from consumer.ops.metrics import Metrics
from consumer.ops.reporter import Reporter
from consumer.ports.inputs import Assigned, Fetched, Responded, StartPoint, StateOpened
from consumer.sequencing.events import Headers, Partition, Record
from consumer.sequencing.lanes import Delivery
from tests.loop.given_pipeline import pipeline_with
from tests.ops.given_snapshot import snapshot
from tests.segment.given_events import segment
from tests.simulation.stepped_pipeline import SteppedPipeline

P0 = Partition("segment-events", 0)
NAMES = "X-Team,traceparent"


class Sending(SteppedPipeline):
    """Sends as the real one does."""

    _send = Pipeline._send


class Destination:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []
        self.headers: list[Any] = []

    def post(self, _body: bytes, then: Any, *headers: Any) -> None:
        self.deliveries.append(then.args[0])
        self.headers.append(headers)


def sent(*headers: Headers | None, reporter: Any = None, **settings: str) -> list[Any]:
    """What was given to the destination beside body and callback, for an identify of ann and these tracks of hers."""
    destination = Destination()
    pipeline = pipeline_with(destination=destination, reporter=reporter, kind=Sending, **settings)
    identify, track = segment(type="identify", userId="ann"), segment(userId="ann")
    values = [identify, *[track] * (len(headers) - 1)]
    records = [
        Record(P0, offset, 0, b"ann", value, own, time.monotonic(), len(value))
        for offset, (value, own) in enumerate(zip(values, headers, strict=True))
    ]
    now = time.monotonic()
    pipeline.turn([Assigned({P0: StartPoint(0, None)}, "c")], now)
    pipeline.turn([StateOpened(pipeline._sequencer.assignments[P0], 0)], now)
    pipeline.turn([Fetched(records, {})], now)
    pipeline.turn([Responded(destination.deliveries[0], Answered(200, None, b""), 0.1)], now)
    return destination.headers


def test_nothing_is_handed_over_while_it_is_off() -> None:
    """The request is made as it always was."""
    assert [(), ()] == sent([("X-Team", b"1")], [("X-Team", b"2")])


def test_each_request_of_one_event_has_the_headers_of_its_record() -> None:
    """The identify those of its own record, the track those of its own."""
    assert [([(b"X-Team", b"1")],), ([(b"X-Team", b"2"), (b"traceparent", b"00")],)] == sent(
        [("X-Team", b"1"), ("other", b"x")], [("X-Team", b"2"), ("traceparent", b"00")], forward_headers=NAMES
    )


def test_a_request_of_several_has_none() -> None:
    """Two tracks go together."""
    own: Headers = [("X-Team", b"1")]

    assert [([(b"X-Team", b"1")],), (None,)] == sent(own, own, own, forward_headers=NAMES)


@pytest.mark.parametrize(
    ("value", "reason"), [(None, "empty"), (b"\r\n", "characters"), (b"x" * 1025, "too_large")], ids=str
)
def test_a_value_that_is_not_sent_is_counted(value: bytes | None, reason: str) -> None:
    """By what is wrong with it; each reason's series is there from the start."""
    metrics = Metrics(snapshot)

    assert [([],)] == sent([("X-Team", value)], reporter=Reporter(metrics, "letters"), forward_headers=NAMES)

    counts = [
        f'customfit_headers_not_forwarded_total{{reason="{one}"}} {1.0 if one == reason else 0.0}'
        for one in ("empty", "characters", "too_large")
    ]
    assert counts == [line for line in metrics.text().splitlines() if line.startswith("customfit_headers_not_forw")]
