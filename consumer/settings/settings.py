"""Every setting, declared once: the fields of `Settings` carry their own default, limits and help.

Sources, first one wins: environment variables `CUSTOMFIT_*`, the same names in lower case without the prefix in a
TOML file, the default (loading.py). Nothing here imports Kafka or HTTP: the container's health check loads it every
few seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final, TypeVar, get_origin, get_type_hints

from consumer.choices import (
    Anonymous,
    ApiAuth,
    ApiDialect,
    HttpEngine,
    HttpUsers,
    Integrations,
    KafkaStart,
    LogFormat,
    LogLevel,
    Standby,
    Unidentified,
    ValueFormat,
)
from consumer.sequencing.lease import STATE_WRITE_SECONDS, Lease, lease_of
from consumer.settings.described import as_described, masked_query
from consumer.settings.kafka_properties import librdkafka_properties, session_seconds
from consumer.settings.name_filter import Globs, NameFilter
from consumer.settings.optional import (
    FORWARD_HEADERS,
    RECEIPT_TOPIC,
    REKEY_WAIT_SECONDS,
    REKEYED,
    REQUESTS_PER_SECOND_MAX,
)
from consumer.settings.property_paths import PropertyPaths
from consumer.settings.rule_lists import HASH_KEY_LIMITS, glob_list, hash_key, path_list
from consumer.settings.secret import KafkaProperties, Secret, without_query
from consumer.settings.sources import variable
from consumer.settings.values import (
    TOPIC_LIMITS,
    Derived,
    OneOf,
    Rule,
    brokers,
    decimal,
    engine_choice,
    folder,
    host,
    host_names,
    label,
    readable_file,
    registry_url,
    server_key,
    topic_name,
    url,
    user_info,
    whole,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Settings:
    """All settings, checked; immutable, and safe to print."""

    # The destination
    api_key: Annotated[
        Secret,
        Rule(server_key, None, "at least 8 characters", "The app's server key; `run` needs it.", in_file=True),
    ]
    api_url: Annotated[
        str, Rule(url, "https://api.customfit.ai/v1/cfe", "an http:// or https:// URL", "Where events are posted.")
    ]
    api_auth: Annotated[ApiAuth, OneOf("How the key is sent: `Authorization: Bearer KEY`, or `?cfenc=KEY`.")]
    api_dialect: Annotated[ApiDialect, OneOf("Event shape: that of Segment's destination, or of CustomFit's SDKs.")]
    api_ca_file: Annotated[
        Path | None, Rule(readable_file, None, "a readable file", "Certificates (PEM) of your own authority.")
    ]
    destination_name: Annotated[
        str,
        Rule(
            label,
            None,
            "one line",
            "Name of the destination in the state: a user identified at one name counts as new at any other.",
            derived=Derived("the API URL without its query", "api_url", without_query),
        ),
    ]
    http_engine: Annotated[
        HttpEngine,
        engine_choice("HTTP client; `httpx` is an order of magnitude slower, and `auto` means httptools."),
    ]
    # Kafka
    kafka_bootstrap_servers: Annotated[
        str, Rule(brokers, "localhost:9092", "host:port, separated by commas", "Kafka brokers to connect to first.")
    ]
    kafka_topic: Annotated[str, Rule(topic_name, "segment-events", TOPIC_LIMITS, "Topic of the Segment events.")]
    kafka_group_id: Annotated[
        str,
        Rule(
            topic_name,
            "customfit-consumer",
            TOPIC_LIMITS,
            "Consumer group; the state topic and the state's folder are named after it.",
        ),
    ]
    kafka_start: Annotated[
        KafkaStart,
        OneOf("Where a group that has no commit starts; partitions added later are read from their beginning."),
    ]
    kafka_properties: Annotated[
        KafkaProperties,
        Rule(
            librdkafka_properties,
            "{}",
            "a JSON object",
            "librdkafka properties (SASL, TLS, group.protocol …); those on which the guarantees depend are refused.",
            in_file=True,
        ),
    ]
    dead_letter_topic: Annotated[
        str,
        Rule(
            topic_name,
            None,
            TOPIC_LIMITS,
            "Topic of dead letters: events that can't be delivered.",
            derived=Derived("{topic}.customfit-dlq", "kafka_topic", "{}.customfit-dlq".format),
        ),
    ]
    state_topic: Annotated[
        str,
        Rule(
            topic_name,
            None,
            TOPIC_LIMITS,
            "Compacted topic that says who is identified.",
            derived=Derived("{group}.identified-users", "kafka_group_id", "{}.identified-users".format),
        ),
    ]
    replay_topic: Annotated[
        str,
        Rule(
            topic_name,
            None,
            TOPIC_LIMITS,
            "Topic where `dlq replay` puts dead letters; `run` reads it too.",
            derived=Derived("{topic}.customfit-replay", "kafka_topic", "{}.customfit-replay".format),
        ),
    ]
    receipt_topic: Annotated[str | None, RECEIPT_TOPIC]
    rekeyed: Annotated[bool, REKEYED]
    rekey_wait_seconds: Annotated[float, REKEY_WAIT_SECONDS]
    # What a record is
    value_format: Annotated[ValueFormat, OneOf("Format of the records; `auto` recognizes it record by record.")]
    schema_registry_url: Annotated[
        str | None,
        Rule(registry_url, None, "an http:// or https:// URL", "Schema registry for Avro, with Confluent's API."),
    ]
    schema_registry_user_info: Annotated[
        Secret | None,
        Rule(user_info, None, "user:password", "User and password for the schema registry.", in_file=True),
    ]
    # Users
    state_dir: Annotated[
        Path,
        Rule(folder, "./state", "a folder", "Local copy of the state topic: `{group}/identified-users-1.sqlite`."),
    ]
    standby: Annotated[Standby, OneOf("Copy the state of `all` partitions, so that one can be taken over in seconds.")]
    standby_records_per_second_max: Annotated[
        int,
        whole(5_000, 100, 1_000_000, "records a second", "Most records of other members' partitions that are copied."),
    ]
    hold_seconds: Annotated[
        float,
        decimal("0", 0, 600, "seconds", "How long events of a user who is not identified wait for their identify."),
    ]
    unidentified: Annotated[
        Unidentified, OneOf("After the hold: send an identify with the userId alone, or dead-letter the event.")
    ]
    anonymous: Annotated[Anonymous, OneOf("Events with only an anonymousId: skip, or send as anonymous.")]
    integrations: Annotated[
        Integrations,
        OneOf("Segment's `integrations`: obey, obey where it names this destination (`explicit`), or ignore."),
    ]
    # What is not sent
    events_allow: Annotated[Globs | None, glob_list("Tracks, pages and screens with other names are skipped.")]
    events_deny: Annotated[Globs | None, glob_list("Tracks, pages and screens with these names are skipped.")]
    properties_drop: Annotated[PropertyPaths | None, path_list("Parts of traits and properties that are left out.")]
    properties_hash: Annotated[PropertyPaths | None, path_list("Parts of them that are sent as HMAC-SHA-256.")]
    properties_hash_key: Annotated[
        Secret | None,
        Rule(hash_key, None, HASH_KEY_LIMITS, "Key of these hashes, the same in all members.", in_file=True),
    ]
    # Requests
    in_flight_max: Annotated[int, whole(256, 1, 4096, "requests", "Limit on concurrent requests of a member.")]
    batch_events_max: Annotated[int, whole(100, 1, 2500, "events", "Most events in one request, all of one user.")]
    batch_bytes_max: Annotated[
        int, whole(450_000, 1000, 100_000_000, "bytes", "Most bytes in one request; a larger event is sent alone.")
    ]
    request_timeout_seconds: Annotated[float, decimal("10", 0.1, 300, "seconds", "How long one request may take.")]
    requests_per_second_max: Annotated[float | None, REQUESTS_PER_SECOND_MAX]
    forward_headers: Annotated[tuple[str, ...] | None, FORWARD_HEADERS]
    give_up_seconds: Annotated[
        float,
        decimal(
            "900", 1, 604_800, "seconds", "An event that fails this long while others succeed becomes a dead letter."
        ),
    ]
    dead_letter_ratio_max: Annotated[
        float,
        decimal("0.5", 0, 1, "", "Share of dead letters above which a partition stops.", low_excluded=True),
    ]
    # Memory
    buffer_events_max: Annotated[
        int, whole(30_000, 1, 10_000_000, "events", "Most events in memory; fetching pauses above it.")
    ]
    buffer_bytes_max: Annotated[
        int, whole(134_217_728, 1000, 68_719_476_736, "bytes", "Most bytes in memory; fetching pauses above it.")
    ]
    record_bytes_max: Annotated[
        int, whole(1_048_576, 1000, 1_000_000_000, "bytes", "A larger record becomes a dead letter.")
    ]
    known_users_max: Annotated[
        int,
        whole(1_000_000, 0, 10_000_000, "users", "Most identified users kept in memory (100 to 200 bytes each)."),
    ]
    # Commits and the end
    commit_interval_seconds: Annotated[float, decimal("1", 0.01, 60, "seconds", "How often offsets are committed.")]
    uncommitted_events_max: Annotated[
        int, whole(10_000, 2, 10_000_000, "events", "Most answered events that a crash may send again.")
    ]
    drain_seconds: Annotated[
        float, decimal("15", 0, 3600, "seconds", "How long a revoke or a stop waits for requests in flight.")
    ]
    startup_timeout_seconds: Annotated[
        float, decimal("30", 1, 3600, "seconds", "How long a start waits for Kafka before it exits with 69.")
    ]
    # What is seen from outside; a container is scraped through all its addresses.
    http_host: Annotated[
        str, Rule(host, "0.0.0.0", "a host name or address", "Address of the page, metrics and health.")  # noqa: S104
    ]
    http_port: Annotated[int, whole(9464, 0, 65_535, "", "Port of the page, metrics and health; 0: any free one.")]
    http_users: Annotated[
        HttpUsers,
        OneOf(
            "Who may ask at `/users/` what one user's events wait for: `loopback`, this machine alone (in a container, "
            "this container); `all`, everybody who reaches the port; `off`, nobody."
        ),
    ]
    http_hosts: Annotated[
        tuple[str, ...] | None,
        Rule(
            host_names,
            None,
            "names, separated by commas, or a JSON array",
            "Names under which a browser may open the page, beside localhost and IP addresses.",
        ),
    ]
    log_level: Annotated[LogLevel, OneOf("Lowest level of lines that are logged.")]
    log_format: Annotated[LogFormat, OneOf("Text for people, or one JSON object a line.")]

    warnings: tuple[str, ...] = ()
    origins: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), compare=False)

    def origin(self, setting: str) -> str:
        """The setting's variable and where its value came from, for a message: `CUSTOMFIT_X (environment)`."""
        assert setting in RULES, setting
        return self.origins.get(setting, variable(setting))

    def fill(self, kind: type[T], **given: Any) -> T:
        """Make a dataclass of this kind, each of its fields from the setting of its name."""
        assert is_dataclass(kind), kind
        named = {one.name: getattr(self, one.name) for one in fields(kind) if one.name not in given}
        return kind(**named, **given)

    @property
    def name_filter(self) -> NameFilter | None:
        """Which events are sent, by their names; None: all."""
        is_off = self.events_allow is None and self.events_deny is None
        return None if is_off else NameFilter(self.events_allow, self.events_deny)

    @property
    def held_events_max(self) -> int:
        """How many events may wait for their user's identify: half the buffer, so that the others still flow."""
        return self.buffer_events_max // 2

    @property
    def lease_seconds(self) -> float:
        """How long a partition may be worked on without a word from the group."""
        return self.lease.seconds

    @property
    def lease(self) -> Lease:
        """How long a partition may be worked on without a word from the group, and the request time-out that fits."""
        return lease_of(session_seconds(self.kafka_properties), self.request_timeout_seconds)

    @property
    def state_lease(self) -> Lease:
        """The same for a record that says who is identified."""
        return lease_of(session_seconds(self.kafka_properties), STATE_WRITE_SECONDS)

    def describe(self) -> dict[str, object]:
        """Every setting as a JSON value, secrets masked."""
        return {name: as_described(getattr(self, name)) for name in RULES} | {"api_url": masked_query(self.api_url)}

    def __repr__(self) -> str:
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in self.describe().items())})"


def _rule(hint: Any) -> Rule:
    declared: Rule | OneOf = hint.__metadata__[0]
    return declared.rule(hint.__origin__) if isinstance(declared, OneOf) else declared


RULES: Final[Mapping[str, Rule]] = {
    name: _rule(hint)
    for name, hint in get_type_hints(Settings, include_extras=True).items()
    if get_origin(hint) is Annotated
}
