"""One member of the group: the real loop and the real core, with made-up edges, and turns taken in virtual time."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any, cast

from consumer.avro.known_schemas import KnownSchemas
from consumer.customfit.answers import Answer
from consumer.customfit.mapping import request_body
from consumer.ops.health import readiness
from consumer.ops.reporter import Reporter
from consumer.ports.edges import Edges
from consumer.ports.inbox import Inbox
from consumer.ports.inputs import (
    Fetched,
    Input,
    LogBounds,
    PauseRead,
    Responded,
    SchemaFound,
    Stop,
    ThreadEnded,
    TopicSeen,
    TopicsSeen,
)
from consumer.sequencing.actions import WriteReceipt
from consumer.sequencing.events import DeadLetterReason, Partition
from consumer.sequencing.gate import Gate
from consumer.sequencing.lanes import Delivery
from consumer.sequencing.rules import SequencingRules
from consumer.sequencing.sequencer import Sequencer
from tests.simulation.broker import Broker
from tests.simulation.dead_letters import SimulatedDeadLetters
from tests.simulation.destination import Destination
from tests.simulation.drawn_settings import drawn_settings
from tests.simulation.kafka import SimulatedSource
from tests.simulation.ledgers import Counts, Ledger
from tests.simulation.log import Log
from tests.simulation.options import Options
from tests.simulation.receipts import SimulatedReceipts
from tests.simulation.referee import Referee
from tests.simulation.registry import SimulatedRegistry
from tests.simulation.requests import Request, read_request
from tests.simulation.stage import Stage, Violation
from tests.simulation.state import SimulatedStates, Stores
from tests.simulation.stepped_pipeline import SilentReporter, SteppedPipeline

BACKOFF_SECONDS_MAX = 4.0
TURN_AFTER_SECONDS_MAX = 0.03
"""So long may inputs gather before a turn takes them all."""


@dataclasses.dataclass(slots=True, eq=False)
class World:
    """What the members live in."""

    stage: Stage
    options: Options
    log: Log
    referee: Referee
    broker: Broker
    destination: Destination
    requests: int = 0


class SimulatedMember:
    """From start to crash or stop."""

    def __init__(self, world: World, name: str, stores: Stores, dead_letter_ratio_max: float) -> None:
        self.name = name
        self.alive = True
        self.is_stopped = False
        self.ledger = Ledger(name, dead_letter_ratio_max=dead_letter_ratio_max)
        self.on_end: Callable[[], None] = lambda: None
        self._world = world
        self._stage = stage = world.stage
        settings = drawn_settings(world.options, dead_letter_ratio_max)
        self.source = SimulatedSource(stage, world.options, world.log, world.broker, self.post)
        self.states = SimulatedStates(
            stage, world.options, stores, referee=world.referee, tenures=self.source.tenures, post=self.post
        )
        self._dead_letters = SimulatedDeadLetters(stage, world.options, world.referee.dead_letters, self.post)
        self._receipts = SimulatedReceipts(stage, world.options, self._receipted, self.post)
        self._gate = Gate(settings.in_flight_max, self._backoff, settings.lease.request_timeout_seconds)
        self._sequencer = Sequencer(settings.fill(SequencingRules), self._gate, self._backoff)
        self._pipeline = SteppedPipeline(
            lambda: stage.now,
            settings,
            cast("Inbox", None),
            self._sequencer,
            Edges(
                self.source,
                self.states,
                self._dead_letters,
                cast("Any", SilentReporter()),
                SimulatedRegistry(stage, self.post),
                cast("Any", SilentReporter()),
                self._receipts if world.options.receipts else None,
            ),
            cast("Reporter", SilentReporter()),
            KnownSchemas({}, has_registry=True),
        )
        self._inbox: list[tuple[Input, Callable[[], None] | None]] = []
        self._turn_at = float("inf")
        if settings.requests_per_second_max is not None:
            topic = TopicSeen(None, world.options.partitions, frozenset())
            self.post(TopicsSeen({settings.kafka_topic: topic}))

    def _backoff(self, attempt: int) -> float:
        return self._stage.between(0.0, min(0.5 * 2.0 ** min(attempt, 10), BACKOFF_SECONDS_MAX))

    # ------------------------------------------------------------------ inputs and turns

    def post(self, item: Input, taken: Callable[[], None] | None = None) -> None:
        """Put into the inbox."""
        if self.alive:
            self._inbox.append((item, taken))
        if self.alive and not self.source.frozen:
            self._turn_within(self._stage.between(0.0, TURN_AFTER_SECONDS_MAX))

    def _turn_within(self, seconds: float) -> None:
        due = self._stage.now + seconds
        if due < self._turn_at:
            self._turn_at = due
            self._stage.after(seconds, lambda: self._turn_if_due(due))

    def _turn_if_due(self, due: float) -> None:
        if self.alive and self._turn_at == due and not self.source.frozen:
            self._turn_at = float("inf")
            self._turn()

    def _turn(self) -> None:
        now, pipeline = self._stage.now, self._pipeline
        inbox, self._inbox = self._inbox, []
        for index, (item, _) in enumerate(inbox):
            if index and isinstance(item, SchemaFound):
                # In a turn of its own, so that what was decoded at once is told from what had to wait.
                inbox, self._inbox = inbox[:index], inbox[index:]
                self._turn_within(0.0)
                break
        for _, taken in inbox:
            if taken is not None:
                taken()
        try:
            seconds = pipeline.turn([item for item, _ in inbox], now)
        except Violation:
            raise
        except Exception as error:
            raise Violation("crashed", f"{self.name}: {error!r}") from error
        account, assignments = self._sequencer.account, self._sequencer.assignments.values()
        self.ledger.holds_cut_short = account.holds_cut_short
        self._check_active()
        self._note_accepted()
        for item, _ in inbox:
            if isinstance(item, Fetched):
                self.ledger.buffered += len(item.records)
                self.ledger.buffered_bytes += sum(record.size_bytes for record in item.records)
        self._note_actions()
        self._note_requests()
        self._world.referee.turned(self.ledger, self._counts())
        for assignment in assignments:
            self._world.referee.commits.check_belief(
                self.name, assignment.partition, assignment.offsets.committed_offset
            )
        self._stage.exercised["turns with events while paused"] += self.ledger.is_paused and account.unfinished > 0
        self._stage.exercised["turns that wait for the lease"] += bool(self._pipeline.waits_for_lease)
        self.is_stopped = any(assignment.stopped for assignment in assignments)
        self.source.after_turn()
        if any(isinstance(item, ThreadEnded) for item, _ in inbox):
            self._end()
        elif (
            account.unfinished
            or self._sequencer.budget.held_to_share
            or not all(assignment.offsets.is_committed for assignment in assignments)
        ):
            self._turn_within(seconds + 1e-6)
        self.source.wake()

    def _check_active(self) -> None:
        """A turn looks only at the partitions that are said to be active: nothing may be missing there."""
        active, ours = self._sequencer.active, self._sequencer.assignments.values()
        active.update()
        unrecorded = sum(a.offsets.unrecorded + a.unrecorded for a in ours if a.stopped is None)
        if active.unrecorded != unrecorded:
            raise Violation("counted", f"{self.name}: {active.unrecorded} unrecorded, {unrecorded} in partitions")
        if missing := [a for a in ours if a.offsets.unfinished and a not in set(active)]:
            raise Violation("counted", f"{self.name}: has events and is not active: {missing}")

    def _note_accepted(self) -> None:
        for partition, assignment in self._sequencer.assignments.items():
            if (tenure := self.source.tenures.get(partition)) is not None:
                for offset in tenure.fetched_at:
                    if offset < assignment.offsets.position:
                        tenure.accepted_at.setdefault(offset, self._stage.now)

    def _counts(self) -> Counts:
        sequencer, account = self._sequencer, self._sequencer.account
        return Counts(
            consumed=sum(account.consumed.values()),
            finished=sum(account.finished.values()),
            unfinished=account.unfinished,
            unfinished_in_partitions=sum([a.offsets.unfinished for a in sequencer.assignments.values()]),
            buffered=sequencer.buffered[0],
            buffered_bytes=sequencer.buffered[1],
            in_flight=sequencer.in_flight,
            held=sequencer.holds.events,
            destination=self._gate.state.value,
            reason=self._gate.reason,
            closed_until=self._gate.opens_at(self._stage.now),
        )

    def _end(self) -> None:
        if self._pipeline.failure is not None:
            raise Violation("crashed", f"{self.name}: {self._pipeline.failure!r}") from self._pipeline.failure
        self._stage.exercised["drains cut short by a stop"] += self._pipeline.drain_cut_short
        self._die()
        self.on_end()

    # ------------------------------------------------------------------ what a turn has put out

    def _note_actions(self) -> None:
        """Dead letters first: a delete that is carried out in the same turn stands behind them."""
        world, referee = self._world, self._world.referee
        burials, self._dead_letters.asked = self._dead_letters.asked, []
        for action in burials:
            tenure, entry = self.source.read(action.record)
            self._stage.tell("{} dead-letters {}: {}", self.name, entry, action.reason.value)
            referee.dead_letters.dead_letter(tenure, entry, action.reason, self.ledger)
            self._dead_letters.produce(action, entry, partial(tenure.buried_acknowledged.add, entry.offset))
        self.states.note_asked()
        for action in burials:
            if action.reason is DeadLetterReason.UNIDENTIFIED:
                tenure, entry = self.source.read(action.record)
                known = self.states.knows(entry.partition, entry.user) and world.broker.owns(tenure)
                referee.dead_letters.check_unknown(entry, known=known)

    def _note_requests(self) -> None:
        world, stage = self._world, self._stage
        sent, self._pipeline.sent = self._pipeline.sent, []
        for delivery in sent:
            tenure, _ = self.source.read(delivery.events[0].record)
            world.requests += 1
            body = request_body(delivery, "destination")
            request = read_request(world.requests, body, tenure, world.log, stage.now)
            stage.tell("{} sends {}", self.name, request)
            known = self.states.knows(tenure.partition, request.user)
            world.referee.handed_over(request, self.ledger, known=known, is_owner=world.broker.owns(tenure))
            world.destination.post(request, partial(self._reply, delivery, request))

    def _reply(self, delivery: Delivery, request: Request, answer: Answer) -> None:
        self._stage.tell("{} hears of r{}: {}", self.name, request.number, answer)
        self.post(
            Responded(delivery, answer, self._stage.now - request.handed_at),
            lambda: self._world.referee.answered(request, answer, self.ledger),
        )

    def _receipted(self, action: WriteReceipt) -> None:
        for event in action.events:
            tenure, entry = self.source.read(event.record)
            tenure.unreceipted.discard(entry.offset)

    # ------------------------------------------------------------------ the end

    def hear(self, news: PauseRead) -> None:
        """Whether sending is paused, or that it is not known."""
        is_paused = not news.is_known or (news.order is not None and news.order.is_paused)

        def taken() -> None:
            self.ledger.is_paused = is_paused

        self.post(news, taken)

    def stop(self) -> None:
        """SIGTERM."""
        self.post(Stop())

    def thaw(self) -> None:
        """SIGCONT: it goes on where it was, and takes in what has come meanwhile."""
        self.source.frozen = False
        self._turn_at = float("inf")
        self._turn_within(self._stage.between(0.0, TURN_AFTER_SECONDS_MAX))
        self.source.wake()

    def crash(self) -> None:
        """End, as kill -9."""
        self.states.crash()
        self._die()
        for tenure in self.source.tenures.values():
            tenure.ended = True
            tenure.over(self._stage.now)
        self.source.tenures.clear()

    def _die(self) -> None:
        self.alive = False
        self.source.alive = self._dead_letters.alive = self._receipts.alive = False

    def be_asked(self) -> None:
        """What /readyz says is judged. Once a second the loop turns, hears where logs end, and publishes."""
        judge, log = self._world.referee.health, self._world.log
        if self.source.frozen or self.source.stopping:
            judge.rest(self.name)
            return
        if not self.source.blocked:
            ends = {p: _visible_end(log, p, self._stage.now) for p in self.source.tenures}
            self._inbox.append((LogBounds(ends, ends, {p: log.starts[p] for p in ends}), None))
            self._turn()
        if self.alive:
            snapshot = self._pipeline.fresh_snapshot(self._stage.now)
            judge.look(self.ledger, self.source.tenures, lambda: readiness(snapshot))

    @property
    def is_busy(self) -> bool:
        """A request, a write of state or a rebalance is under way, or it does not know yet what it has lost."""
        is_waiting = bool(self.ledger.outstanding or self._inbox) or self.states.is_busy or self.source.blocked
        is_waiting = is_waiting or self.source.frozen or self.source.cut_off
        return is_waiting or not all(map(self._world.broker.owns, self.source.tenures.values()))

    def check_empty(self) -> None:
        """All is committed: nothing may be left in any lane or count."""
        sequencer = self._sequencer
        left = {
            "unfinished": sequencer.account.unfinished,
            "unfinished bytes": sequencer.account.unfinished_bytes,
            "held events": sequencer.holds.events,
            "held users": sequencer.holds.users,
            "lanes": sum(len(assignment.lanes) for assignment in sequencer.assignments.values()),
        }
        if any(left.values()):
            raise Violation("account", f"{self.name} has left {left}")


def _visible_end(log: Log, partition: Partition, now: float) -> int:
    """Where the log ends now: some records are there only later."""
    entries = log.entries[partition]
    if not entries or entries[-1].appended_at <= now:
        return log.ends[partition]
    return next(entry.offset for entry in entries if entry.appended_at > now)
