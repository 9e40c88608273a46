"""The simulation is itself tested: faults are put into the core, and each must be caught, as what it is.

A fault that has rotted, since it asks for what the core no longer has, breaks everything at once by an AttributeError
or the like. Such an error is never a catch: neither in the fault itself, whoever takes it there, nor as a crash.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial, wraps
from typing import Any

import pytest

from consumer.loop.intake import Intake
from consumer.loop.pipeline import Pipeline
from consumer.ops.health import Health
from consumer.ports.inputs import Committed
from consumer.segment import decoding
from consumer.sequencing.accounting import Account, End
from consumer.sequencing.assignment import Assignment
from consumer.sequencing.budget import Budget
from consumer.sequencing.commits import CommitSchedule
from consumer.sequencing.drains import Drains
from consumer.sequencing.endings import Endings
from consumer.sequencing.events import (
    Delivered,
    Event,
    HandBack,
    Kind,
    Misdirected,
    Outcome,
    Partition,
    Record,
    Refused,
    SkipReason,
    Unavailable,
    User,
)
from consumer.sequencing.gate import Gate
from consumer.sequencing.giving_up import GivingUp
from consumer.sequencing.holds import Holds
from consumer.sequencing.known_users import KnownUsers
from consumer.sequencing.lanes import Delivery, DeliveryKind, Lane, LaneStatus
from consumer.sequencing.lease import NEVER, Lease
from consumer.sequencing.misdirections import Misdirections
from consumer.sequencing.offsets import CommitPoint, OffsetTracker
from consumer.sequencing.outcomes import Outcomes
from consumer.sequencing.sequencer import Sequencer
from consumer.sequencing.timers import Timers
from consumer.settings import settings
from tests.rotten import ROTTEN
from tests.simulation import member
from tests.simulation.simulation import simulate
from tests.simulation.stage import Violation

Install = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True, slots=True)
class Fault:
    """A hole in the core, the promise that it breaks first, and within how many seeds."""

    name: str
    install: Install
    caught_by: tuple[str, ...]
    seeds_max: int
    first_seed: int = 0
    """Of a rare one: near the first seed that shows it, so that the test is fast."""


ROTTED: list[Exception] = []
"""What the faults themselves have raised."""


class RottenFaultError(Exception):
    """The fault does not fit the core any more."""


def watched(replacement: Callable[..., Any]) -> Callable[..., Any]:
    """The same, but that errors of a rotten fault are remembered: somebody may take them, as a bad record for one."""

    @wraps(replacement)
    def replaced(*args: Any, **named: Any) -> Any:
        try:
            return replacement(*args, **named)
        except ROTTEN as error:
            ROTTED.append(error)
            raise

    return replaced


def around(owner: Any, name: str, replacement: Callable[..., Any]) -> Install:
    """Replace a function; the replacement gets the original first."""
    return instead(owner, name, wraps(getattr(owner, name))(partial(replacement, getattr(owner, name))))


def instead(owner: Any, name: str, replacement: Callable[..., Any]) -> Install:
    """Replace a function."""
    return lambda monkeypatch: monkeypatch.setattr(owner, name, watched(replacement))


def constant(owner: Any, name: str, value: Any) -> Install:
    """A function that always says the same."""
    return lambda monkeypatch: monkeypatch.setattr(owner, name, lambda *_args, **_named: value)


# ---------------------------------------------------------------------- identify first


def everybody_is_identified(original: Any, *args: Any, **named: Any) -> None:
    original(*args, **named | {"identified": True})


def a_refused_identify_counts(original: Any, self: Outcomes, delivery: Delivery, *args: Any) -> None:
    original(self, delivery, *args)
    if delivery.kind is not DeliveryKind.EVENTS:
        delivery.lane.identified = True


def a_delete_forgets_nothing(original: Any, self: Endings, lane: Lane, event: Event) -> None:
    was_identified = lane.identified
    original(self, lane, event)
    lane.identified = was_identified


def a_delete_is_not_written(_original: Any, self: Endings, lane: Lane, event: Event) -> None:
    lane.identified = False
    self.skip(lane.assignment, event.record, SkipReason.FORGOTTEN)


def an_identify_overtakes_a_delete(_original: Any, self: Lane) -> int | None:
    return next((index for index, event in enumerate(self.waiting) if event.kind is Kind.IDENTIFY), None)


def an_answer_of_the_state_is_not_heeded(original: Any, self: Intake, _identified: Any, now: float) -> None:
    original(self, {}, now)


def a_late_answer_of_the_state_counts(original: Any, self: Intake, identified: Any, now: float) -> None:
    batch = list(self._looking[0][0])
    original(self, identified, now)
    for assignment, event, *_ in batch:
        if event.user in identified.get(assignment.partition, ()):
            assignment.known.add(event.user)


# ---------------------------------------------------------------------- order, one in flight


def a_retry_goes_to_the_back(original: Any, self: Outcomes, delivery: Delivery, *args: Any) -> None:
    original(self, delivery, *args)
    lane = delivery.lane
    if lane.again and delivery.kind is DeliveryKind.EVENTS:
        *rest, again = lane.again
        lane.again = tuple(rest)
        for event in again.events:
            lane.append(event)


def the_right_half_goes_first(original: Any, self: Delivery) -> tuple[Delivery, Delivery]:
    left, right = original(self)
    return right, left


def two_are_in_flight(original: Any, self: Sequencer, now: float) -> Delivery | None:
    delivery: Delivery | None = original(self, now)
    if delivery is not None and delivery.lane.waiting and delivery.lane.identified:
        delivery.lane.status = LaneStatus.READY
        self._ready.add(delivery.lane)
    return delivery


def nothing_lingers(original: Any, self: Sequencer, partition: Partition, reason: HandBack) -> None:
    original(self, partition, reason)
    self._lingering.clear()


def a_batch_has_no_limit(original: Any, self: Lane, _events_max: int, _bytes_max: int) -> list[Event]:
    run: list[Event] = original(self, 1_000_000, 1_000_000_000)
    return run


def an_anonymous_id_is_a_user_id(user_id: str, *, anonymous: bool = False) -> User:
    return User(user_id, anonymous=anonymous and user_id != "u0")


# ---------------------------------------------------------------------- commits


def a_commit_is_one_too_far(original: Any, self: OffsetTracker) -> CommitPoint:
    point: CommitPoint = original(self)
    return point._replace(offset=min(point.offset + 1, self.position))


def unfinished_ones_are_committed(_original: Any, self: OffsetTracker) -> int:
    return self.position


def metadata_says_one_too_many(original: Any, self: OffsetTracker, base: int) -> list[int]:
    runs: list[int] = original(self, base)
    if runs[-2] > 1:
        runs[-2:] = [runs[-2] - 1, runs[-1] + 1]
    return runs


def finished_before_recorded(_original: Any, self: Endings, lane: Lane, events: list[Event]) -> None:
    lane.assignment.guard.note_sent_end(dead_letter=False, events=len(events))
    self._finish_all(lane.assignment, events)


def a_dead_letter_is_finished_at_once(original: Any, self: Endings, assignment: Assignment, *args: Any) -> bool:
    is_buried: bool = original(self, assignment, *args)
    if is_buried:
        self._finish(assignment, args[0], End.DEAD_LETTERED, args[1])
    return is_buried


def a_burial_only_counts(_original: Any, _self: Endings, action: Any) -> None:
    action.assignment.unacknowledged -= 1


def a_refused_batch_is_dropped(original: Any, self: Outcomes, delivery: Delivery, outcome: Outcome, now: float) -> None:
    if not isinstance(outcome, Refused) or len(delivery.events) == 1 or delivery.lane.assignment.dropped:
        original(self, delivery, outcome, now)
        return
    for event in delivery.events:
        self._endings.skip(delivery.lane.assignment, event.record, SkipReason.UNSUPPORTED)


def a_late_outcome_still_counts(_original: Any, self: Endings, assignment: Assignment, *args: Any) -> None:
    freed_bytes = args[0].size_bytes if assignment.offsets.finished(args[0].offset) else 0
    assignment.unfinished_bytes -= freed_bytes
    self.account.finish(args[1], args[2], freed_bytes)


def a_late_acceptance_still_counts(_original: Any, self: Endings, assignment: Assignment, events: list[Event]) -> None:
    for event in events:
        self._finish(assignment, event.record, End.DELIVERED, None)


def late_outcomes_still_count(monkeypatch: pytest.MonkeyPatch) -> None:
    around(Endings, "_finish", a_late_outcome_still_counts)(monkeypatch)
    around(Endings, "_finish_all", a_late_acceptance_still_counts)(monkeypatch)


def a_late_outcome_counts_for_the_next(
    original: Any, self: Sequencer, delivery: Delivery, outcome: Outcome, now: float
) -> None:
    old = delivery.lane.assignment
    present = self.assignments.get(old.partition)
    original(self, delivery, outcome, now)
    if old.dropped and present is not None and isinstance(outcome, Delivered):
        for event in delivery.events:
            if event.record.offset in present.offsets._unfinished:
                self._endings._finish(present, event.record, End.DELIVERED, None)


def any_answer_is_taken(original: Any, self: CommitSchedule, _asked: Any, accepted: Any, *, ok: bool) -> None:
    ours = [partition for partition in accepted if partition in self._asked]
    original(self, self._asked, ours, ok=ok)


def what_waits_for_a_write_is_not_counted(_original: Any, _self: Endings, lane: Lane, events: list[Event]) -> None:
    lane.unrecorded += tuple(events)
    lane.assignment.unrecorded = len(lane.unrecorded)  # given back when it is written, and never added up


# ---------------------------------------------------------------------- the lease


def no_lease_is_asked_for(original: Any, self: Sequencer, now: float) -> Delivery | None:
    for assignment in self.assignments.values():
        assignment.leased_at = now
    delivery: Delivery | None = original(self, now)
    return delivery


def the_lease_counts_from_the_answer(original: Any, self: Pipeline, item: Any, now: float) -> None:
    original(self, item, now)
    if isinstance(item, Committed):
        for partition in item.accepted:
            if partition in self._sequencer.assignments:
                self._sequencer.assignments[partition].leased_at = now


def any_answer_renews(original: Any, self: Pipeline, item: Any, now: float) -> None:
    original(self, item, now)
    if isinstance(item, Committed):
        for partition in item.asked:
            if partition in self._sequencer.assignments:
                self._sequencer.assignments[partition].leased_at = self._commits._asked_at


def nothing_is_renewed(original: Any, self: CommitSchedule, assignment: Assignment, now: float) -> bool:
    return assignment.leased_at == NEVER and bool(original(self, assignment, now))


def requests_may_outlast_the_session(session_seconds: float, request_timeout_seconds: float) -> Lease:
    return Lease(session_seconds, request_timeout_seconds)


# ---------------------------------------------------------------------- holds, dead letters, the gate, limits


def a_hold_never_ends(original: Any, self: Timers, lane: Lane, due: float) -> None:
    if lane.status is not LaneStatus.HELD:
        original(self, lane, due)


def a_hold_ends_at_once(original: Any, self: Sequencer, lane: Lane, now: float) -> None:
    lane.hold_waived = True
    original(self, lane, now)


def a_lost_hold_is_kept(original: Any, self: Sequencer, partition: Partition, reason: HandBack) -> None:
    held = self.holds.events
    original(self, partition, reason)
    # No more than may be held, or the search for holds to cut short would have no end.
    self.holds.events = max(self.holds.events, min(held, self.holds._events_max))


def an_introduction_buries_the_last(original: Any, self: Outcomes, delivery: Delivery, *args: Any) -> None:
    lane = delivery.lane
    if delivery.kind is not DeliveryKind.INTRODUCTION or len(lane.waiting) < 2 or lane.assignment.dropped:
        original(self, delivery, *args)
        return
    last = lane.waiting.pop()
    lane.identifies -= last.kind is Kind.IDENTIFY
    self._endings.dead_letter(lane.assignment, last.record, *args)


def failing_always_counts(*_values: object) -> float:
    return 1.0


def retry_after_is_ignored(original: Any, self: Gate, user: User, outcome: Unavailable, *times: float) -> None:
    original(self, user, Unavailable(outcome.cause, None, outcome.throttled), *times)


def retry_after_of_one_is_everybody_s(
    original: Any, self: Gate, user: User, outcome: Unavailable, *times: float
) -> None:
    original(self, user, outcome, *times)
    self._paused_until = max(self._paused_until, times[0] + (outcome.retry_after_seconds or 0.0))


def a_lane_ignores_retry_after(original: Any, self: Outcomes, delivery: Delivery, *args: Any) -> None:
    original(self, delivery, *args)
    delivery.not_before = 0.0


def what_was_sent_before_shows_the_key(original: Any, self: Misdirections, _sent_at: float) -> bool:
    return bool(original(self, float("inf")))


def what_is_forbidden_is_never_given_up(original: Any, self: GivingUp, failed_at: float, outcome: Any) -> float:
    return 0.0 if isinstance(outcome, Misdirected) else float(original(self, failed_at, outcome))


def the_gate_never_reopens(original: Any, self: Gate, now: float, in_flight: int) -> bool:
    return not self.probing and bool(original(self, now, in_flight))


def refusals_always_count(original: Any, self: Gate, user: User, status: int, *times: float) -> bool:
    self._refused_users.clear()
    return bool(original(self, user, status, *times))


def bytes_are_not_given_back(original: Any, self: Account, *args: Any) -> None:
    original(self, *args[:2], 0, *args[3:])


def a_drain_does_not_wait(original: Any, self: Drains, assignments: Any, _now: float) -> None:
    original(self, assignments, float("inf"))


def a_batch_is_finished_with_its_first_event(
    _original: Any, self: OffsetTracker, offset: int, **_skipped: bool
) -> bool:
    self._finished_count += 1
    self._unfinished.pop(offset, None)
    return True


def what_waits_for_a_schema_is_dropped(_original: Any, self: Intake, assignment: Assignment, record: Record) -> None:
    self._ask(self._waiting[assignment].schema)
    self._waiting[assignment].items.append(record.offset + 1)


def closed_partitions_are_served(_original: Any, self: Assignment) -> bool:
    return not (self.dropped or self.stopped)


FAULTS = [
    Fault("no identify gate", around(Sequencer, "receive", everybody_is_identified), ("identify first",), 10),
    Fault(
        "a refused identify counts",
        around(Outcomes, "_dead_letter", a_refused_identify_counts),
        ("identify first",),
        60,
    ),
    Fault("a delete forgets nothing", around(Endings, "forgotten", a_delete_forgets_nothing), ("identify first",), 300),
    Fault("a delete is not written", around(Endings, "forgotten", a_delete_is_not_written), ("commit",), 300),
    Fault("a forgotten user stays known", constant(KnownUsers, "discard", None), ("identify first",), 300),
    Fault(
        "an answer of the state revives a forgotten user",
        around(Intake, "looked_up", a_late_answer_of_the_state_counts),
        ("identify first",),
        100,
        3960,
    ),
    Fault(
        "an identify overtakes a delete",
        around(Lane, "first_identify", an_identify_overtakes_a_delete),
        ("order",),
        300,
    ),
    Fault("a waiting identify is overlooked", constant(Lane, "first_identify", None), ("order",), 60),
    Fault(
        "the state is not heeded",
        around(Intake, "looked_up", an_answer_of_the_state_is_not_heeded),
        ("state", "dead letter", "order"),
        100,
    ),
    Fault(
        "a retry goes to the back of its lane",
        around(Outcomes, "_unavailable", a_retry_goes_to_the_back),
        ("order", "gate"),
        100,
    ),
    Fault("the right half goes first", around(Delivery, "halves", the_right_half_goes_first), ("order",), 100),
    Fault("two in flight for a user", around(Sequencer, "next_delivery", two_are_in_flight), ("in flight",), 20, 1),
    Fault("an old request is not waited for", around(Sequencer, "drop", nothing_lingers), ("in flight",), 300),
    Fault("batches without limit", around(Lane, "_take_run", a_batch_has_no_limit), ("limits",), 20),
    Fault(
        "an anonymous id is a user id",
        instead(decoding, "User", an_anonymous_id_is_a_user_id),
        ("phantom",),
        60,
    ),
    Fault("a commit one too far", around(OffsetTracker, "commit_point", a_commit_is_one_too_far), ("commit",), 10),
    Fault(
        "unfinished ones are committed",
        around(OffsetTracker, "committable", unfinished_ones_are_committed),
        ("commit",),
        10,
    ),
    Fault("metadata says too much", around(OffsetTracker, "_runs", metadata_says_one_too_many), ("commit",), 10),
    Fault(
        "metadata is not read",
        constant(OffsetTracker, "finished_before", False),
        ("duplicate", "order", "dead letter"),
        300,
    ),
    Fault("finished before it is recorded", around(Endings, "delivered", finished_before_recorded), ("commit",), 60),
    Fault(
        "a dead letter is finished before it is acknowledged",
        lambda monkeypatch: (
            around(Endings, "dead_letter", a_dead_letter_is_finished_at_once)(monkeypatch),
            around(Endings, "dead_lettered", a_burial_only_counts)(monkeypatch),
        )[0],
        ("commit",),
        20,
    ),
    Fault(
        "a refused batch is dropped", around(Outcomes, "judge", a_refused_batch_is_dropped), ("commit", "order"), 100
    ),
    Fault(
        "a late outcome still counts",
        late_outcomes_still_count,
        ("account",),
        300,
    ),
    Fault(
        "a late outcome counts for the next assignment",
        around(Sequencer, "report", a_late_outcome_counts_for_the_next),
        ("commit",),
        100,
        20160,
    ),
    Fault("any answer counts", around(CommitSchedule, "answered", any_answer_is_taken), ("commit",), 50, 400),
    Fault(
        "what waits for a write is not counted",
        around(Endings, "_await_record", what_waits_for_a_write_is_not_counted),
        ("limits",),
        100,
        1750,
    ),
    Fault("no lease is asked for", around(Sequencer, "next_delivery", no_lease_is_asked_for), ("zombie",), 60),
    Fault(
        "the lease counts from the answer",
        around(Pipeline, "_accept", the_lease_counts_from_the_answer),
        ("zombie",),
        200,
        250,
    ),
    Fault("any answer to a commit renews the lease", around(Pipeline, "_accept", any_answer_renews), ("zombie",), 60),
    Fault("nothing is renewed", around(CommitSchedule, "_is_to_renew", nothing_is_renewed), ("stuck",), 60),
    Fault(
        "requests may outlast the session",
        instead(settings, "lease_of", requests_may_outlast_the_session),
        ("zombie",),
        100,
        110,
    ),
    Fault("a hold never ends", around(Timers, "set", a_hold_never_ends), ("stuck",), 60),
    Fault("a hold ends at once", around(Sequencer, "_arm", a_hold_ends_at_once), ("hold",), 60),
    Fault(
        "held events of a lost partition stay",
        around(Sequencer, "drop", a_lost_hold_is_kept),
        ("account", "limits"),
        300,
    ),
    Fault("a hold has no limit", lambda monkeypatch: monkeypatch.setattr(Holds, "too_many", None), ("limits",), 100),
    Fault(
        "a refused introduction buries the last event",
        around(Outcomes, "_dead_letter", an_introduction_buries_the_last),
        ("dead letter",),
        100,
    ),
    Fault(
        "gives up in an outage",
        around(GivingUp, "_counts", failing_always_counts),
        ("dead letter",),
        300,
    ),
    Fault("any share of dead letters", constant(Assignment, "may_dead_letter", True), ("dead letter",), 100),
    Fault("the gate never stops", constant(Gate, "misdirected", None), ("gate",), 100),
    Fault("three refusals at the start", around(Gate, "refused", refusals_always_count), ("gate",), 100, 200),
    Fault("Retry-After is ignored", around(Gate, "failed", retry_after_is_ignored), ("gate",), 60),
    Fault(
        "Retry-After of one user holds for everybody",
        around(Gate, "failed", retry_after_of_one_is_everybody_s),
        ("gate",),
        60,
    ),
    Fault(
        "Retry-After of one user is ignored",
        around(Outcomes, "_unavailable", a_lane_ignores_retry_after),
        ("gate",),
        60,
    ),
    Fault("one 401 stops everybody", constant(Misdirections, "note", True), ("gate",), 60),
    Fault(
        "what was sent before a 401 shows that the key is right",
        around(Misdirections, "accepted", what_was_sent_before_shows_the_key),
        ("gate",),
        60,
        670,
    ),
    Fault(
        "with a wrong key events are given up",
        around(GivingUp, "_counts", failing_always_counts),
        ("dead letter",),
        300,
    ),
    Fault(
        "what is forbidden is never given up",
        around(GivingUp, "_counts", what_is_forbidden_is_never_given_up),
        ("stuck",),
        60,
    ),
    Fault("the gate never reopens", around(Gate, "may_start", the_gate_never_reopens), ("stuck",), 60),
    Fault(
        "no limit in flight",
        constant(Gate, "may_start", value=True),
        ("in flight", "gate"),
        20,
    ),
    Fault("no limit of what is uncommitted", constant(Budget, "may_send", value=True), ("limits",), 300),
    Fault("bytes are not given back", around(Account, "finish", bytes_are_not_given_back), ("account", "stuck"), 10),
    Fault(
        "a batch is finished with its first event",
        around(OffsetTracker, "finished", a_batch_is_finished_with_its_first_event),
        ("commit", "account", "lost"),
        60,
    ),
    Fault(
        "what waits for a schema is dropped",
        around(Intake, "_wait", what_waits_for_a_schema_is_dropped),
        ("commit", "lost"),
        60,
    ),
    Fault(
        "whatever happens is called ready",
        constant(member, "readiness", Health(True, "ready", [])),
        ("health",),
        100,
    ),
    Fault(
        "a problem is told for ever",
        constant(member, "readiness", Health(True, "degraded", ["segment-0", "segment-1", "segment-2", "segment-3"])),
        ("health",),
        20,
    ),
    Fault("a drain does not wait", around(Drains, "answer", a_drain_does_not_wait), ("drain",), 100),
]


def breach(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> Violation | None:
    """The first promise that is broken with the fault put in; raises RottenFaultError."""
    ROTTED.clear()
    fault.install(monkeypatch)
    for seed in range(fault.first_seed, fault.first_seed + fault.seeds_max):
        violation = None
        try:
            violation = simulate(seed, ask_health="health" in fault.caught_by).violation
        except ROTTEN as error:  # the simulation itself could not do with what the fault gave
            ROTTED.append(error)
        if violation is not None and isinstance(violation.__cause__, ROTTEN):
            ROTTED.append(violation.__cause__)
        if ROTTED:
            raise RottenFaultError(f"{fault.name}: {ROTTED[0]!r}") from ROTTED[0]
        if violation is not None:
            return violation
    return None


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_the_simulation_catches_a_fault_in_the_core(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each fault is caught within its number of seeds, as a breach of the promise that it is about."""
    violation = breach(fault, monkeypatch)

    assert violation is not None
    assert violation.rule in fault.caught_by


