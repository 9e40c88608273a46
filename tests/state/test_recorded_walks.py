"""The sequencer and the state's thread together on random ways: what is committed is recorded.

Partitions come, close and go, writes expire, the file does not answer, answers and news come late. Whatever happens, a
track is sent only behind an accepted identify, and no identify is committed that the state topic does not have.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable
from pathlib import Path
from random import Random
from typing import Any, Final, cast

from consumer.loop.acting import Acting
from consumer.ports.inputs import DeadLettered, Input, LookedUp, StateOpened, StateWritten
from consumer.sequencing.actions import WriteDeadLetter
from consumer.sequencing.assignment import Assignment
from consumer.sequencing.events import Delivered, Event, HandBack, Kind, Outcome, Partition, Record, Refused, User
from consumer.sequencing.gate import Gate
from consumer.sequencing.lanes import Delivery, Lane
from consumer.sequencing.offsets import OffsetTracker
from consumer.sequencing.rule import DeliveryKind
from consumer.sequencing.sequencer import Sequencer
from tests.sequencing.given_rules import rules
from tests.simulation.stepped_pipeline import SilentReporter
from tests.state.given_thread import P0, P1, Steps
from tests.state.test_walks import Log, LogReader

HOMES: Final = {User("ann"): P0, User("bob"): P1, User("ann", anonymous=True): P0}
"""Each user's events are in one partition: what a delete in another one means for them is no part of this."""
KINDS: Final = ("track", "track", "track", "identify", "identify", "delete")
OK: Final = Delivered()
OUTCOMES: Final = (OK, OK, OK, Refused(400, b"no"))
THINGS: Final = (
    *("come", "go", "close", "produce", "fetch", "fetch", "turn", "turn", "answer", "answer"),
    *("state", "state", "topic", "file", "commit"),
)
STEPS: Final = 200
WALKS: Final = 60
ROUNDS_MAX: Final = 200

Answered = tuple[Delivery, Outcome]


