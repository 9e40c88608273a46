"""How we speak to Kafka: the configuration of each client, and what its errors mean."""

from __future__ import annotations

import logging
from collections.abc import Callable
from operator import methodcaller
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec
from confluent_kafka import KafkaError, KafkaException, Message, libversion
from confluent_kafka.admin import AdminClient

from consumer.log_codes import Code, fields
from consumer.ports.inputs import PartitionFailed
from consumer.sequencing.events import Headers, Record
from consumer.sequencing.stops import StopCause
from consumer.settings.kafka_tools import reset_to_earliest

if TYPE_CHECKING:
    from consumer.sequencing.events import Partition
    from consumer.settings import Settings

REQUEST_SECONDS: Final = 10.0
HEARTBEAT_INTERVAL_MS: Final = 1000
"""A member learns of a rebalance by its next heartbeat, and until all have learned of it the partitions that move stand
still: with librdkafka's default of 3 s a rolling restart stops partitions for 4 s (bench/rolling_restart.py)."""

STATISTICS_INTERVAL_MS: Final = 2000
IDLE_SECONDS: Final = 10.0
"""Two of the broker's heartbeat intervals with group.protocol=consumer: a member that gets partitions has heard of them
by then."""

QUEUE_KBYTES_MAX: Final = 32_768
"""How much a producer keeps in its queue at most. The default is 1 GB, and a record larger than the queue is
refused."""
LETTER_QUEUE_KBYTES_MAX: Final = 131_072
"""More, since the largest dead letter has 100 MB."""

PASSING_ERRORS: Final = frozenset(
    {
        KafkaError._TIMED_OUT,
        KafkaError._TRANSPORT,
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._WAIT_COORD,
        KafkaError._DESTROY_BROKER,  # the client gives up a broker while another takes its place (2.16.1, chaos seed 6)
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError.NOT_COORDINATOR,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.UNKNOWN_LEADER_EPOCH,
        KafkaError.UNSTABLE_OFFSET_COMMIT,
        # A partition that was added a moment ago: the group assigns it before every member has heard of it.
        KafkaError._UNKNOWN_PARTITION,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
    }
)
"""Errors while a group or partition moves, or while nobody answers: the question is asked again."""

OUTDATED_ERRORS: Final = frozenset(
    {KafkaError.FENCED_LEADER_EPOCH, KafkaError.UNKNOWN_LEADER_EPOCH, KafkaError.NOT_LEADER_FOR_PARTITION}
)
"""After a broker has restarted, the admin client may use what it knew before for minutes (2.16.1): make a new one."""

FENCED_ERRORS: Final = frozenset({KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH})
"""Another producer has started with the same transactional id."""

HEADER_BYTES: Final = 150
"""How much memory the objects around a header take, about."""

log = logging.getLogger("consumer.kafka")


class KafkaUnavailable(Exception):
    """Kafka, or a topic we need, can't be reached: exit code 69. The message names the setting and what to do."""


class MissingRight(KafkaUnavailable):
    """The cluster's access lists forbid what we need. The message names the right and the command that grants it."""


class KafkaMisconfigured(Exception):
    """librdkafka takes no such properties: exit code 78. The message names the setting."""


# Tuning, which CUSTOMFIT_KAFKA_PROPERTIES may change.
_CONSUMER_TUNING: Final[dict[str, Any]] = {
    # Records wait in our own buffer. With a small queue here, one partition's fetch is taken before the next one comes,
    # so a request has more events of a user: 3.4 with 12 MB, 5.0 with 2 MB, at 0.88 of the CPU time (measured).
    "queued.max.messages.kbytes": 2_048,
    "queued.min.messages": 10_000,
    "fetch.queue.backoff.ms": 50,  # with the default of 1 s the queue stays empty after it was full
    "fetch.error.backoff.ms": 100,
    "topic.metadata.refresh.interval.ms": 30_000,  # how soon added partitions are seen
}
# What the guarantees depend on, which CUSTOMFIT_KAFKA_PROPERTIES may not change.
_CONSUMER_FIXED: Final[dict[str, Any]] = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "error",
    "isolation.level": "read_committed",
    "enable.partition.eof": True,  # tells a log that ends in transaction markers from one not read to its end
    "allow.auto.create.topics": False,
}


