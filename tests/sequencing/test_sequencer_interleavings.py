"""The sequencer under any interleaving that Hypothesis finds: each user's order, the identify gate, the account.

Smaller than the simulation and without its edges, so that what breaks a promise shrinks to a few steps.
"""

from __future__ import annotations

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from consumer.sequencing.actions import Remember
from consumer.sequencing.events import BatchPart, Event, HandBack, Item, Kind, Outcome, Record, User
from consumer.sequencing.lanes import Delivery, LaneStatus
from consumer.sequencing.rule import DeliveryKind
from consumer.sequencing.waiting import retried_events
from tests.sequencing.given_sequencer import ERROR, NO, OK, SLOWER, WRONG_KEY, Bench

USERS = (User("a"), User("a", anonymous=True))
KINDS = ("track", "track", "track", "identify", "delete")


class Interleavings(RuleBasedStateMachine):
    """One partition whose log is read again from the committed offset whenever it is lost.

    Some of its records are batches. Events are told apart by their number in the log, records by their offset.
    """

    @initialize(
        hold_seconds=st.sampled_from([0.0, 3.0]),
        batch_events_max=st.sampled_from([1, 2, 100]),
        held_events_max=st.sampled_from([2, 100]),
        unidentified=st.sampled_from(["introduce", "dead-letter"]),
        give_up_seconds=st.sampled_from([2.0, 900.0]),
    )
    def begin(self, **rules: float | str) -> None:
        self.bench = Bench(in_flight_max=2, uncommitted_events_max=1000, **rules)
        self.now = 0.0
        self.log: list[tuple[User, str]] = []
        self.firsts: list[int] = [0]
        """The number of each record's first event, and of the next one to come."""
        self.fetched = self.committed = 0
        """Offsets."""
        self.known: set[User] = set()
        """The stored state."""
        self.identified: set[User] = set()
        """Who has an accepted identify since the last delete of theirs."""
        self.done: dict[int, str] = {}
        """By the event's number: what came of it in this tenure."""

    # ------------------------------------------------------------------ what happens

    @rule(user=st.sampled_from(USERS), kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=6))
    def produce(self, user: User, kinds: list[str]) -> None:
        for kind in kinds:
            self.log.append((user, kind))
            self.firsts.append(len(self.log))
        self.fetch(len(kinds))

    @rule(items=st.lists(st.tuples(st.sampled_from(USERS), st.sampled_from(KINDS)), min_size=1, max_size=6))
    def produce_a_batch(self, items: list[tuple[User, str]]) -> None:
        self.log += items
        self.firsts.append(len(self.log))
        self.fetch(1)

    @precondition(lambda self: self.fetched < len(self.firsts) - 1)
    @rule(count=st.integers(1, 10))
    def fetch(self, count: int) -> None:
        sequencer, assignment = self.bench.sequencer, self.bench.assignment
        for offset in range(self.fetched, min(self.fetched + count, len(self.firsts) - 1)):
            numbers = range(self.firsts[offset], self.firsts[offset + 1])
            whole = self.bench.event(offset, "track", fetched_at=self.now).record
            events = [self.event(whole, number) for number in numbers]
            sequencer.accept(assignment, whole, events, self.now)
            for partition, asked in sequencer.look_ups.question().items():
                sequencer.looked_up({partition: self.known & set(asked)}, self.now)
            self.fetched = offset + 1
        self.turn()

    def event(self, whole: Record, number: int) -> Event:
        """One event of the log, as decoding makes it of its record."""
        user, kind = self.log[number]
        first, end = self.firsts[whole.offset : whole.offset + 2]
        items = end - first
        item = Item(number - first, msgspec.Raw(b"{}"), BatchPart(items, b"")) if items > 1 else None
        record = msgspec.structs.replace(whole, item=item, text_bytes=30)
        return Event(record, Kind(kind), user, f"m{number}", "2026-11-23 10:00:00.000Z")

    def number(self, record: Record) -> int:
        """Which event of the log a record, or an item of it, is."""
        return self.firsts[record.offset] + (record.item_index or 0)

    def unsettled(self) -> range:
        """The numbers of the events that were read and are not committed."""
        return range(self.firsts[self.committed], self.firsts[self.fetched])

    @rule(seconds=st.sampled_from([0.0, 0.5, 5.0]))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.turn()

    @precondition(lambda self: self.bench.unanswered)
    @rule(
        index=st.integers(0, 1),
        outcome=st.sampled_from([OK, OK, OK, NO, NO, ERROR, SLOWER, WRONG_KEY]),
        seconds=st.sampled_from([0.0, 4.0]),
    )
    def answer(self, index: int, outcome: Outcome, seconds: float) -> None:
        self.now += seconds
        delivery = self.bench.unanswered.pop(index % len(self.bench.unanswered))
        if outcome is OK:
            self.accepted(delivery)
        self.bench.sequencer.report(delivery, outcome, self.now)
        self.turn()

    @precondition(lambda self: self.bench.writes)
    @rule()
    def write(self) -> None:
        action = self.bench.writes[0]
        if not action.lane.assignment.dropped:
            (self.known.add if isinstance(action, Remember) else self.known.discard)(action.lane.user)
        self.bench.write_done(self.now)
        self.turn()

    @precondition(lambda self: self.bench.burials)
    @rule()
    def dead_letter(self) -> None:
        self.bench.burial_done()
        self.turn()

    @rule()
    def commit(self) -> None:
        offsets = self.bench.assignment.offsets
        point = offsets.commit_point()
        for number in range(self.firsts[self.committed], self.firsts[point.offset]):
            assert number in self.done
        offsets.committed(point)
        self.committed = point.offset

    @precondition(lambda self: self.fetched > self.committed + 3)
    @rule()
    def lose_and_get_back(self) -> None:
        self.bench.drop(HandBack.LOST)
        self.done.clear()
        self.identified = set(self.known)
        self.bench.assign()
        self.fetched = self.committed
        self.bench.assignment.offsets.reached_end(self.committed)

    # ------------------------------------------------------------------ what must hold

    def turn(self) -> None:
        self.bench.sent(self.now)
        under_way = len(self.bench.burials)
        self.bench.actions()
        for action in self.bench.burials[under_way:]:
            self.done[self.number(action.record)] = "dead_lettered"
        self.forget()

    def forget(self) -> None:
        """Deletes whose turn has come: all of the user before them is done."""
        for action in self.bench.writes:
            user = action.lane.user
            if action.lane.assignment.dropped or action.lane.identified:
                continue
            for number in self.unsettled():
                if self.log[number] == (user, "delete") and self.is_next(user, number) and number not in self.done:
                    self.done[number] = "forgotten"
                    self.identified.discard(user)

    def is_next(self, user: User, number: int) -> bool:
        before = range(self.unsettled().start, number)
        return all(self.log[other][0] != user or other in self.done for other in before)

    def accepted(self, delivery: Delivery) -> None:
        user = delivery.user
        if delivery.lane.assignment.dropped:
            self.accepted_late(delivery)
            return
        if delivery.kind is not DeliveryKind.EVENTS:
            was_identified = user in self.identified
            self.identified.add(user)
            if delivery.kind is DeliveryKind.INTRODUCTION:
                return
            number = self.number(delivery.events[0].record)
            overtaken = [
                self.log[other][1]
                for other in range(self.unsettled().start, number)
                if self.log[other][0] == user and other not in self.done
            ]
            assert "delete" not in overtaken
            assert not (was_identified and overtaken)
            self.done[number] = "accepted"
            return
        assert user in self.identified
        for event in delivery.events:
            assert event.kind not in (Kind.IDENTIFY, Kind.DELETE)
            assert self.is_next(user, self.number(event.record))
            self.done[self.number(event.record)] = "accepted"

    def accepted_late(self, delivery: Delivery) -> None:
        """The answer to a request of a tenure that is over, for which the user's lane of this one has waited."""
        user, log = delivery.user, self.log
        lane = self.bench.assignment.lanes.get(user)
        if lane is None or lane.status is not LaneStatus.BLOCKED:
            return
        wait = [number for number in self.unsettled() if log[number][0] == user and number not in self.done]
        undone_at = next((number for number in wait if log[number][1] == "delete"), len(log))
        sent = {self.number(event.record) for event in delivery.events}
        again = [number for number in wait if number in sent and number < undone_at]
        if again and delivery.kind is not DeliveryKind.EVENTS:
            self.identified.add(user)
        if delivery.kind is not DeliveryKind.INTRODUCTION:
            self.done.update(dict.fromkeys(again, "accepted"))

    @invariant()
    def the_account_balances(self) -> None:
        account = self.bench.sequencer.account
        assert sum(account.consumed.values()) == sum(account.finished.values()) + account.unfinished
        assert account.unfinished == self.bench.assignment.offsets.unfinished
        assert account.unfinished_bytes == self.bench.assignment.unfinished_bytes
        assert (account.unfinished == 0) == (account.unfinished_bytes == 0)

    @invariant()
    def one_request_of_a_user_is_in_flight(self) -> None:
        users = [delivery.user for delivery in self.bench.unanswered]
        assert len(users) == len(set(users)) == self.bench.sequencer.in_flight

    @invariant()
    def what_is_held_is_counted(self) -> None:
        lanes = self.bench.assignment.lanes.values()
        held = [lane for lane in lanes if lane.status is LaneStatus.HELD]
        assert sum(len(lane.waiting) for lane in held) == self.bench.sequencer.holds.events
        assert len(held) == self.bench.sequencer.holds.users
        assert sum(len(lane.waiting) for lane in held) == self.bench.assignment.held_events

    @invariant()
    def what_is_tried_again_and_what_is_under_way_is_counted(self) -> None:
        assignment = self.bench.assignment
        requests = {lane: [one for one in (lane.in_flight, *lane.again) if one] for lane in assignment.lanes.values()}
        failing = [lane for lane, those in requests.items() if any(one.first_failed_at is not None for one in those)]
        events = sum(len(lane.waiting) + sum(len(one.events) for one in requests[lane]) for lane in failing)
        assert events == retried_events(assignment)
        assert [one.lane for one in self.bench.unanswered if one.lane.assignment is assignment] == list(
            assignment.under_way
        )


TestInterleavings = Interleavings.TestCase
TestInterleavings.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)
