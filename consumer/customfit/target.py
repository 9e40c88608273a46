"""CustomFit's API over HTTP: one POST, one answer. What the engines share; each is a file of its own.

`open_engine` picks one. With each: no redirect is followed, nothing is sent a second time, TLS is verified, no
compressed answer is asked for or unpacked, and what comes back is bounded in size and in time.

The proxy comes from HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY and is chosen here, once, since the libraries
read these differently. Trusted are the machine's certificates (or those of SSL_CERT_FILE, SSL_CERT_DIR) and those in
CUSTOMFIT_API_CA_FILE.
"""

from __future__ import annotations

import base64
import importlib
import os
import re
import ssl
from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import SplitResult, quote, quote_plus, unquote, urlsplit

from consumer import __version__
from consumer.customfit.answers import Answer, Answered, NoAnswer, NoAnswerKind
from consumer.foreign_text import printable

if TYPE_CHECKING:
    from consumer.settings import Settings

ANSWER_BYTES_MAX: Final = 64 * 1024
"""Most that is read of an answer; the connection of a longer one is closed, not drained."""
BODY_BYTES_KEPT: Final = 512
DETAIL_CHARACTERS_MAX: Final = 200
RETRY_AFTER_CHARACTERS_MAX: Final = 100  # an HTTP date has 29
CONNECT_SECONDS_MAX: Final = 5.0
FAST_ENGINES: Final = {"httptools": "httptools", "pyreqwest": "pyreqwest.client"}
"""Those of the extra `fast`, the fastest first, and what has to be importable."""
IDLE_SECONDS_MAX: Final = 30.0
"""A connection idle for longer is not used again; servers commonly close at 60 (load balancers) or 75 (nginx)."""

_PEM: Final = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_URL_IN_ERROR: Final = re.compile(r" for url \(.*\)")


class Engine(Protocol):
    """An HTTP client for one URL."""

    name: str

    def post(self, body: bytes) -> Awaitable[Answer]:
        """Send JSON once. The caller keeps to `in_flight_max` at once: nothing queues in here."""

    async def close(self) -> None:
        """Close all connections; whatever is in flight gets a NoAnswer, and so does every later `post`."""


class EngineUnavailable(Exception):
    """The HTTP engine cannot be opened. The message names the setting and says what to do."""


@dataclass(frozen=True, slots=True)
class Target:
    """What an engine is told, in terms of no library."""

    url: str = field(repr=False)
    """With the key in it where the key travels in the query."""
    shown_url: str
    headers: Mapping[str, str] = field(repr=False)
    proxy: str | None = field(repr=False)
    ca_certificates: tuple[bytes, ...] = field(repr=False)
    """DER, trusted in addition to the machine's."""
    timeout_seconds: float
    connect_timeout_seconds: float
    connections_max: int
    key_spellings: tuple[str, ...] = field(repr=False)
    """What must not be seen (the key, the proxy's password), in each form in which it may be said back to us."""

    def answered(self, status: int, retry_after: str | None, body: bytes) -> Answered:
        """The answer as the rest of the program may see it."""
        for spelling in self.key_spellings:
            body = body.replace(spelling.encode(), b"***")
        if retry_after is not None:
            retry_after = retry_after.strip()[:RETRY_AFTER_CHARACTERS_MAX]
        return Answered(status, retry_after, body[:BODY_BYTES_KEPT])

    def no_answer(self, kind: NoAnswerKind, messages: Iterable[str]) -> NoAnswer:
        """A library's error messages, outermost first, as one short line."""
        texts = (_URL_IN_ERROR.sub("", message).strip() for message in messages)
        detail = ": ".join(dict.fromkeys(text for text in texts if text))
        for spelling in self.key_spellings:
            detail = detail.replace(spelling, "***")
        return NoAnswer(kind, printable(detail, DETAIL_CHARACTERS_MAX))

    def timed_out(self, *, connecting: bool) -> NoAnswer:
        """The same words for all engines."""
        if connecting:
            return NoAnswer("timeout", f"no connection within {self.connect_timeout_seconds:g} s")
        return NoAnswer("timeout", f"no complete answer within {self.timeout_seconds:g} s")


def open_engine(settings: Settings, environ: Mapping[str, str] = os.environ) -> Engine:
    """Open the HTTP engine that the settings ask for; a proxy is taken from `environ`. Raises EngineUnavailable."""
    target = target_of(settings, environ)
    match _choice(settings.http_engine, has_proxy=target.proxy is not None):
        case "httptools":
            from consumer.customfit.engine_httptools import HttptoolsEngine

            return HttptoolsEngine(target)
        case "pyreqwest":
            from consumer.customfit.engine_pyreqwest import PyreqwestEngine

            return PyreqwestEngine(target)
        case _:
            from consumer.customfit.engine_httpx import HttpxEngine

            return HttpxEngine(target)