def test_no_fault_counts_as_caught_by_a_crash() -> None:
    """Whatever ends a member by an exception is not what the simulation is for; each fault is named after a promise."""
    assert [] == [fault.name for fault in FAULTS if "crashed" in fault.caught_by]


def asks_for_what_is_gone(original: Any, self: Any, *args: Any) -> Any:
    self._is_gone()
    return original(self, *args)


def calls_as_it_once_was(original: Any, *_args: Any) -> Any:
    return original()


def gives_what_it_once_gave(_original: Any, *_args: Any) -> Any:
    return "a run"


@pytest.mark.parametrize(
    "install",
    [
        around(Sequencer, "next_delivery", asks_for_what_is_gone),
        around(OffsetTracker, "commit_point", calls_as_it_once_was),
        around(Lane, "_take_run", gives_what_it_once_gave),
        instead(decoding, "User", partial(asks_for_what_is_gone, User)),
    ],
    ids=["an attribute", "arguments", "a value", "where the error is taken for a bad record"],
)
def test_a_fault_that_has_rotted_is_found_out(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    """It breaks what it is put into, and with it any promise, but not by what its name says."""
    rotten = Fault("rotten", install, ("crashed", "lost", "stuck", "dead letter"), 10)

    with pytest.raises(RottenFaultError):
        breach(rotten, monkeypatch)
