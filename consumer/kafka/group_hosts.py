"""Asks the broker once who is in the group and from which addresses they connect, for commands."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple

from confluent_kafka import KafkaException

from consumer.foreign_text import printable
from consumer.kafka.client import KafkaMisconfigured, admin_client, error_text
from consumer.kafka.old_member_request import members_by_old_request
from consumer.settings.kafka_properties import is_broker_side

if TYPE_CHECKING:
    from consumer.settings import Settings

ASK_SECONDS: Final = 3.0
NAME_CHARACTERS_MAX: Final = 100
NOT_LOOKED_FOR: Final = "the members of a group with group.protocol=consumer are not looked for"


class GroupUnknown(Exception):
    """The broker does not tell who is in the group; the message says why."""


class MemberName(NamedTuple):
    """A member, as people know it."""

    client_id: str
    host: str
    """The address from which it connects."""


def group_hosts(settings: Settings) -> Counter[str]:
    """Address → how many members connect from there; empty if there is no such group. Raises GroupUnknown."""
    if is_broker_side(settings.kafka_properties):
        raise GroupUnknown(f"{NOT_LOOKED_FOR}; name them with --url")
    return Counter(member.host for member in group_members(settings) if member.host)


def group_members(settings: Settings) -> list[MemberName]:
    """All members of the group; none if there is no such group. Raises GroupUnknown."""
    name = settings.kafka_group_id
    if is_broker_side(settings.kafka_properties):
        raise GroupUnknown(NOT_LOOKED_FOR)
    try:
        members = members_by_old_request(admin_client(settings), name, ASK_SECONDS)
    except (KafkaException, KafkaMisconfigured) as error:
        raise GroupUnknown(f"the members of {name} are not known: {error_text(error)}") from None
    return [
        MemberName(
            printable(member.client_id or "", NAME_CHARACTERS_MAX),
            printable((member.client_host or "").removeprefix("/"), NAME_CHARACTERS_MAX),
        )
        for member in members or ()
    ]
