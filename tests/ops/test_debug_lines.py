"""What the log says at the level debug, and that it costs nothing at any other."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

import pytest

from consumer.customfit.answers import Answer, Answered, NoAnswer
from consumer.ops.debug_lines import LINES_MAX, LINES_SECONDS, PARTITIONS_NAMED, DebugLines
from consumer.ops.pseudonyms import Pseudonyms
from consumer.ports.inputs import Committed, Fetched, Input, Responded, StateWritten
from consumer.sequencing.events import Partition, Record, User
from consumer.sequencing.offsets import CommitPoint
from tests.loop.given_pipeline import pipeline_with
from tests.ops.test_traces import GOOD, TRACE, delivery

PSEUDONYMS = Pseudonyms("group", "destination")
P0, P1 = Partition("segment-events", 0), Partition("segment-events", 1)


@pytest.fixture(autouse=True)
def _debug(caplog: pytest.LogCaptureFixture) -> None:
    """Debug is on."""
    caplog.set_level(logging.DEBUG, "consumer")


def ended(answer: Answer, *headers: Any) -> Responded:
    """A request of an event of each record with these headers has ended so."""
    return Responded(delivery(*headers), answer, 0.0123)


def commit(**offsets: int) -> Committed:
    """A commit of these offsets was taken."""
    points = {Partition(topic, 0): CommitPoint(offset, "", 0, 0) for topic, offset in offsets.items()}
    return Committed(points, list(points), None)


def test_a_request_that_ended_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    """Whose, as a pseudonym; how, at which attempt, in which time, with how many events, of which record and trace."""
    one = ended(Answered(503, None, b""), [("traceparent", GOOD)])
    one.delivery.attempts = 2
    DebugLines(PSEUDONYMS).taken([one, ended(NoAnswer("timeout", "no answer"), None, None)], 0.0)

    place = {"topic": "segment-events", "partition": 0, "offset": 7}
    common = {"user": PSEUDONYMS.of(User("ann")), "kind": "events", "ms": 12.3, **place}
    assert [
        {**common, "events": 1, "status": 503, "result": "5xx", "attempt": 3, "trace_id": TRACE},
        {**common, "events": 2, "result": "timeout", "attempt": 1},
    ] == [vars(line)["fields"] for line in caplog.records]
    assert ["request_ended"] * 2 == [vars(line)["code"] for line in caplog.records]
    assert {logging.DEBUG} == {line.levelno for line in caplog.records}
    assert "ann" not in str([vars(line)["fields"] for line in caplog.records])


def test_fetches_commits_and_state_are_summed_up(caplog: pytest.LogCaptureFixture) -> None:
    """A line each, whatever the number of records."""
    records = [Record(where, 0, 0, None, b"12", None, 0.0, 5) for where in (P1, P0, P1)]
    refused = Committed({P0: CommitPoint(9, "", 0, 0)}, [], "not coordinator")
    DebugLines(PSEUDONYMS).taken([Fetched(records, {}), commit(a=3, b=4), refused, StateWritten([], {})], 0.0)

    assert [
        "fetched 3 records: segment-events-0: 1, segment-events-1: 2",
        "a commit was answered: a-0: 3, b-0: 4",
        "a commit was answered: segment-events-0: 9",
        "who is identified: 0 changes are in the topic",
    ] == [line.getMessage() for line in caplog.records]
    assert [
        {"records": 3, "size_bytes": 15},
        {"accepted": 2},
        {"accepted": 0, "error": "not coordinator"},
        {},
    ] == [vars(line)["fields"] for line in caplog.records]


def test_of_many_partitions_some_are_named(caplog: pytest.LogCaptureFixture) -> None:
    """A line has a limit."""
    DebugLines(PSEUDONYMS).taken([commit(**{f"t{n:03}": n for n in range(PARTITIONS_NAMED + 5)})], 0.0)

    assert caplog.records[0].getMessage().endswith("t018-0: 18, t019-0: 19 and 5 more partitions")


def test_failures_are_not_lost_among_thousands_that_were_accepted(caplog: pytest.LogCaptureFixture) -> None:
    """So many lines of a kind in a second, each result a kind of its own; what was left out is told later."""
    lines = DebugLines(PSEUDONYMS)
    accepted: list[Input] = [ended(Answered(200, None, b""), None) for _ in range(1000)]
    lines.taken([*accepted, ended(Answered(429, None, b""), None)], 0.0)
    results = [vars(line)["fields"]["result"] for line in caplog.records]
    lines.taken([ended(Answered(200, None, b""), None)], LINES_SECONDS)
    *_, told, next_one = caplog.records

    assert ["2xx"] * LINES_MAX + ["429"] == results
    assert f"request_ended 2xx: {1000 - LINES_MAX} more like this were not shown" == told.getMessage()
    assert "a request ended" == next_one.getMessage()


@pytest.mark.parametrize("level", [logging.INFO, logging.DEBUG])
def test_the_loop_makes_them_only_while_somebody_wants_them(level: int, caplog: pytest.LogCaptureFixture) -> None:
    """It reads a flag once a turn: not a call for a record, a request or a commit at any other level."""
    pipeline = pipeline_with()
    calls: list[int] = []

    def taken(inputs: Iterable[Input], now: float) -> None:
        del now
        calls.append(len(list(inputs)))

    pipeline._debug_lines.taken = taken  # type: ignore[method-assign]
    with caplog.at_level(level, "consumer"):
        pipeline.turn([], 0.0)  # in which the level is looked at
        calls.clear()
        pipeline.turn([commit(a=1), Fetched([], {})], 1.0)

    assert ([2] if level == logging.DEBUG else []) == calls
