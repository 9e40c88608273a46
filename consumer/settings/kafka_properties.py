"""Which librdkafka properties may be passed through, and why the others may not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Final, NoReturn

from consumer.settings.secret import KafkaProperties
from consumer.settings.values import Wrong, plain, shown

_PROPERTIES_MAX: Final = 200
_VALUE_CHARACTERS_MAX: Final = 65_536  # a chain of certificates in PEM form is a few thousand
MAX_POLL_INTERVAL_MS: Final = "max.poll.interval.ms"
SESSION_TIMEOUT_MS: Final = "session.timeout.ms"
# librdkafka's defaults.
_MAX_POLL_INTERVAL_MS_DEFAULT: Final = 300_000
_SESSION_TIMEOUT_MS_DEFAULT: Final = 45_000
_MS_MAX: Final = 86_400_000

_OWN_COMMITS: Final = (
    "an offset is committed only when every event below it is finished; remove it "
    "(CUSTOMFIT_COMMIT_INTERVAL_SECONDS sets how often)"
)
_ALL_REPLICAS: Final = (
    "a dead letter must be acknowledged by all in-sync replicas before its offset moves on; remove it"
)
_NO_TEXT: Final = "holds a NUL or half of a surrogate pair; remove it"
_CODE: Final = "it takes code, not a value; remove it"

REFUSED: Final[Mapping[str, str]] = {
    "bootstrap.servers": "it has its own setting; use CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS",
    "metadata.broker.list": "it has its own setting; use CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS",
    "group.id": "it has its own setting; use CUSTOMFIT_KAFKA_GROUP_ID",
    "auto.offset.reset": "a lost offset must stop the partition, not skip or repeat events; use CUSTOMFIT_KAFKA_START",
    "enable.auto.commit": _OWN_COMMITS,
    "auto.commit.enable": _OWN_COMMITS,
    "enable.auto.offset.store": _OWN_COMMITS,
    "isolation.level": "events of an aborted transaction must never be sent; remove it",
    "enable.partition.eof": "the end of a partition is how the consumer knows that it has caught up; remove it",
    "transactional.id": "the consumer makes its own transactions where it needs them; remove it",
    "default.topic.config": "write its properties directly into the object",
    "logger": _CODE,
    "on_commit": _CODE,
    "on_delivery": _CODE,
}
# These are fine with the value that the promise needs, and many shared configurations hold them.
_ONLY: Final[Mapping[str, tuple[tuple[str, ...], str]]] = {
    "acks": (("all", "-1"), _ALL_REPLICAS),
    "request.required.acks": (("all", "-1"), _ALL_REPLICAS),
    "enable.idempotence": (("true",), _ALL_REPLICAS),
}
# librdkafka 2.16 refuses to start with these under group.protocol=consumer.
BROKER_SIDE: Final[Mapping[str, str]] = {
    "session.timeout.ms": "the broker sets it (group.consumer.session.timeout.ms)",
    "heartbeat.interval.ms": "the broker sets it (group.consumer.heartbeat.interval.ms)",
    "partition.assignment.strategy": "the broker assigns (group.remote.assignor chooses how)",
    "group.protocol.type": "it belongs to the classic protocol",
}


def librdkafka_properties(given: object) -> KafkaProperties:
    """Check an object of librdkafka properties: JSON text, or a TOML table (nested tables are dotted names)."""
    pairs = list(_flat("", given)) if isinstance(given, dict) else _from_json(plain(given))
    if len(pairs) > _PROPERTIES_MAX:
        raise Wrong(f"{len(pairs)} properties are more than {_PROPERTIES_MAX}; remove those that are not needed")
    problems: list[str] = []
    properties: dict[str, str] = {}
    for name, value in pairs:
        if name in properties:
            problems.append(f"{shown(name)} is there twice; keep one")
        if not _is_text(name):
            problems.append(f"{shown(name)} {_NO_TEXT}")
            continue
        try:
            properties[name] = _text(value)
        except Wrong as wrong:
            problems += [f"{shown(name)} {problem}" for problem in wrong.args]
    problems += _refusals(properties)
    if problems:
        raise Wrong(*problems)
    return KafkaProperties(properties)


def max_poll_interval_seconds(properties: Mapping[str, str]) -> float:
    """For how long the consumer may go without a poll before it loses its partitions."""
    return int(properties.get(MAX_POLL_INTERVAL_MS, _MAX_POLL_INTERVAL_MS_DEFAULT)) / 1000


def session_seconds(properties: Mapping[str, str]) -> float:
    """How long the group waits for a sign of life before it gives a member's partitions to others.

    With group.protocol=consumer the broker knows: 45 s by default, and by default no less (its settings
    group.consumer.session.timeout.ms and group.consumer.min.session.timeout.ms; a group may have its own). To ask it
    one needs the right to describe configurations, which few consumers have; so a shorter one there is not seen here.
    """
    if is_broker_side(properties):
        return _SESSION_TIMEOUT_MS_DEFAULT / 1000
    return int(properties.get(SESSION_TIMEOUT_MS, _SESSION_TIMEOUT_MS_DEFAULT)) / 1000


def is_broker_side(properties: Mapping[str, str]) -> bool:
    """Whether the broker has the group's time-outs (KIP-848)."""
    return properties.get("group.protocol", "classic").strip().lower() == "consumer"


