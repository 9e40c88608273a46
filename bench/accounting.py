"""What order and offsets cost alone: the core driven in this process without a socket, a thread or a broker.

Three parts are timed apart: reading a record, the accounting (lanes, order, state, offsets, commit points), writing the
body of the request. CPU time, not elapsed time.
"""

from __future__ import annotations

import gc
import time
from collections import deque
from dataclasses import replace
from itertools import islice
from typing import Any

from bench.workload import Workload
from consumer.customfit.mapping import request_body
from consumer.segment.decoding import DecodingRules, decode
from consumer.sequencing.commits import CommitSchedule
from consumer.sequencing.events import Delivered, Event, Partition, Record
from consumer.sequencing.gate import Gate
from consumer.sequencing.lanes import Delivery
from consumer.sequencing.lease import NO_LEASE
from consumer.sequencing.offsets import OffsetTracker
from consumer.sequencing.rules import SequencingRules
from consumer.sequencing.sequencer import Sequencer
from consumer.settings import load_settings

PARTITIONS = 6
IN_FLIGHT = 64
ANSWERS_A_TURN = 16
FETCH_RECORDS = 500
BUFFER_EVENTS = 20_000
UNCOMMITTED_EVENTS_MAX = 10_000


def measured(events: int, rounds: int) -> dict[str, Any]:
    """Microseconds of CPU an event, a list with the rounds for each part."""
    parts: dict[str, list[float]] = {"decode": [], "accounting": [], "encode": []}
    requests = 0
    gc.collect()
    gc.freeze()  # as the service does
    for _ in range(rounds):
        records = [_record(*pair, number) for number, pair in enumerate(islice(Workload(events=events), events))]
        started = time.process_time()
        rules = DecodingRules("skip", "respect", 1_048_576)
        decoded = [event for record in records if isinstance(event := decode(record, rules), Event)]
        parts["decode"].append(_microseconds(started, events))

        started = time.process_time()
        deliveries = _drive(decoded)
        parts["accounting"].append(_microseconds(started, events))

        started = time.process_time()
        for delivery in deliveries:
            request_body(delivery, "destination")
        parts["encode"].append(_microseconds(started, events))
        requests = len(deliveries)
    title = "Order and offsets alone, without input or output"
    return {"title": title, "events": events, "requests": requests, "microseconds": parts}


def _record(key: bytes, value: bytes, number: int) -> Record:
    partition = Partition("events", int(key[1:]) % PARTITIONS)
    return Record(partition, number, 1_795_428_000_000 + number, key, value, None, 0.0, len(key) + len(value))


def _microseconds(started: float, events: int) -> float:
    return (time.process_time() - started) / events * 1e6


def _drive(events: list[Event]) -> list[Delivery]:
    """All events through the core as the pipeline would take them, each request answered after those before it."""
    sequencer = Sequencer(
        replace(load_settings({}, api_key_required=False).fill(SequencingRules), lease_seconds=NO_LEASE.seconds),
        Gate(IN_FLIGHT, lambda _attempt: 1.0),
        lambda _attempt: 1.0,
    )
    for number in range(PARTITIONS):
        partition = Partition("events", number)
        sequencer.assign(partition, OffsetTracker(0))
    commits = CommitSchedule(float("inf"), UNCOMMITTED_EVENTS_MAX)
    waiting = iter(events)
    unanswered: deque[Delivery] = deque()
    done: list[Delivery] = []
    now = 0.0
    while True:
        if sequencer.account.unfinished <= BUFFER_EVENTS - FETCH_RECORDS:
            for event in islice(waiting, FETCH_RECORDS):
                _take(sequencer, event, now)
        sequencer.tick(now)
        while (delivery := sequencer.next_delivery(now)) is not None:
            unanswered.append(delivery)
        if not unanswered:
            break
        for _ in range(min(ANSWERS_A_TURN, len(unanswered))):
            delivery = unanswered.popleft()
            done.append(delivery)
            sequencer.report(delivery, Delivered(), now)
        recorded = [action.lane for action in sequencer.take_actions()]  # type: ignore[union-attr]  # nothing is refused
        sequencer.recorded(recorded, now)
        points = commits.due(sequencer.assignments, sequencer.active, now)
        if points:
            commits.answered(points, points, ok=True)
        now += 0.001
    assert sequencer.account.unfinished == 0
    return done


def _take(sequencer: Sequencer, event: Event, now: float) -> None:
    assignment = sequencer.assignments[event.record.partition]
    assignment.offsets.finished_before(event.record.offset, event.record.timestamp_ms)
    sequencer.accept(assignment, event.record, [event], now)
    if sequencer.look_ups.question():
        sequencer.looked_up({}, now)
