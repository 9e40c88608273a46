"""What `check --connect` looks at: the topics and the group that `run` needs. It changes nothing.

All that is missing is told at once: `run` ends at the first, and names the next one when that is there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from consumer.kafka.client import KafkaUnavailable, MissingRight, admin_client
from consumer.kafka.group_start import committed_offsets, outside_the_group
from consumer.kafka.rights import ASK_SECONDS, MOCK_CLUSTER, TOPIC_DENIED, explained, group_right, is_denied
from consumer.kafka.topics import (
    TopicNotCreated,
    Topics,
    create_topic,
    demand,
    partitions_text,
    replicas_of,
    seen_topics,
    source_partitions,
)
from consumer.settings.sources import variable

if TYPE_CHECKING:
    from consumer.settings import Settings


class Found(NamedTuple):
    """One thing that `run` needs, and how it is."""

    is_well: bool
    what: str
    """In a word or two: `state topic`."""
    text: str
    is_optional: bool = False
    """`run` works without it."""


class _Made(NamedTuple):
    """A topic that `run` makes if it is missing."""

    what: str
    setting: str
    uses: tuple[str, ...]
    """The rights on it that `run` needs."""
    is_optional: bool = False


MADE: Final = (
    _Made("dead-letter", "dead_letter_topic", ("Write",)),
    _Made("state", "state_topic", ("Read", "Write")),
    _Made("receipt", "receipt_topic", ("Write",)),
    _Made("replay", "replay_topic", ("Read",), is_optional=True),
)


def inspect(settings: Settings) -> list[Found]:
    """Look at the topics and the group. Raises KafkaUnavailable if no broker answers, KafkaMisconfigured."""
    admin = admin_client(settings)
    topics = seen_topics(settings)
    partitions = 0
    try:
        partitions = source_partitions(admin, settings, topics)
        demand(admin, settings, "kafka_topic", "Read")
        found = [Found(True, "topic", f"{settings.kafka_topic}, {partitions_text(partitions)}")]
    except KafkaUnavailable as problem:
        found = [Found(False, "topic", str(problem))]
    found += [
        _topic(admin, settings, topics, partitions, made)
        for made in MADE
        if getattr(settings, made.setting) is not None
    ]
    return [*found, *_group(settings, partitions, source_is_well=found[0].is_well)]


def _topic(admin: AdminClient, settings: Settings, topics: Topics, partitions: int, made: _Made) -> Found:
    """A topic that is there and may be used, or that `run` may make."""
    name, what = getattr(settings, made.setting), f"{made.what} topic"
    try:
        if (seen := topics.get(name)) is not None:
            grows = made.setting == "state_topic" and len(seen.partitions) < partitions
            demand(admin, settings, made.setting, *made.uses, *(["Alter"] if grows else []))
            return Found(True, what, f"{name}, {partitions_text(len(seen.partitions))}", made.is_optional)
        if not _is_mock(admin):  # which answers no such question
            topic = NewTopic(name, max(partitions, 1), replicas_of(settings, topics))
            title = f"the {what} {name!r} ({variable(made.setting)})"
            create_topic(admin, settings, title, topic, *made.uses, rehearse=True)
            demand(admin, settings, made.setting, *made.uses)
    except (TopicNotCreated, MissingRight) as problem:
        return Found(False, what, str(problem), made.is_optional)
    return Found(True, what, f"{name} does not exist; `run` creates it", made.is_optional)


def _is_mock(admin: AdminClient) -> bool:
    try:
        return str(admin.list_topics(timeout=ASK_SECONDS).cluster_id).startswith(MOCK_CLUSTER)
    except KafkaException:
        return False


def _group(settings: Settings, partitions: int, *, source_is_well: bool) -> list[Found]:
    """Whether the group may be joined, and where it stands. Nothing, if only the source is in the way."""
    name = settings.kafka_group_id
    try:
        with outside_the_group(settings) as consumer:
            committed = committed_offsets(consumer, settings, max(partitions, 1))
    except KafkaException as error:
        reason = error.args[0]
        if not source_is_well and (not is_denied(reason) or reason.code() in TOPIC_DENIED):
            return []
        said = explained(settings, reason, group_right(settings))
        return [Found(False, "group", f"group {name!r} (CUSTOMFIT_KAFKA_GROUP_ID): {said}")]
    if not source_is_well:
        return []
    if committed:
        return [Found(True, "group", f"{name} has committed {len(committed)} of {partitions_text(partitions)}")]
    return [Found(True, "group", f"{name} is new and starts at the {settings.kafka_start} events")]
