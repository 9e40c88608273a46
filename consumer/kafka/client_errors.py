"""What the group member's client reports: told to the loop while it works on it, else the end of the thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from confluent_kafka import KafkaError, KafkaException

from consumer.kafka.client import MissingRight, is_fatal, is_in_group
from consumer.kafka.rights import Right, fatal_refusal, group_right, is_denied, refusal
from consumer.ports.inputs import GROUP, AccessDenied, Granted, KafkaProblem, Post

if TYPE_CHECKING:
    from consumer.settings import Settings


class ClientErrors:
    """Owned by the thread of the consumer."""

    def __init__(self, settings: Settings, post: Post) -> None:
        self.joined = False
        """Partitions, or none, were granted at least once."""
        self._settings = settings
        self._post = post

    def end(self, error: KafkaError) -> NoReturn:
        """The client will never work again."""
        if (denied := fatal_refusal(self._settings, error)) is not None:
            raise MissingRight(denied)
        raise KafkaException(error)

    def report(self, error: KafkaError, topic: str) -> None:
        """Report what the client is working on. Who may not join at the start is told so at once."""
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
        """The client's callback: whether we are in the group, where no partitions come that would say so."""
        if not self.joined and is_in_group(statistics):
            self.joined = True
            self._post(Granted([]))

    def on_error(self, error: KafkaError) -> None:
        """The client's callback."""
        if is_fatal(error):
            self.end(error)
        self._post(KafkaProblem(error.name(), error.str()))
