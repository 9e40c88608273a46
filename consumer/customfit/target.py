"""Where events are sent, with which headers and through which proxy, and what of an answer the program may see."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

from consumer import __version__
from consumer.customfit.answers import SUCCESSFUL, Answered, NoAnswer, NoAnswerKind
from consumer.customfit.proxies import proxy_for
from consumer.customfit.tls import read_certificates
from consumer.foreign_text import printable
from consumer.settings.known_secrets import masker_of
from consumer.settings.masking import Masker

if TYPE_CHECKING:
    from consumer.settings import Settings

BODY_BYTES_KEPT: Final = 512
DETAIL_CHARACTERS_MAX: Final = 200
RETRY_AFTER_CHARACTERS_MAX: Final = 100  # an HTTP date has 29
PACKED: Final = b"(packed, which it was asked not to be)"
"""Shown in place of a packed body. A secret could not be found in it, but whoever unpacks it would see it."""
PLAIN: Final = frozenset({"", "identity", "chunked"})
CONNECT_SECONDS_MAX: Final = 5.0

_URL_IN_ERROR: Final = re.compile(r" for url \(.*\)")


@dataclass(frozen=True, slots=True)
class Target:
    """What an engine needs to know, independent of any HTTP library."""

    url: str = field(repr=False)
    """Has the key in it, if the key travels in the query."""
    shown_url: str
    headers: Mapping[str, str] = field(repr=False)
    proxy: str | None = field(repr=False)
    ca_certificates: tuple[bytes, ...] = field(repr=False)
    """Trusted in addition to the machine's certificates; DER."""
    timeout_seconds: float
    connect_timeout_seconds: float
    connections_max: int
    masker: Masker = field(repr=False)
    """Knows the secrets that an answer or an error may repeat."""

    @property
    def needs_tls(self) -> bool:
        """Whether the server, or a proxy on the way to it, is spoken to over TLS."""
        return any(url.startswith("https:") for url in (self.url, self.proxy or ""))

    @property
    def is_forwarded(self) -> bool:
        """Whether a proxy is sent each request, instead of being asked for a tunnel.

        Some proxies (tinyproxy) close after each answer without saying so, and such a connection would be used once
        more.
        """
        return self.proxy is not None and self.url.startswith("http:")

    def answered(self, status: int, retry_after: str | None, body: bytes, coding: str = "") -> Answered:
        """The answer as the rest of the program may see it; `coding` is how its body is packed."""
        if retry_after is not None:
            retry_after = retry_after.strip()[:RETRY_AFTER_CHARACTERS_MAX]
        if status in SUCCESSFUL:
            return Answered(status, retry_after, body[:BODY_BYTES_KEPT])
        is_packed = any(one.strip() not in PLAIN for one in coding.lower().split(","))
        return Answered(status, retry_after, PACKED if is_packed else self.masker.beginning(body, BODY_BYTES_KEPT))

    def no_answer(self, kind: NoAnswerKind, messages: Iterable[str]) -> NoAnswer:
        """A library's error messages, outermost first, as one short line."""
        texts = (_URL_IN_ERROR.sub("", message).strip() for message in messages)
        detail = ": ".join(dict.fromkeys(text for text in texts if text))
        masked = self.masker.beginning_of(detail, 2 * DETAIL_CHARACTERS_MAX)  # so that the cut shows as one
        return NoAnswer(kind, printable(masked, DETAIL_CHARACTERS_MAX))

    def timed_out(self, *, connecting: bool) -> NoAnswer:
        """The same words for all engines."""
        if connecting:
            return NoAnswer("timeout", f"no connection within {self.connect_timeout_seconds:g} s")
        return NoAnswer("timeout", f"no complete answer within {self.timeout_seconds:g} s")


def target_of(settings: Settings, environ: Mapping[str, str], masker: Masker | None = None) -> Target:
    """What an engine needs, from settings and environment. The masker is the process's. Raises EngineUnavailable."""
    key = settings.api_key.reveal()
    assert key, "sending needs the key"
    parts = urlsplit(settings.api_url)
    headers = {
        "User-Agent": f"customfit-consumer/{__version__}",
        "Content-Type": "application/json",
        "Accept-Encoding": "identity",
    }
    query = parts.query
    if settings.api_auth == "query":
        query = f"{query}&cfenc={quote(key, safe='')}".removeprefix("&")
    else:
        headers["Authorization"] = f"Bearer {key}"
    proxy = proxy_for(parts, environ)
    return Target(
        url=parts._replace(query=query, fragment="").geturl(),
        shown_url=parts._replace(query="", fragment="").geturl(),
        headers=headers,
        proxy=proxy,
        ca_certificates=read_certificates(settings.api_ca_file) if settings.api_ca_file else (),
        timeout_seconds=settings.lease.request_timeout_seconds,
        connect_timeout_seconds=min(settings.lease.request_timeout_seconds, CONNECT_SECONDS_MAX),
        connections_max=settings.in_flight_max,
        masker=masker or masker_of(settings, environ),
    )
