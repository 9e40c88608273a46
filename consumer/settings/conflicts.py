"""What must hold between settings that are each right by themselves, and what deserves a warning."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from consumer.sequencing.lease import lease_of
from consumer.settings.kafka_properties import (
    max_poll_interval_seconds,
    sends_password_in_clear,
    session_seconds,
    unverified_by,
)
from consumer.settings.property_paths import DROP, HASH, doubtful, within
from consumer.settings.sources import variable

COMMIT_SECONDS: Final = 10.0  # what a revoke may need for its commit after the drain
_LOOPBACK: Final = re.compile(r"(?:.+\.)?localhost|127(?:\.[0-9]+){3}|::1")


def conflicts(values: Mapping[str, Any], origins: Mapping[str, str]) -> list[str]:
    """Problems between settings that are each right by themselves. A missing one has its own problem already."""
    problems = []

    def at_least(larger: str, smaller: str) -> None:
        if larger in values and smaller in values and values[larger] < values[smaller]:
            problems.append(
                f"{origins[larger]}: {values[larger]} is below {origins[smaller]}, which is {values[smaller]}; "
                "raise the first or lower the second"
            )

    at_least("buffer_events_max", "in_flight_max")
    at_least("buffer_bytes_max", "record_bytes_max")
    topics: dict[str, str] = {}
    for setting in ("kafka_topic", "dead_letter_topic", "state_topic", "replay_topic", "receipt_topic"):
        if values.get(setting) is None:
            continue
        other = topics.setdefault(values[setting], setting)
        if other != setting:
            problems.append(f"{origins[setting]}: the same topic as {origins[other]}; name another topic")
    problems += _of_properties(values, origins)
    if "drain_seconds" in values and "kafka_properties" in values:
        drain_seconds, poll_seconds = values["drain_seconds"], max_poll_interval_seconds(values["kafka_properties"])
        if drain_seconds + COMMIT_SECONDS >= poll_seconds:
            problems.append(
                f"{origins['drain_seconds']}: {drain_seconds:g} s and {COMMIT_SECONDS:g} s for the commit do not fit "
                f"max.poll.interval.ms, {poll_seconds:g} s ({origins['kafka_properties']}); "
                f"use less than {max(poll_seconds - COMMIT_SECONDS, 0):g} or raise max.poll.interval.ms"
            )
    return problems


def warnings(values: Mapping[str, Any], origins: Mapping[str, str]) -> list[str]:
    """Settings that may be meant so, but give away a secret or are not used as given."""
    found = []
    parts = urlsplit(values["api_url"])
    if parts.scheme == "http" and _LOOPBACK.fullmatch(parts.hostname or "") is None:
        found.append(
            f"{origins['api_url']}: the API key travels in clear text to {parts.hostname}; "
            "use https:// unless this network is yours alone"
        )
    registry = urlsplit(values["schema_registry_url"] or "")
    if (
        values["schema_registry_user_info"]
        and registry.scheme == "http"
        and _LOOPBACK.fullmatch(registry.hostname or "") is None
    ):
        found.append(
            f"{origins['schema_registry_url']}: the registry's password travels in clear text to {registry.hostname}; "
            "use https:// unless this network is yours alone"
        )
    if sends_password_in_clear(values["kafka_properties"]):
        found.append(
            f"{origins['kafka_properties']}: SASL PLAIN without TLS sends the Kafka password in clear text; "
            "use security.protocol=SASL_SSL"
        )
    if (unverified := unverified_by(values["kafka_properties"])) is not None:
        found.append(
            f"{origins['kafka_properties']}: with {unverified} whoever is in between can be the broker; "
            "leave it out, and name the authority in ssl.ca.location"
        )
    found += [
        f"{origins[setting]}: {path.text!r}: {doubt}"
        for setting in (DROP, HASH)
        for path in values[setting] or ()
        if (doubt := doubtful(path)) is not None
    ]
    if values["properties_hash_key"] and not values[HASH]:
        found.append(f"{origins['properties_hash_key']}: nothing is hashed with it; set {variable(HASH)} or remove it")
    session, timeout = session_seconds(values["kafka_properties"]), values["request_timeout_seconds"]
    if (capped := lease_of(session, timeout).request_timeout_seconds) < timeout:
        found.append(
            f"{origins['request_timeout_seconds']}: requests are given up after {capped:g} s, not {timeout:g}: "
            f"the group takes partitions away after session.timeout.ms, {session:g} s ({origins['kafka_properties']}); "
            "lower the first or raise the second"
        )
    return found


def _of_properties(values: Mapping[str, Any], origins: Mapping[str, str]) -> list[str]:
    """Hashing needs a key, and what is left out can't be hashed as well."""
    dropped, hashed = values.get(DROP) or (), values.get(HASH) or ()
    problems = [
        f"{origins[setting]}: {inner.text!r} lies within {outer.text!r} of {origins[other]}; remove it"
        for setting, paths, other, others in ((HASH, hashed, DROP, dropped), (DROP, dropped, HASH, hashed))
        for inner, outer in within(paths, others)
        if setting == HASH or inner.keys != outer.keys
    ]
    if hashed and values.get("properties_hash_key", True) is None:
        problems.append(
            f"{origins[HASH]}: a key is needed; name a file that holds it in {variable('properties_hash_key_file')}"
        )
    return problems