class Walk:
    """One way, drawn by a seed; its files lie in this folder."""

    def __init__(self, seed: int, folder: Path) -> None:
        draw = self._random = Random(seed)
        changes = {"hold_seconds": draw.choice([0.0, 1.0]), "known_users_max": draw.choice([0, 1, 1000])}
        self._sequencer = Sequencer(rules(**changes), Gate(10, lambda _n: 1.0), lambda _n: 1.0)
        states = self._states = Steps(folder=str(folder))
        self._log = states._writes.writer = Log(states)
        states._restores.reader = LogReader(states._settings, self._log, states._settings.destination_name)
        self._stored = states._index.store.identified
        states._index.store.identified = self._identified  # type: ignore[method-assign]
        edges: Any = SilentReporter()
        edges.states, edges.dead_letters = states, self
        self._acting = Acting(self._sequencer, edges, edges)
        self._now = 0.0
        self._events: dict[Partition, list[tuple[User, str]]] = {P0: [], P1: []}
        self._committed, self._fetched = dict.fromkeys(self._events, 0), dict.fromkeys(self._events, 0)
        self._ready: set[Assignment] = set()
        self._news: list[Input | Answered] = []
        self._unanswered: list[Delivery] = []
        self._accepted: dict[tuple[User, int], bool] = {}
        """User and offset of each identify that was answered: whether it was accepted when it was last sent."""
        self._identified_at: dict[User, int] = {}
        """The user's deletes that had had their turn when an identify was accepted last."""
        self.mistakes: list[str] = []

    def dead_letter(self, action: WriteDeadLetter) -> None:
        """The edge: it is acknowledged, sooner or later."""
        self._news.append(DeadLettered(action))

    def go(self) -> None:
        """So many steps, and then all there is comes to its end."""
        for _ in range(STEPS):
            self._do_something()
        for _ in range(ROUNDS_MAX):
            for partition in self._events:
                self._go_on(partition)
            self._turn(len(self._news))
        left = {partition: len(events) - self._committed[partition] for partition, events in self._events.items()}
        if any(left.values()):
            self.mistakes.append(f"it does not end: {left} are left")

    def _go_on(self, partition: Partition) -> None:
        assignment = self._sequencer.assignments.get(partition)
        if assignment is not None and assignment.closed:
            self._leave(assignment)
        self._come(partition)
        self._fetch(partition)
        self._commit(partition)
        while self._log._sent:
            self._log.answer(expired=False)
        self._try_again()
        self._news += [*self._states.step(), *((delivery, OK) for delivery in self._unanswered)]
        self._unanswered.clear()
        self._now += 1.0

    def _do_something(self) -> None:
        draw, partition = self._random, self._random.choice((P0, P1))
        assignment = self._sequencer.assignments.get(partition)
        match draw.choice(THINGS):
            case "come":
                self._come(partition)
            case "go" if assignment is not None and draw.random() < 0.3:
                self._leave(assignment)
            case "close" if draw.random() < 0.3:
                self._sequencer.close(partition)
            case "produce":
                user = draw.choice(list(HOMES))
                self._events[HOMES[user]] += [(user, kind) for kind in draw.choices(KINDS, k=3)]
            case "fetch":
                self._fetch(partition)
            case "turn":
                self._now += draw.choice([0.0, 0.1, 1.0])
                self._turn(draw.randint(0, len(self._news)))
            case "answer" if self._unanswered:
                delivery = self._unanswered.pop(draw.randrange(len(self._unanswered)))
                self._news.append((delivery, draw.choice(OUTCOMES)))
            case "state":
                self._news += self._states.step()
            case "topic":
                self._log.answer(expired=draw.random() < 0.3)
                self._try_again()
            case "file":
                self._states._write_behind.store(list(self._states._index.states.values()))
            case "commit":
                self._commit(partition)

    def _try_again(self) -> None:
        self._states._try_again(self._states._writes.retry_at)
        self._states._work.put(lambda: None)  # a turn tells what came of it

    def _identified(self, users: Iterable[User]) -> dict[User, list[int]]:
        if self._random.random() < 0.1:
            raise sqlite3.OperationalError
        return self._stored(users)

    # ------------------------------------------------------------------ partitions

    def _come(self, partition: Partition) -> None:
        if partition not in self._sequencer.assignments:
            offset = self._fetched[partition] = self._committed[partition]
            assignment = self._sequencer.assign(partition, OffsetTracker(offset))
            assignment.leased_at = time.monotonic()
            self._states.open(assignment)

    def _leave(self, assignment: Assignment) -> None:
        self._sequencer.drop(assignment.partition, HandBack.LOST)
        self._states.close(assignment.partition)

    def _fetch(self, partition: Partition) -> None:
        assignment = self._sequencer.assignments.get(partition)
        if assignment is not None and assignment.open and assignment in self._ready:
            first, end = self._fetched[partition], min(self._fetched[partition] + 4, len(self._events[partition]))
            self._fetched[partition] = end
            if events := [self._event(partition, offset) for offset in range(first, end)]:
                self._sequencer.accept_all(assignment, events, self._now)

    def _event(self, partition: Partition, offset: int) -> Event:
        user, kind = self._events[partition][offset]
        record = Record(partition, offset, 0, None, b"x", None, self._now, 1)
        return Event(record, Kind(kind), user, f"m{offset}", "2026-11-23 10:00:00.000Z")

    def _commit(self, partition: Partition) -> None:
        if (assignment := self._sequencer.assignments.get(partition)) is not None:
            point = assignment.offsets.commit_point()
            assignment.offsets.committed(point)
            self._committed[partition] = point.offset
            for user, home in HOMES.items():
                if home == partition and self._is_recorded_too_late(user, point.offset):
                    self.mistakes.append(f"{user} of {partition} is not recorded, and {point.offset} is committed")

    def _is_recorded_too_late(self, user: User, end: int) -> bool:
        of_user = [(offset, kind) for offset, (who, kind) in enumerate(self._events[HOMES[user]][:end]) if who == user]
        last_delete = max((offset for offset, kind in of_user if kind == "delete"), default=-1)
        known = any(self._accepted.get((user, offset), False) for offset, _ in of_user if offset > last_delete)
        later = any(kind == "delete" for who, kind in self._events[HOMES[user]][end:] if who == user)
        return known and not later and not dict(self._log.records[HOMES[user].number]).get(user, False)

    # ------------------------------------------------------------------ a turn

    def _turn(self, count: int) -> None:
        news, self._news = self._news[:count], self._news[count:]
        for item in news:
            self._take(item)
        sequencer, now = self._sequencer, self._now
        sequencer.tick(now)
        while (delivery := sequencer.next_delivery(now)) is not None:
            self._unanswered.append(delivery)
            if delivery.kind is DeliveryKind.EVENTS and not self._may_go(delivery):
                self.mistakes.append(f"{delivery.events} go, and their user is not identified")
        self._acting.act(sequencer.take_actions(), now)
        if users := sequencer.look_ups.question():
            self._states.look_up(users)

    def _take(self, item: Input | Answered) -> None:
        match item:
            case StateOpened(assignment):
                self._ready.add(assignment)
            case StateWritten(lanes):
                self._sequencer.recorded(cast("list[Lane]", lanes), self._now)
            case LookedUp(identified):
                self._sequencer.looked_up(identified, self._now)
            case DeadLettered(action):
                self._sequencer.dead_lettered(action)
            case (Delivery() as delivery, outcome):
                self._answered(delivery, outcome)

    def _answered(self, delivery: Delivery, outcome: Outcome) -> None:
        if delivery.kind is not DeliveryKind.EVENTS:
            offset = delivery.events[0].record.offset
            if delivery.kind is DeliveryKind.IDENTIFY:
                self._accepted[(delivery.user, offset)] = outcome is OK
            if outcome is OK:
                self._identified_at[delivery.user] = self._deletes_before(delivery.user, offset)
        self._sequencer.report(delivery, outcome, self._now)

    def _may_go(self, delivery: Delivery) -> bool:
        """Whether an identify of the user was accepted behind their last delete before these."""
        offset = delivery.events[0].record.offset
        return self._identified_at.get(delivery.user, -1) >= self._deletes_before(delivery.user, offset)

    def _deletes_before(self, user: User, end: int) -> int:
        return self._events[HOMES[user]][:end].count((user, "delete"))


def test_what_is_committed_is_recorded_whatever_happened(tmp_path: Path) -> None:
    """Also of who was not looked up, and counted as recorded because the state had them already."""
    mistakes: dict[int, list[str]] = {}
    for seed in range(WALKS):
        walk = Walk(seed, tmp_path / str(seed))
        walk.go()
        if walk.mistakes:
            mistakes[seed] = walk.mistakes

    assert {} == mistakes
