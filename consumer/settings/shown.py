"""The settings as a page may show them: text, with nothing in it that lets anybody in.

A page is seen by more people than the environment of a process is. So of librdkafka's properties only those on a list
are shown, and a new or mistyped one is not; elsewhere a list of what is secret does (secret.py).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from consumer.settings.secret import MASK
from consumer.settings.sources import variable

if TYPE_CHECKING:
    from consumer.settings.settings import Settings

NOT_SET: Final = "(not set)"
PROPERTIES_SHOWN: Final = frozenset(
    {
        "allow.auto.create.topics",
        "api.version.request",
        "broker.address.family",
        "broker.address.ttl",
        "check.crcs",
        "client.dns.lookup",
        "client.id",
        "client.rack",
        "compression.codec",
        "compression.type",
        "connections.max.idle.ms",
        "debug",
        "enable.ssl.certificate.verification",
        "fetch.error.backoff.ms",
        "fetch.max.bytes",
        "fetch.message.max.bytes",
        "fetch.min.bytes",
        "fetch.queue.backoff.ms",
        "fetch.wait.max.ms",
        "group.instance.id",
        "group.protocol",
        "group.remote.assignor",
        "heartbeat.interval.ms",
        "linger.ms",
        "log_level",
        "max.partition.fetch.bytes",
        "max.poll.interval.ms",
        "message.timeout.ms",
        "metadata.max.age.ms",
        "partition.assignment.strategy",
        "queued.max.messages.kbytes",
        "queued.min.messages",
        "receive.message.max.bytes",
        "reconnect.backoff.max.ms",
        "reconnect.backoff.ms",
        "request.timeout.ms",
        "retry.backoff.max.ms",
        "retry.backoff.ms",
        "sasl.mechanism",
        "sasl.mechanisms",
        "security.protocol",
        "session.timeout.ms",
        "socket.connection.setup.timeout.ms",
        "socket.keepalive.enable",
        "socket.nagle.disable",
        "socket.timeout.ms",
        "ssl.ca.location",
        "ssl.endpoint.identification.algorithm",
        "statistics.interval.ms",
        "topic.metadata.refresh.interval.ms",
    }
)
_USER_INFO: Final = re.compile(r"(?<=://)\S*@")
"""Up to the last @: if somebody did not percent-encode a password, it may contain an @ or a slash."""


def as_shown(settings: Settings) -> dict[str, str]:
    """Each setting by the name of its variable."""
    return {variable(name): _text(value) for name, value in settings.describe().items()}


def without_user_info(text: str) -> str:
    """The text, with user and password of each URL in it masked."""
    return _USER_INFO.sub(f"{MASK}@", text)


def _text(value: object) -> str:
    match value:
        case None | "":
            return NOT_SET
        case Mapping():
            text = json.dumps({name: value[name] if name in PROPERTIES_SHOWN else MASK for name in value})
        case _:
            text = str(value)
    return without_user_info(text)
