"""The sequencer under any interleaving that Hypothesis finds: each user's order, the identify gate, the account.

Smaller than the simulation and without its edges, so that what breaks a promise shrinks to a few steps.
"""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from consumer.actions import Remember
from consumer.events import HandBack, Kind, Outcome, User
from consumer.lanes import Delivery, DeliveryKind, LaneStatus
from tests.given_sequencer import ERROR, NO, OK, SLOWER, WRONG_KEY, Bench

USERS = (User("a"), User("a", anonymous=True))
KINDS = ("track", "track", "track", "identify", "delete")


class Interleavings(RuleBasedStateMachine):
    """One partition whose log is read again from the committed offset whenever it is lost."""

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
        self.fetched = self.committed = 0
        self.known: set[User] = set()
        """The stored state."""
        self.identified: set[User] = set()
        """Who has an accepted identify since the last delete of theirs."""
        self.done: dict[int, str] = {}
        """By offset: what came of it in this tenure."""

    # ------------------------------------------------------------------ what happens

    @rule(user=st.sampled_from(USERS), kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=6))
    def produce(self, user: User, kinds: list[str]) -> None:
        self.log += [(user, kind) for kind in kinds]
        self.fetch(len(kinds))

    @precondition(lambda self: self.fetched < len(self.log))
    @rule(count=st.integers(1, 10))
    def fetch(self, count: int) -> None:
        for offset in range(self.fetched, min(self.fetched + count, len(self.log))):
            user, kind = self.log[offset]
            self.bench.fetch(offset, kind, user=user, now=self.now, known=user in self.known)
            self.fetched = offset + 1
        self.turn()

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
    def bury(self) -> None:
        self.bench.burial_done()
        self.turn()

    @rule()
    def commit(self) -> None:
        offsets = self.bench.assignment.offsets
        point = offsets.commit_point()
        for offset in range(self.committed, point.offset):
            assert offset in self.done
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
        for action in self.bench.actions():
            verb, _, what = action.partition(" ")
            if verb == "bury":
                self.done[int(what.partition(":")[0])] = "buried"
        self.forget()

    def forget(self) -> None:
        """Deletes whose turn has come: all of the user before them is done."""
        for action in self.bench.writes:
            user = action.lane.user
            if action.lane.assignment.dropped or action.lane.identified:
                continue
            for offset in range(self.committed, self.fetched):
                if self.log[offset] == (user, "delete") and self.is_next(user, offset) and offset not in self.done:
                    self.done[offset] = "forgotten"
                    self.identified.discard(user)

    def is_next(self, user: User, offset: int) -> bool:
        return all(self.log[other][0] != user or other in self.done for other in range(self.committed, offset))

    def accepted(self, delivery: Delivery) -> None:
        user = delivery.user
        if delivery.lane.assignment.dropped:
            return
        if delivery.kind is not DeliveryKind.EVENTS:
            was_identified = user in self.identified
            self.identified.add(user)
            if delivery.kind is DeliveryKind.INTRODUCTION:
                return
            offset = delivery.events[0].record.offset
            overtaken = [
                self.log[other][1]
                for other in range(self.committed, offset)
                if self.log[other][0] == user and other not in self.done
            ]
            assert "delete" not in overtaken
            assert not (was_identified and overtaken)
            self.done[offset] = "accepted"
            return
        assert user in self.identified
        for event in delivery.events:
            assert event.kind not in (Kind.IDENTIFY, Kind.DELETE)
            assert self.is_next(user, event.record.offset)
            self.done[event.record.offset] = "accepted"

    @invariant()
    def the_account_balances(self) -> None:
        account = self.bench.sequencer.account
        assert sum(account.consumed.values()) == sum(account.finished.values()) + account.unfinished
        assert account.unfinished == self.bench.assignment.offsets.unfinished

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


TestInterleavings = Interleavings.TestCase
TestInterleavings.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)
