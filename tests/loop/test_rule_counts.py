"""What is not sent, on its way through the loop: how it ends, what is counted, and what leaves."""

from __future__ import annotations

import json
import time
from typing import Any

from consumer.customfit.answers import Answered
from consumer.loop.pipeline import Pipeline
from consumer.ops.metrics import Metrics
from consumer.ops.status import status
from consumer.ports.inputs import Assigned, Fetched, LookedUp, Responded, StartPoint, StateOpened
from consumer.sequencing.accounting import End
from consumer.sequencing.events import Partition, Record, SkipReason
from tests.loop.given_pipeline import pipeline_with
from tests.segment.given_events import segment
from tests.simulation.stepped_pipeline import SteppedPipeline

P0 = Partition("segment-events", 0)


class Sending(SteppedPipeline):
    """Sends and shows as the real one does."""

    _send = Pipeline._send
    _publish = Pipeline._publish


class Destination:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.given: list[tuple[Any, Any]] = []

    def post(self, body: bytes, then: Any) -> None:
        self.given.append((json.loads(body), then.args[0]))


def run(*values: bytes, **settings: str) -> tuple[SteppedPipeline, list[Any]]:
    """A loop that these records went through, all of them accepted; and the requests."""
    destination = Destination()
    pipeline = pipeline_with(destination=destination, kind=Sending, **settings)
    records = [Record(P0, at, 0, b"ann", value, None, time.monotonic(), len(value)) for at, value in enumerate(values)]
    now = time.monotonic()
    pipeline.turn([Assigned({P0: StartPoint(0, None)}, "c")], now)
    pipeline.turn([StateOpened(pipeline._sequencer.assignments[P0], 0)], now)
    pipeline.turn([Fetched(records, {})], now)
    if pipeline._sequencer.look_ups._asked:
        pipeline.turn([LookedUp({})], now)
    answered = 0
    while answered < len(destination.given):
        delivery = destination.given[answered][1]
        answered += 1
        pipeline.turn([Responded(delivery, Answered(200, None, b""), 0.1)], time.monotonic())
    pipeline._publish(time.monotonic())
    return pipeline, [body for body, _ in destination.given]


def track(name: str, **properties: Any) -> bytes:
    """With all that the short way asks for."""
    more = {"messageId": name, "timestamp": "2026-11-23T10:00:00.123Z"}
    return segment(userId="ann", event=name, properties=properties, **more)


IDENTIFY = segment(type="identify", userId="ann", traits={"email": "a@b.c", "plan": "pro"})


def test_what_is_filtered_ends_before_its_lane_and_each_rule_that_fits_is_counted() -> None:
    """In a record of its own or in a batch; a rule that never fits is there with 0."""
    batch = json.dumps({"batch": [json.loads(track("Order 3")), json.loads(track("Other 3"))]}).encode()
    rules = {"events_allow": '["Order *", "*1", "Odrer *"]', "events_deny": '["Other *"]'}
    pipeline, bodies = run(track("Order 1"), IDENTIFY, track("Other 2"), batch, **rules)

    assert ["identify", "Order 1", "Order 3"] == [
        event.get("event_customer_id", "identify") for body in bodies for event in body["events"]
    ]
    assert 2 == pipeline.snapshot.finished[(End.SKIPPED, SkipReason.FILTERED)]
    assert {
        ("events_allow", "Order *"): 2,
        ("events_allow", "*1"): 1,
        ("events_allow", "Odrer *"): 0,
        ("events_deny", "Other *"): 2,
    } == pipeline.snapshot.rules_matched


def test_what_must_not_leave_is_cut_out_of_traits_and_properties_and_counted() -> None:
    """An introduction has neither; the record, which a dead letter would carry, stays whole."""
    settings = {"properties_drop": '["email", "never"]', "properties_hash": '["phone"]'}
    _, [identify, tracks] = run(
        IDENTIFY, track("a", email=1, phone=None), track("b", x=1), properties_hash_key="k" * 16, **settings
    )
    pipeline, [_, introduced] = run(
        track("c", email="a@b.c", phone="1", x=[1]), properties_hash_key="k" * 16, **settings
    )

    assert {"plan": "pro"} == identify["user"]["properties"]
    assert [{"phone": None}, {"x": 1}] == [event["properties"] for event in tracks["events"]]
    assert (64, [1]) == (
        len(introduced["events"][0]["properties"]["phone"]),
        introduced["events"][0]["properties"]["x"],
    )
    assert {"email": 1, "never": 0, "phone": 1} == {
        rule: times for (_, rule), times in pipeline.snapshot.rules_matched.items()
    }


def test_metrics_and_status_have_each_rule() -> None:
    """By its setting and its text, whatever stands in it."""
    pipeline, _ = run(IDENTIFY, track('"a"'), events_deny=r'["\"a\"", "b"]')
    text = Metrics(lambda: pipeline.snapshot).text()

    assert [
        r'customfit_filter_matched_total{rule="\"a\"",setting="events_deny"} 1.0',
        'customfit_filter_matched_total{rule="b",setting="events_deny"} 0.0',
    ] == [line for line in text.splitlines() if line.startswith("customfit_filter_matched_total")]
    assert [
        {"setting": "events_deny", "rule": '"a"', "matched": 1},
        {"setting": "events_deny", "rule": "b", "matched": 0},
    ] == status(pipeline.snapshot, time.time(), time.monotonic())["rules"]
