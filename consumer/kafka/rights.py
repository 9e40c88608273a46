"""Rights in the cluster: what our user needs, what of it is missing, and the command that grants it."""

from __future__ import annotations

from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import TYPE_CHECKING, Final, NamedTuple

from confluent_kafka import KafkaError, KafkaException, TopicCollection

from consumer.settings.kafka_tools import tool

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient

    from consumer.settings import Settings

ASK_SECONDS: Final = 3.0
MOCK_CLUSTER: Final = "mockCluster"
"""So begins the cluster id of librdkafka's mock cluster, on which the demo runs. It leaves questions about rights and
about a topic's configuration unanswered."""
TOPIC_DENIED: Final = frozenset({KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED})
"""A cluster that forbids us to create a topic may answer either."""
DENIED: Final = TOPIC_DENIED | {
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
}


class Right(NamedTuple):
    """A right to do something, in the words of kafka-acls.sh."""

    operation: str
    """`Read`, `Write`, `Create` …"""
    kind: str
    """`topic`, `group`, `transactional-id`"""
    name: str

    def __str__(self) -> str:
        return f"{self.operation} on {self.kind} {self.name}"


def group_right(settings: Settings) -> Right:
    """The right to be a member of the group and to commit for it."""
    return Right("Read", "group", settings.kafka_group_id)


def is_denied(error: KafkaError) -> bool:
    """Whether the error says that a right is missing."""
    return error.code() in DENIED


def refusal(settings: Settings, *rights: Right) -> str:
    """What is missing, and the command that grants it, for people. All the rights are of one kind and name."""
    first = rights[0]
    names = ", ".join(right.operation for right in rights)
    operations = " ".join(f"--operation {right.operation}" for right in rights)
    return (
        f"the right to {names} on {first.kind} {first.name} is missing; grant it with: "
        f"{tool(settings, 'kafka-acls.sh')} --add --allow-principal {_principal(settings)} "
        f"{operations} --{first.kind} {first.name}"
    )


def fatal_refusal(settings: Settings, error: KafkaError) -> str | None:
    """What right was missing, if a client has ended itself for that; None if it was for something else.

    Clients of group.protocol=consumer do so (librdkafka 2.16). Only the text of the fatal error says which right it
    was.
    """
    text: str = error.str()
    if "Group authorization failed" in text:
        return f"{text}: {refusal(settings, group_right(settings))}"
    if "Topic authorization failed" in text:
        return f"{text}: {refusal(settings, Right('Read', 'topic', settings.kafka_topic))}"
    return None


def explained(settings: Settings, error: KafkaError, *rights: Right) -> str:
    """The error, for people. If it is about access, the rights that the request needed are named, too."""
    text: str = error.str()
    return f"{text}: {refusal(settings, *rights)}" if is_denied(error) else text


def missing_on_topic(admin: AdminClient, topic: str, *operations: str) -> list[Right]:
    """Which of these operations on a topic we may not do, as far as the cluster says.

    Empty if it does not say (before Kafka 2.3, or a mock cluster), or if there is no such topic.
    """
    wanted = [Right(operation, "topic", topic) for operation in operations]
    try:
        if str(admin.list_topics(timeout=ASK_SECONDS).cluster_id).startswith(MOCK_CLUSTER):
            return []
        asked = admin.describe_topics(
            TopicCollection([topic]), include_authorized_operations=True, request_timeout=ASK_SECONDS
        )
        allowed = asked[topic].result(ASK_SECONDS).authorized_operations
    except KafkaException as error:
        return wanted if error.args[0].code() in TOPIC_DENIED else []
    except FutureTimeoutError:
        return []
    names = {operation.name.lower() for operation in allowed or ()}
    return [right for right in wanted if names and right.operation.lower() not in names]


def _principal(settings: Settings) -> str:
    """Whom to grant it. We know the name only if SASL has one."""
    return f"User:{settings.kafka_properties.get('sasl.username', 'NAME')}"
