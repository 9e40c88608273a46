"""Reports what does not work: each kind of problem once, and once more when it is fixed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from confluent_kafka import KafkaError

from consumer.kafka.rights import Right, explained
from consumer.ports.inputs import Post, StateFixed, StateProblem

if TYPE_CHECKING:
    from consumer.settings import Settings


class Problems:
    """Remembers which kinds of problems were reported and are not fixed."""

    def __init__(self, settings: Settings, post: Post) -> None:
        self._settings = settings
        self._post = post
        self.topic = settings.state_topic
        self._reported: set[str] = set()

    def report(self, kind: str, detail: str) -> None:
        """Report a problem each time that it happens."""
        self._post(StateProblem(kind, detail))

    def report_once(self, kind: str, detail: str) -> None:
        """Report a problem of this kind once, until it is fixed."""
        if kind not in self._reported:
            self._reported.add(kind)
            self._post(StateProblem(kind, detail))

    def fixed(self, kind: str) -> None:
        """Report that it works again, if it was reported as a problem."""
        if kind in self._reported:
            self._reported.discard(kind)
            self._post(StateFixed(kind))

    def of_topic(self, error: KafkaError, operation: str) -> str:
        """What went wrong with the state topic, for people. `operation`: `Read` or `Write`, for which it was asked."""
        if error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            return f"{self.topic}: {error.str()}; if it was deleted, start all members again: that makes it again"
        return f"{self.topic}: {explained(self._settings, error, Right(operation, 'topic', self.topic))}"
