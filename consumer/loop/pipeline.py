"""READ FIRST. The one loop.

Everything that happens comes in through the inbox, everything that is done goes out from here.

    bytes → decode → Event → Sequencer → Delivery → mapping → request → destination → Outcome
          → Sequencer → Remember (state) / WriteDeadLetter (dead letter) → finished → OffsetTracker → commit

The way up to the sequencer is intake.py. The loop is the only owner of mutable state; the edges are threads and tasks
that get orders and post what came of them (inputs.py). One turn: take all inputs, let the sequencer decide, send what
may be sent, hand out the actions, commit when it is time, publish a snapshot.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final, assert_never

from consumer.avro.known_schemas import KnownSchemas
from consumer.customfit.answers import Answer, judge, result_of
from consumer.customfit.mapping import request_body
from consumer.loop.intake import Intake
from consumer.ops.snapshot import PartitionNotes, Phase, Snapshot, view
from consumer.ports.edges import DeadLetterSink, Destination, SchemaSource, Source, States
from consumer.ports.inbox import Inbox
from consumer.ports.inputs import (
    GROUP,
    AccessDenied,
    Assigned,
    Committed,
    DeadLettered,
    DeadLetterFailed,
    EndOffsets,
    Fetched,
    Input,
    KafkaProblem,
    LookedUp,
    Lost,
    PartitionFailed,
    RegistryProblem,
    Responded,
    Revoked,
    Revoking,
    SchemaFound,
    SchemaMissing,
    StartPoint,
    StateFixed,
    StateOpened,
    StateProblem,
    StateRestoring,
    StateWritten,
    Stop,
    ThreadEnded,
)
from consumer.segment.decoding import DecodingRules
from consumer.sequencing import commit_metadata
from consumer.sequencing.actions import Action, Forget, Remember, WriteDeadLetter
from consumer.sequencing.commits import CommitSchedule
from consumer.sequencing.drains import Drains
from consumer.sequencing.events import Delivered, HandBack, Misdirected, Partition, Refused, Unavailable
from consumer.sequencing.lanes import Delivery
from consumer.sequencing.offsets import OffsetTracker
from consumer.sequencing.sequencer import Sequencer

if TYPE_CHECKING:
    from consumer.ops.reporter import Reporter
    from consumer.settings import Settings

TURN_SECONDS_MAX: Final = 1.0
"""A turn at least this often, so that a hang is told from idleness."""
WRITE_SECONDS: Final = 0.01
"""The state is handed what is to be remembered at most this often: each time wakes a thread, which costs the loop its
turn. What comes after a quiet time goes at once."""
PUBLISH_SECONDS: Final = 0.1
"""A snapshot at most this often: making one costs as much as handling a request."""

STATE_TOPIC_PROBLEMS: Final = ("not_written", "not_read", "not_grown")

log = logging.getLogger("consumer.pipeline")


class Pipeline:
    """The loop and what it owns."""

    def __init__(  # noqa: PLR0917  the composition root names them once
        self,
        settings: Settings,
        inbox: Inbox,
        sequencer: Sequencer,
        source: Source,
        states: States,
        dead_letters: DeadLetterSink,
        destination: Destination,
        reporter: Reporter,
        schemas: KnownSchemas,
        registry: SchemaSource,
    ) -> None:
        self.snapshot: Snapshot
        self.failure: BaseException | None = None
        """Why the pipeline ended by itself."""
        self._settings = settings
        self._inbox = inbox
        self._sequencer = sequencer
        self._source = source
        self._states = states
        self._dead_letters = dead_letters
        self._destination = destination
        self._reporter = reporter
        rules = DecodingRules(
            settings.anonymous, settings.integrations, settings.record_bytes_max, settings.replay_topic
        )
        self._intake = Intake(
            sequencer,
            source,
            states,
            schemas,
            registry,
            reporter,
            rules,
            settings.value_format,
            settings.buffer_events_max,
        )
        self._phase = Phase.STARTING
        self._joined = self._ended = False
        self._commits = CommitSchedule(
            settings.commit_interval_seconds, settings.uncommitted_events_max, settings.lease
        )
        self._drains = Drains(settings.drain_seconds)
        self._uncommitted_stop = False
        self._writes: list[Remember | Forget] = []
        self._write_at = 0.0
        self._deliveries: dict[Delivery, asyncio.Future[Answer]] = {}
        self._notes: dict[Partition, PartitionNotes] = {}
        self._finished_here: dict[Partition, tuple[int, dict[int, int]]] = {}
        """Of partitions that went, and may come back: what was committed, and what was finished above."""
        self._dead_letter_problem: str | None = None
        self._kafka_problem: str | None = None
        self._group_problem: str | None = None
        self._registry_problem: str | None = None
        self._state_problems: dict[str, str] = {}
        self._denied: dict[str, str] = {}
        """What the access lists keep us from → the words for it."""
        self._unpublished = False
        self._publish(time.monotonic())

    @property
    def drain_cut_short(self) -> bool:
        """Whether the stop went on with requests in flight, or the last commit failed."""
        return self._drains.cut_short or self._uncommitted_stop

    async def run(self) -> None:
        """Turn until the Kafka thread has ended."""
        self._phase = Phase.RUNNING
        self._grant()
        while not self._ended:
            inputs = await self._inbox.take(self._seconds_until_due(time.monotonic()))
            self._turn(inputs, time.monotonic())
        for answer in self._deliveries.values():
            answer.cancel()

    def _turn(self, inputs: Sequence[Input], now: float) -> None:
        for item in inputs:
            self._accept(item, now)
        self._sequencer.tick(now)
        self._send()
        self._act(self._sequencer.take_actions(), now)
        self._halt()
        self._intake.go_on(now)
        self._drains.answer(self._sequencer.assignments, now)
        self._watch_leases(now)
        if points := self._commits.due(self._sequencer.assignments, now):
            self._source.commit(points)
        self._grant()
        if now - self.snapshot.taken_at >= PUBLISH_SECONDS:
            self._reporter.catch_up()
            self._publish(now)
        else:
            self._unpublished = True

    def _seconds_until_due(self, now: float) -> float:
        due = [now + (PUBLISH_SECONDS if self._unpublished else TURN_SECONDS_MAX)]
        due += [self._write_at] if self._writes else []
        due += [d for d in (self._sequencer.next_deadline(now), self._drains.next_deadline()) if d is not None]
        return max(min(due) - now, 0.0)

    # ------------------------------------------------------------------ in

    def _accept(self, item: Input, now: float) -> None:  # noqa: C901, PLR0915  a case for each input
        match item:
            case Fetched(records, ends):
                self._kafka_problem = None
                if self._denied:
                    self._access_again({record.partition.topic for record in records} | {p.topic for p in ends})
                self._intake.fetched(records, ends, now)
            case LookedUp(identified):
                self._intake.looked_up(identified, now)
            case SchemaFound() | SchemaMissing():
                self._registry_problem = None
                self._intake.schema_answered(item, now)
            case RegistryProblem(detail):
                self._registry_problem = detail
                self._reporter.registry_problem(detail)
            case Responded():
                self._responded(item, now)
            case StateOpened() | StateRestoring() | StateWritten():
                self._state_news(item, now)
            case StateProblem() | StateFixed():
                self._state_problem(item)
            case DeadLettered(action):
                self._dead_letter_problem = None
                self._sequencer.dead_lettered(action)
            case DeadLetterFailed(kind, detail):
                self._dead_letter_problem = detail if kind == "not_written" else self._dead_letter_problem
                self._reporter.dead_letter_failed(kind, detail)
            case Assigned(starts, cluster_id):
                self._assigned(starts, cluster_id)
            case Revoking(partitions, drained, shutdown):
                for partition in partitions:
                    self._sequencer.close(partition)
                self._drains.start(partitions, drained.set_result, now, shutdown=shutdown)
                self._phase = Phase.DRAINING if shutdown else self._phase
            case Revoked(partitions, error):
                self._uncommitted_stop = self._uncommitted_stop or (self._phase is Phase.DRAINING and error is not None)
                reason = HandBack.SHUTDOWN if self._phase is Phase.DRAINING else HandBack.REVOKED
                self._forget(partitions, reason)
            case Lost(partitions):
                self._forget(partitions, HandBack.LOST)
            case Committed(asked, accepted, error):
                self._commits.answered(asked, accepted, ok=error is None)
                self._reporter.committed(error)
                if error is None and accepted:
                    self._access_again({GROUP})
            case EndOffsets(offsets):
                self._kafka_problem = None if offsets else self._kafka_problem
                for partition, end in offsets.items():
                    if (notes := self._notes.get(partition)) is not None:
                        notes.end_offset = end
            case PartitionFailed(partition, reason, remedy):
                if (notes := self._notes.get(partition)) is not None:
                    notes.problem = f"{reason}; {remedy}"
                self._reporter.partition_failed(partition, reason, remedy)
            case KafkaProblem(kind, detail):
                self._kafka_problem = detail
                self._reporter.kafka_problem(kind, detail)
            case AccessDenied(what, detail):
                self._denied[what] = detail
                self._reporter.access_denied(what, detail)
            case Stop():
                self._phase = Phase.DRAINING
                self._source.stop()
            case ThreadEnded(name, failure):
                self._thread_ended(name, failure)
            case _:
                assert_never(item)

    def _access_again(self, what: AbstractSet[str]) -> None:
        for one in self._denied.keys() & what:
            del self._denied[one]
            self._reporter.access_again(one)

    def _responded(self, response: Responded, now: float) -> None:
        delivery = response.delivery
        del self._deliveries[delivery]
        outcome = judge(response.answer, datetime.now(UTC))
        state = self._sequencer.gate.state
        self._reporter.responded(result_of(response.answer), response.seconds)
        if isinstance(outcome, Delivered):
            self._sequencer.gate.measured(now, response.seconds, len(delivery.events), self._sequencer.in_flight)
        self._sequencer.report(delivery, outcome, now)
        match outcome:
            case Delivered():
                self._reporter.delivered(delivery)
            case Refused() | Unavailable():
                self._reporter.not_delivered(outcome)
            case Misdirected(status):
                self._reporter.not_delivered(outcome)
                self._destination.misdirected(status)
        self._reporter.destination_changed(state, self._sequencer.gate)

    # ------------------------------------------------------------------ out

    def _send(self) -> None:
        # A fresh time for each: in a long turn, or in one in which the process was stopped, a lease may run out.
        while (delivery := self._sequencer.next_delivery(now := time.monotonic())) is not None:
            body = request_body(delivery, self._settings.api_dialect)
            answer = asyncio.ensure_future(self._destination.post(body))
            answer.add_done_callback(partial(self._answered, delivery, now))
            self._deliveries[delivery] = answer

    def _answered(self, delivery: Delivery, started: float, answer: asyncio.Future[Answer]) -> None:
        if answer.cancelled():
            return
        if (error := answer.exception()) is not None:  # not an answer of any kind: a fault of this program
            self._inbox.post_here(ThreadEnded("delivery", error))
        else:
            self._inbox.post_here(Responded(delivery, answer.result(), time.monotonic() - started))

    def _act(self, actions: Sequence[Action], now: float) -> None:
        for action in actions:
            match action:
                case Remember():
                    self._writes.append(action)
                case Forget(lane):
                    self._writes.append(action)
                    self._write_at = now  # or a look-up could overtake it
                    self._intake.forgotten(lane.user)
                case WriteDeadLetter():
                    self._reporter.dead_lettered(action)
                    self._dead_letters.dead_letter(action)
                case _:
                    assert_never(action)
        if self._writes and now >= self._write_at:
            writes, self._writes = self._writes, []
            self._write_at = now + WRITE_SECONDS
            self._states.write(writes)

    def _halt(self) -> None:
        for partition, assignment in self._sequencer.assignments.items():
            if assignment.halted is not None and self._notes[partition].problem is None:
                self._notes[partition].problem = assignment.halted
                self._source.rest(partition)
                self._sequencer.empty(assignment)
                self._intake.forget(assignment)
                self._reporter.halted(partition, assignment.halted)

    def _watch_leases(self, now: float) -> None:
        problem = self._commits.problem(self._sequencer.assignments.values(), now)
        if (problem is None) != (self._group_problem is None):
            self._reporter.group_answers(problem)
        self._group_problem = problem

    def _grant(self) -> None:
        """Let the source hand over as much as the buffer takes."""
        buffered_events, buffered_bytes = self._sequencer.buffered
        intake, settings = self._intake, self._settings
        room_records = settings.buffer_events_max - buffered_events - intake.waiting_records
        room_bytes = settings.buffer_bytes_max - buffered_bytes - intake.waiting_bytes
        if self._sequencer.outgrows_commits:  # first the gaps in what is finished are to be filled
            room_records = 0
        self._source.limit_records = intake.taken_records + room_records
        self._source.limit_bytes = intake.taken_bytes + room_bytes

    # ------------------------------------------------------------------ partitions come and go

    def _assigned(self, starts: Mapping[Partition, StartPoint], cluster_id: str) -> None:
        self._joined = True
        held = {partition.topic for partition in self._sequencer.assignments}
        self._access_again(self._denied.keys() - held)  # of what is new, it is said again if it is still so
        self._reporter.rebalanced("assigned", list(starts))
        # Replays last: they wait for the states of the source's partitions.
        for partition, start in sorted(starts.items(), key=lambda item: item[0].topic != self._settings.kafka_topic):
            finished_before = commit_metadata.decode(start.metadata, start.offset, cluster_id)
            if start.metadata and finished_before is None:
                self._reporter.metadata_ignored(partition)
            offsets = OffsetTracker(start.offset, finished_before, cluster_id)
            committed, finished_here = self._finished_here.pop(partition, (0, {}))
            offsets.finished_here(finished_here if start.offset >= committed else {})
            assignment = self._sequencer.assign(partition, offsets)
            if partition.topic == self._settings.replay_topic:
                assignment.of_replays()
            self._notes[partition] = PartitionNotes()
            self._states.open(assignment)

    def _state_news(self, news: StateOpened | StateRestoring | StateWritten, now: float) -> None:
        match news:
            case StateOpened(assignment, users):
                self._state_problems.pop("not_written", None)
                # A dropped one: this was on its way here when the partition was taken away.
                if not assignment.dropped and (notes := self._notes.get(assignment.partition)) is not None:
                    notes.identified_users = users
                    if notes.restoring:  # and not a damaged store that was read again: its partition may be resting
                        notes.restoring, notes.restore_remaining = False, None
                        self._source.resume(assignment.partition)
            case StateRestoring(partition, remaining):
                if (notes := self._notes.get(partition)) is not None and notes.restoring:
                    notes.restore_remaining = remaining
            case StateWritten(lanes, counts):
                if lanes:
                    self._state_problems.pop("not_written", None)
                for partition, users in counts.items():
                    if (notes := self._notes.get(partition)) is not None:
                        notes.identified_users = users
                for lane in lanes:
                    self._sequencer.recorded(lane, now)

    def _state_problem(self, news: StateProblem | StateFixed) -> None:
        if isinstance(news, StateFixed):
            self._state_problems.pop(news.kind, None)
            self._reporter.state_fixed(news.kind)
            return
        if news.kind in STATE_TOPIC_PROBLEMS:
            self._state_problems[news.kind] = news.detail
        self._reporter.state_problem(news.kind, news.detail)

    def _forget(self, partitions: Sequence[Partition], reason: HandBack) -> None:
        self._reporter.rebalanced("lost" if reason is HandBack.LOST else "revoked", partitions)
        for partition in partitions:
            if (assignment := self._sequencer.assignments.get(partition)) is not None:
                self._finished_here[partition] = assignment.offsets.committed_offset, assignment.offsets.uncommitted()
                self._intake.forget(assignment)
            self._sequencer.drop(partition, reason)
            self._states.close(partition)
            self._notes.pop(partition, None)

    def _thread_ended(self, name: str, failure: BaseException | None) -> None:
        if failure is not None:
            self.failure = self.failure or failure
            self._reporter.thread_failed(name, failure)
            if name != "kafka":
                self._source.stop()
        if name == "kafka":
            self._ended = True

    # ------------------------------------------------------------------ shown

    def _publish(self, now: float) -> None:
        sequencer, account, gate = self._sequencer, self._sequencer.account, self._sequencer.gate
        self._unpublished = False
        self.snapshot = Snapshot(
            taken_at=now,
            phase=self._phase,
            joined=self._joined,
            partitions=tuple(view(a, self._notes[p]) for p, a in sequencer.assignments.items()),
            consumed=dict(account.consumed),
            finished=dict(account.finished),
            unfinished=account.unfinished,
            introductions=account.introductions,
            holds_cut_short=account.holds_cut_short,
            held_events=sequencer.holds.events,
            held_users=sequencer.holds.users,
            in_flight=sequencer.in_flight,
            in_flight_limit=gate.window,
            destination_state=gate.state,
            destination_reason=gate.reason,
            dead_letter_problem=self._dead_letter_problem,
            kafka_problem=self._kafka_problem,
            group_problem=self._group_problem,
            registry_problem=self._registry_problem,
            state_problem="; ".join(self._state_problems.values()) or None,
            denied=tuple(self._denied.values()),
            awaiting_schemas=tuple(self._intake.waiting_partitions),
        )
