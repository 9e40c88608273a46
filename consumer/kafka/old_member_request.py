"""Asks who is in a group by librdkafka's old request.

The new one (`describe_consumer_groups`), like all that an admin client asks of a coordinator, ends the process if a
broker that was silent answers after all: `eonce->refcnt > 0` (2.16.0, its issue 4605). The old one knows no groups of
the new protocol: look at `is_broker_side` first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaException

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient


def members_by_old_request(admin: AdminClient, group_id: str, seconds: float) -> Sequence[Any] | None:
    """The client's own `GroupMember`s, within `seconds`; None: no broker knows of the group. Raises KafkaException."""
    told: list[Any] = admin.list_groups(group_id, timeout=seconds)  # its type hints say that everything in it is None
    found = next((group for group in told if group.id == group_id), None)
    if found is None:
        return None
    if found.error is not None:
        raise KafkaException(found.error)
    members: Sequence[Any] = found.members
    return members
