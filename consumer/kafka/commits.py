"""Makes commits: one at a time without waiting, or one to wait for before partitions are given up.

Before each commit, the cluster is asked whether the topics are still those that were assigned. If a topic is deleted
and made again under its name within a moment, the client does not notice.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from consumer.kafka.rights import is_denied
from consumer.kafka.translate import committed_of, speaks_of, to_commit
from consumer.ports.inputs import Committed, Post, TopicMadeAgain

if TYPE_CHECKING:
    from consumer.kafka.topic_ids import Told, TopicIds
    from consumer.sequencing.events import Partition
    from consumer.sequencing.offsets import CommitPoint

Points = Mapping["Partition", "CommitPoint"]

ANSWER_SECONDS_MAX: Final = 30.0
"""After this time an answer is no longer waited for: the next commit says all that this one said, and more."""
CONFIRM_NOW_SECONDS: Final = 2.0
"""How long to wait for the topics' ids, before partitions are given up."""
COORDINATOR_SECONDS: Final = 2.0
"""How long to wait for a sign of life of the coordinator, before a commit that waits without a limit (2.16.1)."""
TRIES: Final = 3
TRY_SECONDS: Final = 0.2
AGAIN: Final = frozenset(
    {
        KafkaError.REBALANCE_IN_PROGRESS,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.NOT_COORDINATOR,
        KafkaError.REQUEST_TIMED_OUT,
    }
)
"""Refusals that may pass within the time that a revoke has."""


@dataclass(frozen=True, slots=True, eq=False)
class _Bound:
    """One time that a partition was assigned. An offset of an earlier time may be behind what was committed since."""

    topic_id: str | None
    """The id that the topic had then; None: the cluster gives topics no id."""


