"""From which addresses the group's members connect, asked of the broker once, for commands."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import TYPE_CHECKING, Final

from confluent_kafka import KafkaException

from consumer.kafka.client import KafkaMisconfigured, admin_client, error_text

if TYPE_CHECKING:
    from consumer.settings import Settings

ASK_SECONDS: Final = 3.0


class GroupUnknown(Exception):
    """The broker does not tell who is in the group; the message says why."""


def group_hosts(settings: Settings) -> Counter[str]:
    """Address → how many members connect from there. Raises GroupUnknown."""
    group = settings.kafka_group_id
    try:
        admin = admin_client(settings)
        # Our own time-out: an answer may never come (2.16.1).
        found = admin.describe_consumer_groups([group], request_timeout=ASK_SECONDS)[group].result(ASK_SECONDS + 1)
    except (KafkaException, KafkaMisconfigured, FutureTimeoutError) as error:
        raise GroupUnknown(f"the members of {group} are not known: {error_text(error)}") from None
    return Counter(host for member in found.members if (host := (member.host or "").removeprefix("/")))
