"""The trace of a record: which headers say one, and which lines show it."""

from __future__ import annotations

import json
import logging
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from consumer.dead_letters.letter import Shape, letter_of
from consumer.ops.announcer import Announcer
from consumer.ops.logs import JsonFormatter, TextFormatter
from consumer.ops.metrics import Metrics
from consumer.ops.reporter import Reporter
from consumer.ops.traces import place_of, trace_id
from consumer.sequencing.actions import WriteDeadLetter
from consumer.sequencing.assignment import Assignment
from consumer.sequencing.dead_letter_headers import dead_letter_receipt, replay_headers
from consumer.sequencing.events import (
    DeadLetterReason,
    Event,
    Headers,
    Kind,
    Partition,
    Record,
    Unavailable,
    User,
)
from consumer.sequencing.lanes import Delivery, Lane
from consumer.sequencing.offsets import OffsetTracker
from consumer.sequencing.rule import DeliveryKind
from consumer.sequencing.waiting import Waiting
from tests.ops.given_snapshot import snapshot

P0 = Partition("segment-events", 0)
TRACE = "0af7651916cd43dd8448eb211c80319c"
GOOD = f"00-{TRACE}-b7ad6b7169203331-01".encode()
OTHER = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"


def record(headers: Headers | None, offset: int = 7) -> Record:
    """A record with these headers."""
    return Record(P0, offset, 0, b"ann", b"{}", headers)


def delivery(*headers: Headers | None) -> Delivery:
    """A request of an event of each record with these."""
    records = [record(one, offset) for offset, one in enumerate(headers, 7)]
    events = [Event(one, Kind.TRACK, User("ann"), "id", "") for one in records]
    return Delivery(Lane(Assignment(P0, OffsetTracker(0)), User("ann"), True), DeliveryKind.EVENTS, events)


# --- which headers say one


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        (None, None),
        ([], None),
        ([("other", GOOD)], None),
        ([("Traceparent", GOOD)], None),
        ([("traceparent", None)], None),
        ([("traceparent", GOOD)], TRACE),
        ([("traceparent", OTHER), ("x", b""), ("traceparent", GOOD)], TRACE),
        ([("traceparent", GOOD), ("traceparent", b"none")], None),
        ([("traceparent", b"cc" + GOOD[2:])], TRACE),
        ([("traceparent", b"cc" + GOOD[2:] + b"-what-is-to-come")], TRACE),
        ([("traceparent", GOOD + b"-more")], None),
        ([("traceparent", b"cc" + GOOD[2:] + b"more")], None),
        ([("traceparent", b"ff" + GOOD[2:])], None),
        ([("traceparent", GOOD.upper())], None),
        ([("traceparent", GOOD + b"\n")], None),
        ([("traceparent", b" " + GOOD)], None),
        ([("traceparent", GOOD.replace(TRACE.encode(), b"0" * 32))], None),
        ([("traceparent", GOOD.replace(b"b7ad6b7169203331", b"0" * 16))], None),
        ([("traceparent", GOOD[:-1])], None),
        ([("traceparent", b"cc" + GOOD[2:] + b"-" + b"x" * 600)], None),
    ],
)
def test_only_a_well_formed_traceparent_has_a_trace(headers: Headers | None, found: str | None) -> None:
    """As W3C has it: two, 32, 16 and two hexadecimal digits in lower case; of several headers the last counts."""
    assert found == trace_id(headers)


@given(st.binary(max_size=80) | st.from_regex(rb"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}.{0,5}"))
@example(GOOD)
def test_whatever_a_producer_writes_a_trace_is_32_digits(value: bytes) -> None:
    """So it needs no quotes and no masking, and nothing else can come into a line by it."""
    found = trace_id([("traceparent", value)])

    assert found is None or (len(found) == 32 and set(found) <= set("0123456789abcdef") and found.encode() in value)


# --- which lines show it


def test_a_request_of_one_event_has_its_trace_and_one_of_several_has_none() -> None:
    """Each of the several may have its own."""
    assert TRACE == place_of(delivery([("traceparent", GOOD)]))["trace_id"]
    assert None is place_of(delivery([("traceparent", GOOD)], [("traceparent", GOOD)]))["trace_id"]
    assert {} == place_of(None)


@pytest.mark.parametrize(("headers", "found"), [([("traceparent", GOOD)], TRACE), (None, None)])
def test_lines_about_one_record_show_its_trace(
    headers: Headers | None, found: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """Of a dead letter, a failed request, a user who waits: in both formats. Without a trace there is no such field."""
    reporter, request = Reporter(Metrics(snapshot), "letters"), delivery(headers)
    assignment, one = request.lane.assignment, request.events[0].record
    waiting = Waiting("retrying", P0, 7, User("ann"), 0.0, headers=one.headers)
    with caplog.at_level(logging.INFO, "consumer"):
        reporter.dead_lettered(WriteDeadLetter(assignment, one, DeadLetterReason.REFUSED, "400", 400))
        reporter.dead_letter_failed("value_omitted", "too large", one)
        reporter.not_delivered(Unavailable("503"), request)
        reporter.misdirected_alone(401, request)
        Announcer().wait(replace(snapshot(), taken_at=60.0, waiting=(waiting,)))
    lines = [json.loads(JsonFormatter().format(said)) for said in caplog.records]
    texts = [TextFormatter().format(said) for said in caplog.records]

    assert ["dead_letter", "dead_letter_without_value", "not_accepted", "misdirected_user", "user_waits"] == [
        line["code"] for line in lines
    ]
    assert [found] * 5 == [line.get("trace_id") for line in lines]
    assert [7] * 5 == [line["offset"] for line in lines]
    assert [found is not None] * 5 == [f" trace_id={TRACE} " in text for text in texts]


# --- kept


def test_dead_letters_and_replays_keep_it() -> None:
    """From the record to its dead letter, to the replay of that, to the dead letter of the replay."""
    own: Headers = [("traceparent", GOOD), ("tracestate", b"vendor=1")]
    assignment = Assignment(P0, OffsetTracker(0))

    def dead_letter(of: Record) -> Record:
        action = WriteDeadLetter(assignment, of, DeadLetterReason.REFUSED, "refused", 400)
        letter = letter_of(action, Shape.WHOLE, 1.0, "replays")
        return Record(Partition("letters", 0), 0, 0, letter.key, letter.value, letter.headers)

    letter = dead_letter(record(own))
    receipt = dead_letter_receipt(letter)
    assert receipt is not None
    replay = Record(Partition("replays", 0), 0, 0, letter.key, letter.value, replay_headers(letter, receipt))
    again = dead_letter(replay)

    assert [TRACE] * 3 == [trace_id(one.headers) for one in (letter, replay, again)]
    assert [own] * 3 == [(one.headers or [])[:2] for one in (letter, replay, again)]