class Commits:
    """Used by the thread that owns the consumer. `problem` gets refusals, `run` runs a function in that thread."""

    def __init__(
        self,
        consumer: Consumer,
        ids: TopicIds,
        post: Post,
        problem: Callable[[KafkaError, str], None],
        run: Callable[[Callable[[], None]], None],
    ) -> None:
        self._consumer = consumer
        self._ids = ids
        self._post = post
        self._problem = problem
        self._run = run
        self._bound: dict[Partition, _Bound] = {}
        """The assigned partitions."""
        self._asked: Points | None = None
        self._asked_at = 0.0
        self._left_out: str | None = None
        """Why a part of what was asked is not being committed."""

    def bind(self, topic_ids: Mapping[Partition, str | None]) -> None:
        """These partitions were assigned while their topic had this id."""
        self._bound |= {partition: _Bound(topic_id) for partition, topic_id in topic_ids.items()}

    def forget(self, partitions: Collection[Partition]) -> None:
        """These partitions are no longer assigned."""
        for partition in partitions:
            self._bound.pop(partition, None)

    # ------------------------------------------------------------------ without waiting

    @property
    def is_waiting(self) -> bool:
        """Whether an answer has not come yet. It comes only while the client is polled."""
        return self._asked is not None

    def ask(self, points: Points) -> None:
        """Commit those that are still assigned, without waiting; `Committed` follows in any case."""
        self._asked, self._asked_at, self._left_out = points, time.monotonic(), None
        bound = {partition: self._bound[partition] for partition in points if partition in self._bound}
        self._ids.ask({p.topic for p in points}, lambda told: self._run(partial(self._confirmed, points, bound, told)))

    def _confirmed(self, points: Points, bound: Mapping[Partition, _Bound], told: Told[str]) -> None:
        if self._asked is not points:
            return  # given up meanwhile
        still_ours = {p: points[p] for p, then in bound.items() if self._bound.get(p) is then}
        if unknown := sorted({partition.topic for partition in still_ours} & told.errors.keys()):
            reasons = ", ".join(f"{topic} ({told.errors[topic].str()})" for topic in unknown)
            self._left_out = f"the cluster did not say whether the topic is still the same: {reasons}"
        confirmed = {p: point for p, point in still_ours.items() if p.topic not in told.errors}
        owned = self._of_the_same_topic(confirmed, told.known)
        if not owned:
            self._answer(Committed(points, [], None))
            return
        try:
            self._consumer.commit(offsets=to_commit(owned), asynchronous=True)
        except KafkaException as error:
            self._answer(Committed(points, [], error.args[0].str()))

    def answered(self, error: KafkaError | None, partitions: list[TopicPartition]) -> None:
        """Take an answer. The client also calls back for the commit of a revoke, which is ignored here."""
        points = self._asked
        if points is None or not speaks_of(points, partitions):
            return
        self._answer(committed_of(points, error, partitions))
        for problem, topic in [(error, ""), *((p.error, p.topic) for p in partitions)]:
            if problem is not None and is_denied(problem):
                self._problem(problem, topic)

    def watch(self) -> None:
        """Give up a commit whose answer does not come: all later ones would wait for it for ever."""
        if self._asked is not None and time.monotonic() - self._asked_at >= ANSWER_SECONDS_MAX:
            self._answer(Committed(self._asked, [], f"no answer within {ANSWER_SECONDS_MAX:g} s"))

    def _answer(self, committed: Committed) -> None:
        self._asked = None
        self._post(replace(committed, error=committed.error or self._left_out))

    # ------------------------------------------------------------------ before partitions are given up

    def make(self, points: Points) -> str | None:
        """Commit and wait; gives the error, for people. It may run inside a callback, so each wait has a limit."""
        # Without an answer the commit is made all the same: its metadata has the id of its topic.
        points = self._of_the_same_topic(points, self._ids.within({p.topic for p in points}, CONFIRM_NOW_SECONDS))
        if not points:
            return None
        committed, may_pass = self._try(points)
        for _ in range(TRIES - 1):
            if not may_pass:
                break
            time.sleep(TRY_SECONDS)
            committed, may_pass = self._try(points)
        self._post(committed)
        if not committed.too_large:
            return committed.error
        return self._make_without_metadata(points, committed)

    def _make_without_metadata(self, points: Points, committed: Committed) -> str | None:
        """Commit the offsets alone: only what is finished above them is sent again, not all since the last commit."""
        last, _ = self._try({partition: points[partition]._replace(metadata="") for partition in committed.too_large})
        self._post(last)
        others = points.keys() - set(committed.accepted) - set(committed.too_large)
        return last.error or (committed.error if others else None)

    def _try(self, points: Points) -> tuple[Committed, bool]:
        """Try once; gives what came of it, and whether another try may do better."""
        wanted = to_commit(points)
        try:
            self._consumer.committed(wanted, timeout=COORDINATOR_SECONDS)
        except KafkaException as error:
            return self._without_waiting(points, error.args[0])
        try:
            answer = self._consumer.commit(offsets=wanted, asynchronous=False)
        except KafkaException as error:
            problem = error.args[0]
            # It is raised if that is the answer for all of them.
            too_large = list(points) if problem.code() == KafkaError.OFFSET_METADATA_TOO_LARGE else []
            return Committed(points, [], problem.str(), too_large), problem.code() in AGAIN
        refused = [p.error.code() for p in answer or [] if p.error is not None]
        return committed_of(points, None, answer or []), any(code in AGAIN for code in refused)

    def _without_waiting(self, points: Points, silence: KafkaError) -> tuple[Committed, bool]:
        """Commit without waiting, because the coordinator gives no sign of life: it may arrive all the same."""
        if silence.code() in AGAIN:
            return Committed(points, [], silence.str()), True
        with contextlib.suppress(KafkaException):
            self._consumer.commit(offsets=to_commit(points), asynchronous=True)
        return Committed(points, [], f"the group's coordinator does not answer: {silence.str()}"), False

    def _of_the_same_topic(self, points: Points, ids: Mapping[str, str]) -> Points:
        """Those points whose topic still has the id that it had when they were assigned.

        `TopicMadeAgain` is posted of the other topics.
        """
        bound = {p: self._bound[p].topic_id for p in points if p in self._bound}
        others = {p for p, topic_id in bound.items() if topic_id is not None and ids.get(p.topic, topic_id) != topic_id}
        for topic in {partition.topic for partition in others}:
            self._post(TopicMadeAgain(topic, ids[topic]))
        return {partition: point for partition, point in points.items() if partition not in others}
