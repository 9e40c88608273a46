"""Passes on what the edges tell of the group, the cluster and their own problems to whom it concerns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.ops.snapshot import Phase
from consumer.ports.inputs import (
    GROUP,
    AccessDenied,
    Assigned,
    DeadLetterFailed,
    Granted,
    KafkaProblem,
    LogBounds,
    Lost,
    PartitionFailed,
    ReceiptFailed,
    RecordTimes,
    RegistryProblem,
    Retention,
    Revoked,
    Revoking,
    StateFixed,
    StateOpened,
    StateProblem,
    StateRestoring,
    TopicMadeAgain,
    TopicsSeen,
)
from consumer.sequencing.drains import Drains
from consumer.sequencing.events import HandBack

if TYPE_CHECKING:
    from consumer.loop.cluster import Cluster
    from consumer.loop.partitions import Partitions
    from consumer.loop.problems import Problems
    from consumer.ops.reporter import Reporter
    from consumer.sequencing.sequencer import Sequencer

GroupNews = Granted | Assigned | Revoking | Revoked | Lost | StateOpened | StateRestoring
ClusterNews = LogBounds | TopicsSeen | TopicMadeAgain | Retention | RecordTimes | PartitionFailed
ProblemNews = (
    StateProblem | StateFixed | DeadLetterFailed | ReceiptFailed | RegistryProblem | KafkaProblem | AccessDenied
)


class News:
    """Passes news on. Knows whether the group has answered, and whether the process starts, runs or stops."""

    def __init__(
        self,
        sequencer: Sequencer,
        partitions: Partitions,
        cluster: Cluster,
        problems: Problems,
        *,
        drains: Drains,
        reporter: Reporter,
    ) -> None:
        self.phase = Phase.STARTING
        self.joined = False
        """The group has answered, with partitions or without."""
        self.is_uncommitted = False
        """The last commit of a stop has failed."""
        self._sequencer = sequencer
        self._partitions = partitions
        self._cluster = cluster
        self._problems = problems
        self._drains = drains
        self._reporter = reporter

    def of_group(self, item: GroupNews, now: float) -> None:
        """Partitions come, are restored, and go."""
        match item:
            case Granted(partitions):
                self.joined = True
                self._cluster.heard(now)
                # It says nothing of other topics: a denied one is taken away, and a grant without partitions follows.
                self._problems.access_again({GROUP} | {partition.topic for partition in partitions})
                self._partitions.granted(partitions, now)
                if not partitions:
                    self._reporter.rebalanced("assigned", [], kept=len(self._sequencer.assignments))
            case Assigned(starts, cluster_id):
                self.joined = True
                self._partitions.assigned(starts, cluster_id, now)
            case Revoking(partitions, drained, shutdown):
                for partition in partitions:
                    self._sequencer.close(partition)
                self._drains.start(partitions, drained.set_result, now, shutdown=shutdown)
                self.phase = Phase.DRAINING if shutdown else self.phase
            case Revoked(partitions, error):
                self.is_uncommitted = self.is_uncommitted or (self.phase is Phase.DRAINING and error is not None)
                reason = HandBack.SHUTDOWN if self.phase is Phase.DRAINING else HandBack.REVOKED
                self._partitions.gone(partitions, reason, now)
            case Lost(partitions):
                self._partitions.gone(partitions, HandBack.LOST, now)
            case StateOpened():
                self._problems.state_written()
                self._partitions.state_opened(item)
            case StateRestoring():
                self._partitions.state_restoring(item)

    def of_cluster(self, item: ClusterNews, now: float) -> None:
        """How topics and logs are."""
        match item:
            case LogBounds():
                self._cluster.heard(now)
                self._partitions.bounds(item, now)
            case TopicsSeen(topics):
                self._cluster.heard(now)
                for topic, (before, partitions) in self._cluster.topics_seen(topics, now).items():
                    self._reporter.topic_grown(topic, before, partitions)
                self._partitions.topics_seen(topics, now)
                held = {partition.topic for partition in self._sequencer.assignments}
                self._problems.seen(topics.keys() - held, now)
            case TopicMadeAgain(topic, topic_id):
                self._partitions.topic_is(topic, topic_id)
            case Retention(seconds):
                self._cluster.retention(seconds)
            case RecordTimes():
                self._partitions.record_times(item)
            case PartitionFailed():
                self._partitions.failed(item)

    def of_problem(self, item: ProblemNews, now: float) -> None:
        """Something does not work, or works again."""
        match item:
            case StateProblem() | StateFixed():
                self._problems.of_state(item)
            case DeadLetterFailed():
                self._problems.of_dead_letters(item)
            case ReceiptFailed(detail):
                self._problems.of_receipts(detail)
            case RegistryProblem(detail):
                self._problems.of_registry(detail)
            case KafkaProblem(kind, detail):
                self._cluster.last_problem = detail
                self._reporter.kafka_problem(kind, detail)
            case AccessDenied():
                self._problems.of_access(item, now)
