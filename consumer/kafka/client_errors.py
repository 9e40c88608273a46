"""Errors of the group member's client: the loop hears of those that may pass; the others end the thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from confluent_kafka import KafkaError, KafkaException

from consumer.kafka.client import MissingRight, is_fatal, is_in_group
from consumer.kafka.rights import Right, fatal_refusal, group_right, is_denied, refusal
from consumer.ports.inputs import GROUP, AccessDenied, Granted, KafkaProblem, Post

if TYPE_CHECKING:
    from consumer.settings import Settings


class ClientErrors:
    """Used by the thread that owns the consumer."""

    def __init__(self, settings: Settings, post: Post) -> None:
        self.joined = False
        """The group has answered at least once, with partitions or with none."""
        self._settings = settings
        self._post = post

    def end(self, error: KafkaError) -> NoReturn:
        """End the thread: the client will never work again. Raises MissingRight or KafkaException."""
        if (denied := fatal_refusal(self._settings, error)) is not None:
            raise MissingRight(denied)
        raise KafkaException(error)

    def report(self, error: KafkaError, topic: str) -> None:
        """Tell the loop what the client is working on. Raises MissingRight if the group can't even be joined."""
        if not is_denied(error):
            self._post(KafkaProblem(error.name(), error.str()))
            return
        of_group = error.code() == KafkaError.GROUP_AUTHORIZATION_FAILED or not topic
        right = group_right(self._settings) if of_group else Right("Read", "topic", topic)
        detail = f"{error.str()}: {refusal(self._settings, right)}"
        if of_group and not self.joined:
            raise MissingRight(detail)
        self._post(AccessDenied(GROUP if of_group else topic, detail))

    def on_statistics(self, statistics: str) -> None:
        """The client's callback. Without partitions, nothing else says that we are in the group."""
        if not self.joined and is_in_group(statistics):
            self.joined = True
            self._post(Granted([]))

    def on_error(self, error: KafkaError) -> None:
        """The client's callback: tells the loop, or ends the thread."""
        if is_fatal(error):
            self.end(error)
        self._post(KafkaProblem(error.name(), error.str()))