def consumer_config(settings: Settings) -> dict[str, Any]:
    """The configuration of the group's member. Partitions move one by one (cooperative): others never stop."""
    config: dict[str, Any] = {
        **_CONSUMER_TUNING,
        **_common(settings),
        **_CONSUMER_FIXED,
        "group.id": settings.kafka_group_id,
    }
    if config.get("group.protocol", "classic") == "classic":
        config["partition.assignment.strategy"] = "cooperative-sticky"
        config.setdefault("heartbeat.interval.ms", HEARTBEAT_INTERVAL_MS)
    else:
        config.setdefault("statistics.interval.ms", STATISTICS_INTERVAL_MS)
    return config


class _Group(msgspec.Struct):
    state: str = ""
    stateage: int = 0


class _Statistics(msgspec.Struct):
    cgrp: _Group = msgspec.field(default_factory=_Group)


def is_in_group(statistics: str) -> bool:
    """Whether the group's coordinator has been there for so long that partitions for us would have come.

    `statistics`: librdkafka's, as JSON. With group.protocol=consumer it does not report that there are no partitions
    for us (2.16.1).
    """
    group = msgspec.json.decode(statistics, type=_Statistics).cgrp
    return group.state == "up" and group.stateage >= IDLE_SECONDS * 1000


def producer_config(settings: Settings, linger_ms: int = 5) -> dict[str, Any]:
    """The configuration for dead letters and state: in order, acknowledged by all in-sync replicas.

    What a producer gives up is written again by us, without end.
    """
    return {
        "linger.ms": linger_ms,
        "message.timeout.ms": 30_000,
        "topic.metadata.refresh.interval.ms": 30_000,
        **_common(settings),
        "acks": "all",
        "enable.idempotence": True,
        # A topic may take more than the default of 1 MB. What it does not take, the broker refuses.
        "message.max.bytes": 1_000_000_000,
        # A topic's max.message.bytes limits whole batches, even of small records. This is Java's default.
        "batch.size": 16_384,
        "queue.buffering.max.kbytes": QUEUE_KBYTES_MAX,
    }


def letters_config(settings: Settings) -> dict[str, Any]:
    """The configuration for dead letters and replays: its queue takes the largest of them. The writer bounds it."""
    return {**producer_config(settings), "queue.buffering.max.kbytes": LETTER_QUEUE_KBYTES_MAX}


def reader_config(settings: Settings) -> dict[str, Any]:
    """The configuration for reading a topic from given offsets to its end, in no group."""
    common = {name: value for name, value in _common(settings).items() if not name.startswith("group.")}
    return {**common, **_CONSUMER_FIXED, "group.id": settings.kafka_group_id, "fetch.wait.max.ms": 50}


def _common(settings: Settings) -> dict[str, Any]:
    return {
        "client.id": "customfit-consumer",
        "log.connection.close": False,
        **settings.kafka_properties,
        "bootstrap.servers": settings.kafka_bootstrap_servers,
    }


def partition_failure(settings: Settings, partition: Partition, error: KafkaError) -> PartitionFailed | None:
    """Why a partition can't be read any further and what fixes it; None if the error is about something else."""
    if error.code() == KafkaError._AUTO_OFFSET_RESET:
        remedy = reset_to_earliest(settings, f"{partition.topic}:{partition.number}")
        return PartitionFailed(
            partition, StopCause.OUT_OF_RANGE, f"its committed offset is out of range: {error.str()}", remedy
        )
    if error.code() == KafkaError._BAD_COMPRESSION:
        # librdkafka's buffer for zstd grows threefold until it is large enough or above this limit. Then the same batch
        # is tried again without end (2.15, its issue 5260). A batch of 3 KB can do that to a partition.
        remedy = (
            "start it with receive.message.max.bytes in CUSTOMFIT_KAFKA_PROPERTIES (100000000 where it is not set, "
            "at most 2147483647) at three times what the batch has when it is unpacked"
        )
        return PartitionFailed(
            partition, StopCause.UNREADABLE_BATCH, f"a batch of it can't be unpacked: {error.str()}", remedy
        )
    return None