def sends_password_in_clear(properties: Mapping[str, str]) -> bool:
    """Whether SASL PLAIN is used without TLS."""
    mechanism = properties.get("sasl.mechanism", properties.get("sasl.mechanisms", ""))
    return properties.get("security.protocol", "").lower() == "sasl_plaintext" and mechanism.upper() == "PLAIN"


def unverified_by(properties: Mapping[str, str]) -> str | None:
    """The property because of which any server passes for a broker, with or without TLS."""
    if "ssl" not in properties.get("security.protocol", "").lower():
        return None
    if properties.get("enable.ssl.certificate.verification", "true").lower() in ("false", "f", "0"):
        return "enable.ssl.certificate.verification"
    if properties.get("ssl.endpoint.identification.algorithm", "https").lower() == "none":
        return "ssl.endpoint.identification.algorithm"
    return None


def _from_json(text: str) -> list[tuple[str, object]]:
    # Numbers stay as they are written: librdkafka shall read 1e3 and 0.10.
    try:
        pairs = json.loads(
            text, object_pairs_hook=_Pairs, parse_int=str, parse_float=str, parse_constant=_refuse_constant
        )
    except json.JSONDecodeError as error:
        raise Wrong(
            f"not JSON ({error.msg}, line {error.lineno}, column {error.colno}); "
            'write an object such as {"security.protocol": "SASL_SSL"}'
        ) from None
    except RecursionError:
        raise Wrong("nested too deep; write one object of names and values") from None
    if not isinstance(pairs, _Pairs):
        raise Wrong('not a JSON object; write one such as {"security.protocol": "SASL_SSL"}')
    return pairs


class _Pairs(list[tuple[str, object]]):
    """A JSON object with its repeated names, which a dict would drop."""


def _refuse_constant(constant: str) -> NoReturn:
    raise Wrong(f"{constant} is not JSON; write a number or text")


def _flat(above: str, table: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    # Without quotes, TOML reads `security.protocol = "ssl"` as a table `security`.
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _flat(f"{above}{name}.", value)
        else:
            yield f"{above}{name}", value


def _text(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str() if len(value) > _VALUE_CHARACTERS_MAX:
            raise Wrong(f"is longer than {_VALUE_CHARACTERS_MAX} characters; name a file with the .location property")
        case str() if not _is_text(value):
            raise Wrong(_NO_TEXT)
        case str() | int() | float():
            return str(value)
        case _:
            raise Wrong("is not text, a number, true or false; write one of these")


def _is_text(value: str) -> bool:
    """Whether librdkafka can take it: half of a surrogate pair makes the client (2.16.1) end the process."""
    return "\0" not in value and not any("\ud800" <= character <= "\udfff" for character in value)


def _refusals(properties: Mapping[str, str]) -> Iterator[str]:
    for name, value in properties.items():
        if name in REFUSED:
            yield f"{name} is refused: {REFUSED[name]}"
        elif name.endswith("_cb"):
            yield f"{name} is refused: {_CODE}"
        elif name in _ONLY and value.strip().lower() not in _ONLY[name][0]:
            yield f"{name} is refused unless it is {_ONLY[name][0][0]}: {_ONLY[name][1]}"
    if is_broker_side(properties):
        for name in BROKER_SIDE.keys() & properties.keys():
            yield f"{name} is refused with group.protocol=consumer: {BROKER_SIDE[name]}; remove it"
        yield from _bad_milliseconds(properties, MAX_POLL_INTERVAL_MS)
        return
    assignor = properties.get("partition.assignment.strategy", "cooperative-sticky")
    if assignor.strip() != "cooperative-sticky":
        yield (
            "partition.assignment.strategy is refused unless it is cooperative-sticky: "
            "an eager assignor takes every partition away at each rebalance; remove it"
        )
    unreadable = [
        *_bad_milliseconds(properties, MAX_POLL_INTERVAL_MS),
        *_bad_milliseconds(properties, SESSION_TIMEOUT_MS),
    ]
    yield from unreadable
    if not unreadable and session_seconds(properties) > max_poll_interval_seconds(properties):
        yield (
            f"{MAX_POLL_INTERVAL_MS} ({max_poll_interval_seconds(properties):g} s) is below session.timeout.ms "
            f"({session_seconds(properties):g} s), which librdkafka refuses; raise the first or lower the second"
        )


def _bad_milliseconds(properties: Mapping[str, str], name: str) -> Iterator[str]:
    value = properties.get(name, "1")
    if not (value.isascii() and value.isdigit() and len(value) <= 9 and 1 <= int(value) <= _MS_MAX):
        yield f"{name} is {shown(value)}; use a whole number of milliseconds from 1 to {_MS_MAX}"
