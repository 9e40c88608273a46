"""READ FIRST. The one loop.

Everything that happens comes in through the inbox. Everything that has to be done goes out from here.

    bytes → decode → Event → Sequencer → Delivery → mapping → request → destination → Outcome
          → Sequencer → Remember (state) / WriteDeadLetter → finished → OffsetTracker → commit

intake.py takes records up to the sequencer; partitions.py knows what comes and goes with a partition. The loop is the
only owner of mutable state. The edges are threads and tasks: they get orders, and post what came of them
(ports/inputs.py). One turn: take all inputs, let the sequencer decide, send what may be sent, hand out the actions,
commit when it is time, publish a snapshot.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, assert_never

from consumer.avro.known_schemas import KnownSchemas
from consumer.customfit.answers import Answer
from consumer.customfit.forwarding import Forwarding
from consumer.customfit.mapping import request_body
from consumer.loop import questions
from consumer.loop.acting import Acting
from consumer.loop.answers import Answers
from consumer.loop.cluster import Cluster
from consumer.loop.intake import Intake
from consumer.loop.news import News
from consumer.loop.partitions import Partitions
from consumer.loop.pausing import Pausing
from consumer.loop.problems import Problems
from consumer.loop.rests import Rests
from consumer.loop.rule_counts import RuleCounts, redaction_of
from consumer.loop.showing import Showing
from consumer.ops.debug_lines import DebugLines
from consumer.ops.pseudonyms import Pseudonyms
from consumer.ops.snapshot import Phase, Rest, Snapshot
from consumer.ports.edges import Edges
from consumer.ports.inbox import Inbox
from consumer.ports.inputs import (
    GROUP,
    AccessDenied,
    Assigned,
    Committed,
    DeadLettered,
    DeadLetterFailed,
    Fetched,
    Granted,
    InHandAsked,
    Input,
    KafkaProblem,
    LogBounds,
    LookedUp,
    Lost,
    OtherInput,
    PartitionFailed,
    PauseRead,
    Receipted,
    ReceiptFailed,
    RecordTimes,
    RegistryProblem,
    Responded,
    Retention,
    Revoked,
    Revoking,
    SchemaFound,
    SchemaMissing,
    StateFixed,
    StateOpened,
    StateProblem,
    StateRestoring,
    StateWritten,
    Stop,
    ThreadEnded,
    TopicMadeAgain,
    TopicsSeen,
    WaitsAsked,
)
from consumer.ports.state_figures import StateFigures
from consumer.segment.decoding import DecodingRules
from consumer.sequencing.commits import CommitSchedule
from consumer.sequencing.drains import Drains
from consumer.sequencing.lanes import Delivery
from consumer.sequencing.sequencer import Sequencer

if TYPE_CHECKING:
    from consumer.ops.reporter import Reporter
    from consumer.settings import Settings

TURN_SECONDS_MAX: Final = 1.0
"""The loop turns at least this often, so that a hang can be told from idleness."""


class Pipeline:
    """The loop and what it owns."""

    def __init__(  # noqa: PLR0917  the composition root names them once
        self,
        settings: Settings,
        inbox: Inbox,
        sequencer: Sequencer,
        edges: Edges,
        reporter: Reporter,
        schemas: KnownSchemas,
        figures: Callable[[], StateFigures] = StateFigures,
    ) -> None:
        """`figures`: what the state's threads have counted."""
        self.failure: BaseException | None = None
        """Why the pipeline ended by itself."""
        self._settings = settings
        self._inbox = inbox
        self._sequencer = sequencer
        self._edges = edges
        self._reporter = reporter
        self._debug_lines = DebugLines(Pseudonyms(settings.kafka_group_id, settings.destination_name))
        names = settings.forward_headers
        self._forwarding = Forwarding(names, reporter.header_not_forwarded) if names else None
        rule_counts = RuleCounts(settings)
        self._redaction = redaction_of(settings, rule_counts.found)
        self._rests = Rests(edges.source)
        self._intake = Intake(
            sequencer,
            self._rests,
            schemas,
            edges.registry,
            reporter,
            settings.fill(DecodingRules, topic_life=""),
            rule_counts,
            settings.value_format,
            settings.buffer_events_max,
            settings.dead_letter_ratio_max,
        )
        self._cluster = Cluster(settings, time.monotonic())
        self._problems = Problems(reporter)
        self._partitions = Partitions(settings, sequencer, edges, self._intake, self._rests, reporter, self._cluster)
        self._ended = False
        self._commits = CommitSchedule(
            settings.commit_interval_seconds, settings.uncommitted_events_max, settings.lease
        )
        self._drains = Drains(settings.drain_seconds)
        self._destination_state = sequencer.gate.state
        """As it was last logged."""
        self._news = News(
            sequencer, self._partitions, self._cluster, self._problems, drains=self._drains, reporter=reporter
        )
        self._acting = Acting(sequencer, edges, reporter)
        self._answers = Answers(
            sequencer, self._partitions, edges.destination, reporter, keeps_status=edges.receipts is not None
        )
        self._pausing = Pausing(sequencer, reporter)
        self._showing = Showing(
            settings,
            sequencer,
            self._partitions,
            self._rests,
            self._cluster,
            self._problems,
            rule_counts.matched,
            self._intake.keys.counts,
            self._pausing,
            figures,
        )
        self._publish(time.monotonic())

    @property
    def snapshot(self) -> Snapshot:
        """What was published last."""
        return self._showing.snapshot

    @property
    def drain_cut_short(self) -> bool:
        """Whether the stop went on with requests in flight, or the last commit failed."""
        return self._drains.cut_short or self._news.is_uncommitted

    async def run(self) -> None:
        """Turn until the Kafka thread has ended."""
        self._news.phase = Phase.RUNNING
        self._grant()
        while not self._ended:
            few, pause_seconds = self._answers.moderation.pause(self._sequencer.in_flight)
            inputs = await self._inbox.take(self._seconds_until_due(time.monotonic()), few, pause_seconds)
            self._turn(inputs, time.monotonic())

    def _turn(self, inputs: Sequence[Input], now: float) -> None:
        if self._debug_lines.are_wanted:
            self._debug_lines.taken(inputs, now)
        for item in inputs:
            if isinstance(item, Responded):
                self._answers.take(item, now)
            else:
                self._accept(item, now)
        if self._answers.count(now):
            self._showing.delivered()
        self._intake.go_on(now)
        self._sequencer.tick(now)
        self._watch_destination()
        self._send()
        self._acting.act(self._sequencer.take_actions(), now)
        self._partitions.halt()
        if users := self._sequencer.look_ups.question():  # after act: a delete's record goes ahead of it
            self._edges.states.look_up(users)
        self._drains.answer(self._sequencer.assignments, now)
        self._problems.of_group(self._commits.problem(self._sequencer.active, now))
        if points := self._commits.due(self._sequencer.assignments, self._sequencer.active, now):
            self._edges.source.commit(points)
        self._grant()
        if self._showing.is_due(now):
            self._reporter.catch_up()
            self._debug_lines.look()
            self._publish(now)

    def _seconds_until_due(self, now: float) -> float:
        due = [now + TURN_SECONDS_MAX, self._showing.next_due(now)]
        others = (self._acting.due, self._sequencer.next_deadline(now), self._drains.next_deadline())
        due += [moment for moment in others if moment is not None]
        return max(min(due) - now, 0.0)

    # ------------------------------------------------------------------ in

    def _accept(self, item: OtherInput, now: float) -> None:  # noqa: C901  a case for each input
        match item:
            case Fetched(records, ends):
                self._cluster.heard(now)
                if self._problems.denied:
                    self._problems.access_again({r.partition.topic for r in records} | {p.topic for p in ends})
                self._intake.fetched(records, ends, now)
            case LookedUp(identified):
                self._sequencer.looked_up(identified, now)
            case StateWritten(lanes, counts):
                if lanes:
                    self._problems.state_written()
                self._partitions.identified_users(counts)
                self._sequencer.recorded(lanes, now)
            case DeadLettered(action):
                self._problems.dead_letters = None
                self._sequencer.dead_lettered(action)
            case Receipted(actions):
                self._problems.receipts = None
                for receipt in actions:
                    self._sequencer.receipted(receipt)
            case Committed():
                self._committed(item, now)
            case SchemaFound() | SchemaMissing():
                self._problems.registry = None
                self._intake.schema_answered(item, now)
            case Granted() | Assigned() | Revoking() | Revoked() | Lost() | StateOpened() | StateRestoring():
                self._news.of_group(item, now)
            case LogBounds() | TopicsSeen() | TopicMadeAgain() | Retention() | RecordTimes() | PartitionFailed():
                self._news.of_cluster(item, now)
            case (
                StateProblem()
                | StateFixed()
                | DeadLetterFailed()
                | ReceiptFailed()
                | RegistryProblem()
                | KafkaProblem()
                | AccessDenied()
            ):
                self._news.of_problem(item, now)
            case PauseRead():
                self._pausing.take(item, now)
            case InHandAsked() | WaitsAsked():
                questions.answer(item, self._sequencer, now)
            case Stop():
                self._news.phase = Phase.DRAINING
                self._edges.source.stop()
            case ThreadEnded(name, failure):
                self._thread_ended(name, failure)
            case _:
                assert_never(item)

    def _committed(self, item: Committed, now: float) -> None:
        for partition in item.too_large:
            if (assignment := self._sequencer.assignments.get(partition)) is not None:
                assignment.offsets.metadata_refused()
        self._commits.answered(item.asked, item.accepted, ok=item.error is None)
        self._reporter.committed(item.error)
        if item.accepted:
            self._cluster.heard(now)
            self._showing.committed()
            if item.error is None:
                self._problems.access_again({GROUP})

    def _thread_ended(self, name: str, failure: BaseException | None) -> None:
        if failure is not None:
            self.failure = self.failure or failure
            self._reporter.thread_failed(name, failure)
            if name != "kafka":
                self._edges.source.stop()
        if name == "kafka":
            self._ended = True

    # ------------------------------------------------------------------ out

    def _send(self) -> None:
        # A fresh time for each: a lease may run out in a long turn, or while the process was stopped.
        while (delivery := self._sequencer.next_delivery(now := time.monotonic())) is not None:
            body = request_body(delivery, self._settings.api_dialect, self._redaction)
            then = partial(self._answered, delivery, now)
            if self._forwarding is None:
                self._edges.destination.post(body, then)
            else:
                self._edges.destination.post(body, then, self._forwarding.of(delivery))

    def _answered(self, delivery: Delivery, started: float, answer: Answer | Exception) -> None:
        if isinstance(answer, Exception):  # not an answer of any kind: a bug of this program
            self._inbox.post_here(ThreadEnded("delivery", answer))
        else:
            self._inbox.post_here(Responded(delivery, answer, time.monotonic() - started))

    def _watch_destination(self) -> None:
        gate = self._sequencer.gate
        if gate.state is not self._destination_state:
            before, self._destination_state = self._destination_state, gate.state
            self._reporter.destination_changed(before, gate)

    def _grant(self) -> None:
        """Let the source hand over as much as the buffer takes."""
        buffered_events, buffered_bytes = self._sequencer.buffered
        intake, settings = self._intake, self._settings
        beyond_events, beyond_bytes = self._sequencer.budget.beyond_share(self._sequencer.assignments)
        room_records = settings.buffer_events_max - buffered_events + beyond_events - intake.waiting_records
        room_bytes = settings.buffer_bytes_max - buffered_bytes + beyond_bytes - intake.waiting_bytes
        if self._sequencer.budget.is_tight:  # first the gaps in what is finished have to be filled
            room_records = 0
        self._rests.set_all(Rest.SHARE, self._sequencer.budget.held_to_share)
        self._edges.source.limit_records = intake.taken_records + room_records
        self._edges.source.limit_bytes = intake.taken_bytes + room_bytes

    # ------------------------------------------------------------------ shown

    def _publish(self, now: float) -> None:
        self._showing.publish(now, self._news.phase, joined=self._news.joined)
        self._reporter.shown(self.snapshot)
        self._edges.peek.wanted = self._partitions.wanted_times()