_headers: Final = methodcaller("headers")
"""Not a plain call. If a call has run often, the interpreter no longer checks for an error beside a result. Then this
error, a UnicodeDecodeError, came up somewhere after the call, and the list with its hole could end the process
(3.11)."""


def headers_of(message: Message) -> Headers | None:
    """A record's headers; None also if a name is not UTF-8, because confluent-kafka 2.16 can't give them then.

    Then it raises SystemError. It must not be asked a second time, because what it gives then has a hole in it.
    """
    try:
        return cast("Headers | None", _headers(message))
    except SystemError:
        log.warning(
            "%s-%s at %s: its headers are left out, a name among them is no UTF-8",
            message.topic(),
            message.partition(),
            message.offset(),
            extra=fields(Code.HEADERS_LEFT_OUT),
        )
        return None


def headers_size(headers: Headers | None) -> int:
    """How many bytes of the buffer they take: a record of 1 MB may have 50,000 headers."""
    if not headers:
        return 0
    return sum(HEADER_BYTES + len(name) + len(value or b"") for name, value in headers)


def record_of(message: Message, partition: Partition, now: float) -> Record:
    """A message as our record; `now`: when it was fetched, monotonic seconds."""
    key, value = message.key(), message.value()
    headers = headers_of(message)
    size_bytes = len(key or b"") + len(value or b"") + headers_size(headers)
    return Record(partition, message.offset() or 0, message.timestamp()[1], key, value, headers, now, size_bytes)


def is_fatal(error: KafkaError) -> bool:
    """Whether the client will never work again. `fatal()` alone is false of errors with the code _FATAL (2.16.1)."""
    return bool(error.fatal()) or error.code() == KafkaError._FATAL


def transaction_error(problem: KafkaException | SystemError) -> KafkaError:
    """What went wrong in a transaction. Raises `problem` again if it is not Kafka's.

    The client raises a fatal error while it still calls back, which makes a SystemError of it.
    """
    cause = problem.__cause__ if isinstance(problem, SystemError) else problem
    if not isinstance(cause, KafkaException):
        raise problem
    error: KafkaError = cause.args[0]
    return error


ADMIN_CONFIG: Final = {"topic.metadata.refresh.interval.ms": 2000}
"""An admin client asks the one broker that it takes for the controller. If that one dies, only this refresh tells it of
another: by default after 5 minutes, in which no commit would be confirmed."""


def admin_client(settings: Settings, on_error: Callable[[KafkaError], object] | None = None) -> AdminClient:
    """Make a client for metadata and topics. Polling it calls `on_error`. Raises KafkaMisconfigured."""
    config = _common(settings) | ADMIN_CONFIG | ({"error_cb": on_error} if on_error else {})
    try:
        return AdminClient(config, logger=logging.getLogger("librdkafka"))
    except KafkaException as error:
        raise misconfigured(settings, error) from None


def misconfigured(settings: Settings, error: KafkaException) -> KafkaMisconfigured:
    """What to raise if librdkafka refuses these properties."""
    return KafkaMisconfigured(f"{settings.origin('kafka_properties')}: librdkafka refuses it: {error_text(error)}")


def librdkafka_version() -> str:
    """Which version of librdkafka is in use."""
    return libversion()[0]


def error_text(error: Exception) -> str:
    """The error, for people."""
    problem = error.args[0] if error.args else "no answer in time"
    return problem.str() if isinstance(problem, KafkaError) else str(problem)
