"""From which addresses the group's members connect, asked of the broker once, for commands."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from confluent_kafka import KafkaException

from consumer.kafka.client import KafkaMisconfigured, admin_client, error_text
from consumer.kafka.told_members import told_members
from consumer.settings.kafka_properties import is_broker_side

if TYPE_CHECKING:
    from consumer.settings import Settings

ASK_SECONDS: Final = 3.0


class GroupUnknown(Exception):
    """The broker does not tell who is in the group; the message says why."""


def group_hosts(settings: Settings) -> Counter[str]:
    """Address → how many members connect from there; none where there is no such group. Raises GroupUnknown."""
    name = settings.kafka_group_id
    if is_broker_side(settings.kafka_properties):
        raise GroupUnknown(
            "the members of a group with group.protocol=consumer are not looked for; name them with --url"
        )
    try:
        members = told_members(admin_client(settings), name, ASK_SECONDS)
    except (KafkaException, KafkaMisconfigured) as error:
        raise GroupUnknown(f"the members of {name} are not known: {error_text(error)}") from None
    return Counter(host for member in members or () if (host := (member.client_host or "").removeprefix("/")))