def _choice(asked: str, *, has_proxy: bool) -> str:
    """The engine asked for, which must be able to do it; or, of those installed, the fastest that is."""
    if asked == "httptools" and has_proxy:
        raise EngineUnavailable(
            "CUSTOMFIT_HTTP_ENGINE=httptools connects directly, but a proxy is set for CUSTOMFIT_API_URL; leave the"
            " setting at auto, or name the host in NO_PROXY"
        )
    for name, module in FAST_ENGINES.items():
        if asked in (name, "auto") and not (name == "httptools" and has_proxy):
            try:
                importlib.import_module(module)
            except ImportError as error:
                if asked == name:
                    raise EngineUnavailable(
                        f"CUSTOMFIT_HTTP_ENGINE={name}: the package {name} cannot be imported"
                        f" ({error}); pip install 'customfit-consumer[fast]', or leave the setting at auto"
                    ) from error
            else:
                return name
    return "httpx"


def target_of(settings: Settings, environ: Mapping[str, str]) -> Target:
    """Settings and environment as what an engine needs. Raises EngineUnavailable."""
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
        ca_certificates=_ca_certificates(settings.api_ca_file) if settings.api_ca_file else (),
        timeout_seconds=settings.lease.request_timeout_seconds,
        connect_timeout_seconds=min(settings.lease.request_timeout_seconds, CONNECT_SECONDS_MAX),
        connections_max=settings.in_flight_max,
        key_spellings=(*_spellings(key), *_proxy_spellings(proxy)),
    )


def proxy_for(url: SplitResult, environ: Mapping[str, str]) -> str | None:
    """The proxy for a URL: `https_proxy` or `http_proxy` by its scheme, else `all_proxy`; lower case wins, as in curl.

    `no_proxy` lists what goes direct: `*` (all), a host name with its subdomains, an address (both with or without a
    port), a network (10.0.0.0/8). Only http:// and https:// proxies; raises EngineUnavailable for others.
    """

    def lookup(name: str) -> tuple[str, str]:
        return next(((n, environ[n]) for n in (name, name.upper()) if environ.get(n)), (name, ""))

    name, value = lookup(f"{url.scheme}_proxy")
    if not value:
        name, value = lookup("all_proxy")
    host = url.hostname or ""
    if not value or _goes_direct(host, url.port or (443 if url.scheme == "https" else 80), lookup("no_proxy")[1]):
        return None
    return _checked_proxy(value, name)


def _goes_direct(host: str, port: int, no_proxy: str) -> bool:
    for entry in no_proxy.lower().replace(",", " ").split():
        if entry == "*":
            return True
        name = entry.removeprefix("*").removeprefix(".")
        if any(spelling == name or spelling.endswith(f".{name}") for spelling in (host, f"{host}:{port}")):
            return True
        try:
            if ip_address(host) in ip_network(name, strict=False):
                return True
        except ValueError:
            continue  # one of the two is a name
    return False


def _checked_proxy(url: str, variable: str) -> str:
    """The URL as both engines take it; it may hold a password, so no message repeats it."""
    url = url if "://" in url else f"http://{url}"
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise EngineUnavailable(
            f"{variable}: must be an http:// or https:// URL with a host, or unset; see also NO_PROXY"
        )
    return url


def _ca_certificates(path: Path) -> tuple[bytes, ...]:
    try:
        blocks = _PEM.findall(path.read_text(encoding="ascii", errors="replace"))
    except OSError as error:
        raise EngineUnavailable(f"CUSTOMFIT_API_CA_FILE: cannot read {path}: {error.strerror}") from error
    if not blocks:
        raise EngineUnavailable(f"CUSTOMFIT_API_CA_FILE: {path} holds no PEM certificate (-----BEGIN CERTIFICATE-----)")
    try:
        certificates = tuple(ssl.PEM_cert_to_DER_cert(block) for block in blocks)
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=b"".join(certificates))
    except (ValueError, ssl.SSLError) as error:
        raise EngineUnavailable(f"CUSTOMFIT_API_CA_FILE: a certificate in {path} is damaged: {error}") from error
    return certificates


def _spellings(key: str) -> tuple[str, ...]:
    """The key as it is, percent-encoded, and as `repr` writes it; longest first, so that none leaves a rest."""
    found = {key, quote(key, safe=""), quote(key), quote_plus(key), repr(key)[1:-1]}
    return tuple(sorted(found, key=len, reverse=True))


def _proxy_spellings(proxy: str | None) -> tuple[str, ...]:
    """A proxy's password as its URL has it, decoded, and as the header has it, which an error page may repeat."""
    parts = urlsplit(proxy or "")
    if not parts.password:
        return ()
    user, password = unquote(parts.username or ""), unquote(parts.password)
    header = base64.b64encode(f"{user}:{password}".encode()).decode()
    return tuple(sorted({header, header.rstrip("="), parts.password, *_spellings(password)}, key=len, reverse=True))
