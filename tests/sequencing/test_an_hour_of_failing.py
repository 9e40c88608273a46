"""One user's event fails for an hour of virtual time while 50,000 events behind it are delivered; then kill -9."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from consumer.sequencing import commit_metadata
from consumer.sequencing.assignment import Assignment
from consumer.sequencing.commits import CommitSchedule
from consumer.sequencing.events import Delivered, Event, Kind, Record, Skipped, SkipReason, Unavailable, User
from consumer.sequencing.gate import Gate
from consumer.sequencing.lanes import Delivery
from consumer.sequencing.offsets import CommitPoint, OffsetTracker
from consumer.sequencing.sequencer import Sequencer
from tests.sequencing.given_rules import rules
from tests.sequencing.given_sequencer import P0

CLUSTER: Final = "cluster"
EVENTS: Final = 50_000
USERS: Final = 5_000
EVENTS_A_STEP: Final = 500
HOUR_SECONDS: Final = 3_600.0
FAILING: Final = User("failing")
FAILING_EVERY: Final = 10_000
"""The failing user has an event as often as this, beginning with the first record."""


def log() -> Iterator[Event]:
    """All records of the partition."""
    for offset in range(EVENTS):
        user = FAILING if offset % FAILING_EVERY == 0 else User(f"u{offset % USERS}")
        record = Record(P0, offset, 0, None, b"{}", None, 0.0, 2)
        yield Event(record, Kind.TRACK, user, f"m{offset}", "2026-11-24 10:00:00.000Z")


class Process:
    """The core of one process, from one start to its death; commits are acknowledged at once."""

    def __init__(self, start: CommitPoint) -> None:
        self.committed = start
        self.sent: list[Event] = []
        self._commits = CommitSchedule(1.0, 10_000)
        self._sequencer = Sequencer(
            rules(give_up_seconds=7 * 24 * HOUR_SECONDS), Gate(256, lambda _: 5.0), lambda _: 5.0
        )
        before = commit_metadata.decode(start.metadata, start.offset, CLUSTER).finished_before
        self._assignment: Assignment = self._sequencer.assign(P0, OffsetTracker(start.offset, before, CLUSTER))

    def fetch(self, event: Event, now: float) -> None:
        """As pipeline.py does; everybody is known to be identified."""
        assignment = self._assignment
        if assignment.offsets.finished_before(event.record.offset, 0):
            skipped = Skipped(event.record, "track", SkipReason.FINISHED_BEFORE)
            self._sequencer.accept(assignment, event.record, [skipped], now)
            return
        self._sequencer.accept(assignment, event.record, [event], now)
        if users := self._sequencer.look_ups.question():
            self._sequencer.looked_up({partition: set(asked) for partition, asked in users.items()}, now)

    def turn(self, now: float) -> None:
        """Send all that may be sent, answer it, commit when it is time."""
        self._sequencer.tick(now)
        while (delivery := self._sequencer.next_delivery(now)) is not None:
            self.sent += delivery.events
            self._answer(delivery, now)
        if points := self._commits.due(self._sequencer.assignments, self._sequencer.active, now):
            self._commits.answered(points, [P0], ok=True)
            self.committed = points[P0]

    def _answer(self, delivery: Delivery, now: float) -> None:
        outcome = Unavailable("500") if delivery.user == FAILING else Delivered()
        self._sequencer.report(delivery, outcome, now)


def test_after_kill_9_only_the_failing_user_s_events_are_sent_again() -> None:
    """The commit's metadata holds the 50,000 that are finished, so at most what was not committed yet is sent twice."""
    process, now = Process(CommitPoint(0, "", 0, 0)), 0.0
    for event in log():
        process.fetch(event, now)
        if event.record.offset % EVENTS_A_STEP == EVENTS_A_STEP - 1:
            process.turn(now)
            now += 0.1
    while now < HOUR_SECONDS:
        process.turn(now)
        now += 5.0
    attempts = sum(event.user == FAILING for event in process.sent)
    after = Process(process.committed)
    for event in log():
        after.fetch(event, now)
        if event.record.offset % EVENTS_A_STEP == EVENTS_A_STEP - 1:
            after.turn(now)

    assert attempts > 600
    assert 0 == process.committed.offset
    assert len(process.committed.metadata) <= commit_metadata.METADATA_BYTES_MAX
    assert {FAILING} == {event.user for event in after.sent}
    assert set(range(0, EVENTS, FAILING_EVERY)) >= {event.record.offset for event in after.sent}
