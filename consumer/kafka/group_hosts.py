"""From which addresses the group's members connect, asked of the broker once, for commands.

In librdkafka's old way. The new one (`describe_consumer_groups`) may end the process when a broker that was silent
answers after all (2.16.0, its issue 4605); but the old one knows no groups of the new protocol.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import KafkaException

from consumer.kafka.client import KafkaMisconfigured, admin_client, error_text
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
        # Its own types say that all that it tells is None.
        told: list[Any] = admin_client(settings).list_groups(name, timeout=ASK_SECONDS)
    except (KafkaException, KafkaMisconfigured) as error:
        raise GroupUnknown(f"the members of {name} are not known: {error_text(error)}") from None
    found = [group for group in told if group.id == name]
    if found and found[0].error is not None:
        raise GroupUnknown(f"the members of {name} are not known: {found[0].error.str()}")
    members = found[0].members if found else ()
    return Counter(host for member in members if (host := (member.client_host or "").removeprefix("/")))
