"""Partitions come and go: granted, assigned, restored, stopped, revoked or lost. The unit of isolation and of health.

A partition is bound, by the topic's id, to the topic from which it was assigned. A topic that was deleted and made
again under its name is another topic: committed offsets say nothing about it, so its partitions stop instead of
jumping.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from consumer.loop.facts import Facts
from consumer.loop.rests import Rests
from consumer.ops.partition_view import PartitionView, Waits
from consumer.ops.snapshot import Rest
from consumer.ports.edges import Edges
from consumer.ports.inputs import (
    LogBounds,
    PartitionFailed,
    RecordTimes,
    StartPoint,
    StateOpened,
    StateRestoring,
    TopicSeen,
)
from consumer.sequencing import commit_metadata
from consumer.sequencing.assignment import Assignment
from consumer.sequencing.dead_letter_headers import TOPIC_LIFE_CHARACTERS
from consumer.sequencing.events import HandBack, Partition
from consumer.sequencing.format_guard import FormatGuard
from consumer.sequencing.lanes import Delivery
from consumer.sequencing.offsets import OffsetTracker
from consumer.sequencing.rule import DeliveryKind
from consumer.sequencing.stops import StopCause, Stopped
from consumer.settings.kafka_tools import reset_to_earliest

if TYPE_CHECKING:
    from consumer.loop.cluster import Cluster
    from consumer.loop.intake import Intake
    from consumer.ops.reporter import Reporter
    from consumer.sequencing.sequencer import Sequencer
    from consumer.settings import Settings

LEFT_SECONDS: Final = 30.0
"""For how long after a partition went it may turn out that its topic is gone."""


class _FinishedHere(NamedTuple):
    """What this process had finished in a partition that went, and may come back."""

    topic_id: str | None
    committed_offset: int
    finished: dict[int, int]
    """Offset → timestamp of what was finished above the committed offset."""


class _Left(NamedTuple):
    """What was last shown of a partition that went."""

    view: PartitionView
    at: float
    is_kept: bool
    """It was lost, as when the cluster goes away: show it until the group gives partitions again."""


class Partitions:
    """All partitions that are ours, and what is remembered of those that were."""

    def __init__(  # noqa: PLR0917  the pipeline names them once
        self,
        settings: Settings,
        sequencer: Sequencer,
        edges: Edges,
        intake: Intake,
        rests: Rests,
        reporter: Reporter,
        cluster: Cluster,
    ) -> None:
        self._settings = settings
        self._sequencer = sequencer
        self._states = edges.states
        self._receipts = edges.receipts
        self._intake = intake
        self._rests = rests
        self._reporter = reporter
        self._cluster = cluster
        self._facts: dict[Partition, Facts] = {}
        self._finished_here: dict[Partition, _FinishedHere] = {}
        self._formats: dict[Partition, FormatGuard] = {}
        """What this process has read of them so far."""
        self._left: dict[Partition, _Left] = {}
        self._to_be_looked_at: set[str] = set()
        """Topics of which all our partitions were taken at once.

        They may be gone; the next look at the cluster tells.
        """
        self._topic_ids: dict[str, str] = {}
        """The ids when this process first read the topics."""
        self._views: tuple[PartitionView, ...] = ()

    # ------------------------------------------------------------------ they come

    def granted(self, partitions: Sequence[Partition], now: float) -> None:
        """The group gave us these partitions, or none. Where they start is being found out."""
        for partition in partitions:
            left = self._left.get(partition)
            self._facts.setdefault(partition, Facts(partition, now, None if left is None else left.view))
        self._left = {partition: left._replace(is_kept=False) for partition, left in self._left.items()}

    def assigned(self, starts: Mapping[Partition, StartPoint], cluster_id: str, now: float) -> None:
        """It is now known where these partitions start."""
        self._reporter.rebalanced("assigned", list(starts))
        # Replays come last: they wait for the states of the source's partitions.
        for partition, start in sorted(starts.items(), key=lambda item: item[0].topic != self._settings.kafka_topic):
            written = commit_metadata.decode(start.metadata, start.offset, cluster_id)
            if not written.is_ours:
                self._reporter.metadata_ignored(partition)
            offsets = OffsetTracker(start.offset, written.finished_before, cluster_id, start.topic_id)
            offsets.finished_here(self._finished_before(partition, start))
            assignment = self._sequencer.assign(partition, offsets)
            assignment.formats = self._formats.setdefault(partition, assignment.formats)
            if partition.topic == self._settings.replay_topic:
                assignment.of_replays()
            facts = self._facts.setdefault(partition, Facts(partition, now))
            facts.assigned(assignment, now)
            self._rests.assigned(partition)
            if self._is_another_topic(partition.topic, start.topic_id, written.topic_id):
                self._made_again(assignment)
            self._states.open(assignment)
            if self._receipts is not None:
                self._receipts.begin(assignment)

    def _is_another_topic(self, topic: str, topic_id: str | None, written_id: str | None) -> bool:
        """Whether the commit is about another topic of this name, or this process has read another one before.

        The broker forgets the commits of a deleted topic, but only sooner or later.
        """
        if topic_id is None:
            return False
        read_before = self._topic_ids.setdefault(topic, topic_id)
        return topic_id != read_before or topic_id != (written_id or topic_id)

    def _finished_before(self, partition: Partition, start: StartPoint) -> dict[int, int]:
        """What an earlier assignment of this process had finished, if it is of the same topic."""
        before = self._finished_here.pop(partition, None)
        if before is None or before.topic_id != start.topic_id or start.offset < before.committed_offset:
            return {}
        return before.finished

    def state_opened(self, news: StateOpened) -> None:
        """A partition's state is ready."""
        facts = self._facts.get(news.assignment.partition)
        # A dropped one: this news was on its way when the partition was taken away.
        if news.assignment.dropped or facts is None:
            return
        facts.identified_users = news.users
        if news.had_other_topic and (topic_id := news.assignment.offsets.topic_id) is not None:
            # Otherwise the destination would take events of the new topic for those of the old one.
            news.assignment.topic_life = topic_id[:TOPIC_LIFE_CHARACTERS]
        if facts.restoring:  # and not a damaged store that was read again
            facts.restoring, facts.restore_remaining = False, None
            self._rests.remove(news.assignment.partition, Rest.RESTORING)

    def state_restoring(self, news: StateRestoring) -> None:
        """A partition's state is being read."""
        if (facts := self._facts.get(news.partition)) is not None and facts.restoring:
            facts.restore_remaining = news.remaining

    def identified_users(self, counts: Mapping[Partition, int]) -> None:
        """Take how many users of each partition are identified."""
        for partition, users in counts.items():
            if (facts := self._facts.get(partition)) is not None:
                facts.identified_users = users

    # ------------------------------------------------------------------ what the cluster tells

    def bounds(self, bounds: LogBounds, now: float) -> None:
        """Take where logs end and begin."""
        for partition, end in bounds.highs.items():
            if (facts := self._facts.get(partition)) is not None:
                facts.bounds(end, bounds.stable.get(partition), now)
                facts.beginning = bounds.beginnings.get(partition)

    def record_times(self, news: RecordTimes) -> None:
        """Take the times of records that are not in hand."""
        for partition, (offset, timestamp_ms) in news.times.items():
            if (facts := self._facts.get(partition)) is not None:
                facts.record_time(offset, timestamp_ms)

    def topics_seen(self, topics: Mapping[str, TopicSeen], now: float) -> None:
        """Take which topics there are now. The partitions of a topic that was made again stop."""
        self._to_be_looked_at.difference_update(topics)
        if (rate := self._sequencer.rate) is not None:
            counts = {topic: seen.partitions for topic, seen in topics.items()}
            rate.topics_have(counts.get(self._settings.kafka_topic), counts.get(self._settings.replay_topic), now)
        for topic, seen in topics.items():
            if seen.topic_id is not None:
                self.topic_is(topic, seen.topic_id)

    def topic_is(self, topic: str, topic_id: str) -> None:
        """The topic has this id now. If its partitions were assigned under another one, they stop."""
        for partition, assignment in self._sequencer.assignments.items():
            if partition.topic == topic and assignment.offsets.topic_id not in (None, topic_id):
                self._made_again(assignment)

    def _made_again(self, assignment: Assignment) -> None:
        if assignment.stopped is None:
            assignment.stopped = Stopped(StopCause.TOPIC_MADE_AGAIN, self._how_to_reset(assignment))

    def _how_to_reset(self, assignment: Assignment) -> str:
        topic, settings = assignment.partition.topic, self._settings
        return (
            f"the topic {topic} was deleted and made again under its name; the committed offset "
            f"{assignment.offsets.committed_offset} is of the one that is gone. Stop all members, then: "
            f"{reset_to_earliest(settings, topic)}"
        )

    # ------------------------------------------------------------------ they stop

    def failed(self, failure: PartitionFailed) -> None:
        """A partition can't be read any further. What is in hand of it goes on."""
        if (facts := self._facts.get(failure.partition)) is not None and facts.stopped is None:
            facts.stopped = Stopped(failure.cause, f"{failure.reason}; {failure.remedy}")
            self._rests.add(failure.partition, Rest.STOPPED)
            self._reporter.partition_failed(failure.partition, failure.reason, failure.remedy)

    def halt(self) -> None:
        """Let go of what waits in partitions that we decided to stop."""
        for assignment, stopped in self._sequencer.active.stopped.items():
            facts = self._facts.get(assignment.partition)
            if facts is not None and not facts.is_halted:
                facts.is_halted = True
                self._rests.add(assignment.partition, Rest.STOPPED)
                self._sequencer.empty(assignment)
                self._intake.let_go(assignment)
                self._reporter.stopped(assignment.partition, stopped)

    # ------------------------------------------------------------------ they go

    def gone(self, partitions: Sequence[Partition], reason: HandBack, now: float) -> None:
        """These partitions are no longer ours."""
        self._reporter.rebalanced("lost" if reason is HandBack.LOST else "revoked", partitions)
        self._remember(partitions, now, is_kept=reason is HandBack.LOST)
        for partition in partitions:
            if (assignment := self._sequencer.assignments.get(partition)) is not None:
                offsets = assignment.offsets
                self._finished_here[partition] = _FinishedHere(
                    offsets.topic_id, offsets.committed_offset, offsets.uncommitted()
                )
                self._intake.let_go(assignment)
            self._sequencer.drop(partition, reason)
            self._states.close(partition)
            self._rests.gone(partition)
            self._facts.pop(partition, None)

    def delivered_late(self, delivery: Delivery) -> None:
        """A request of a partition that went was accepted. If the partition comes back to us, it is not sent again.

        An introduction has sent nothing of the event behind it. With receipts it is sent again, since it has no
        receipt.
        """
        if delivery.kind is DeliveryKind.INTRODUCTION:
            return
        if self._receipts is not None:
            return
        partition = delivery.lane.assignment.partition
        before = self._finished_here.get(partition)
        if before is not None and before.topic_id == delivery.lane.assignment.offsets.topic_id:
            records = [event.record for event in delivery.events if event.record.item_index is None]
            before.finished.update((record.offset, record.timestamp_ms) for record in records)

    def _remember(self, partitions: Sequence[Partition], now: float, *, is_kept: bool) -> None:
        last = {view.partition: view for view in self._views if view.is_ours}
        left = {partition.topic for partition in self._facts.keys() - set(partitions)}
        self._to_be_looked_at |= {partition.topic for partition in partitions} - left
        for partition in partitions:
            if partition in last:
                self._left[partition] = _Left(last[partition], now, is_kept)

    # ------------------------------------------------------------------ shown

    def views(self, now: float, wall_ms: int) -> tuple[PartitionView, ...]:
        """All that are ours, and those that went with the cluster or their topic, as they were last shown."""
        ours = [
            facts.view(now, wall_ms, self._waits(facts, now), self._cluster.retention_seconds(partition.topic))
            for partition, facts in self._facts.items()
        ]
        self._views = (*ours, *self._shown_still(now))
        return self._views

    def lost_seconds(self, now: float) -> float:
        """How long ago the group took partitions without asking; 0: it has given some again since, or took none."""
        return max((now - left.at for left in self._left.values() if left.is_kept), default=0.0)

    def wanted_times(self) -> dict[Partition, int]:
        """Offsets whose records' times are to be read."""
        wanted = {partition: facts.wants_time_of for partition, facts in self._facts.items()}
        return {partition: offset for partition, offset in wanted.items() if offset is not None}

    def _waits(self, facts: Facts, now: float) -> Waits:
        partition = facts.partition
        record_seconds, commit_seconds = facts.silent_seconds(now)
        held, retried, answer_seconds = facts.counted(now)
        return Waits(
            start_seconds=facts.start_seconds(now),
            end_seconds=facts.end_seconds(now),
            has_leader=self._cluster.leads(partition),
            has_state_leader=self._cluster.leads_state(partition),
            restoring_seconds=facts.restoring_seconds(now),
            record_seconds=record_seconds,
            commit_seconds=commit_seconds,
            schema=self._rests.has(partition, Rest.SCHEMA),
            registry_not_set="" if facts.assignment is None else self._intake.lacks_registry(facts.assignment),
            transaction_seconds=facts.transaction_seconds(now),
            share=self._rests.has(partition, Rest.SHARE),
            held_events=held,
            hold_seconds=self._settings.hold_seconds,
            retried_events=retried,
            answer_seconds=answer_seconds,
        )

    def _shown_still(self, now: float) -> list[PartitionView]:
        self._left = {
            partition: left
            for partition, left in self._left.items()
            if partition not in self._facts
            and (left.is_kept or self._cluster.is_gone(partition.topic) or now - left.at < LEFT_SECONDS)
        }
        return [
            _no_longer_ours(left.view)
            for partition, left in self._left.items()
            if left.is_kept or self._cluster.is_gone(partition.topic) or partition.topic in self._to_be_looked_at
        ]


def _no_longer_ours(view: PartitionView) -> PartitionView:
    return replace(view, is_ours=False)
