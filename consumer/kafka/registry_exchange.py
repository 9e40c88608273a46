"""Asks the schema registry one question: through the environment's proxy, with one deadline and a limited answer.

httpx has time limits only for each part of an exchange, so a server that sends a byte now and then would never be given
up. Whatever goes wrong is `NoReply`, and the records that need the answer wait.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self
from urllib.parse import urlsplit

import httpx
import msgspec

from consumer.customfit.proxies import proxy_for
from consumer.ports.daemon import in_daemon_thread

if TYPE_CHECKING:
    from consumer.settings.secret import Secret

TIMEOUT_SECONDS: Final = 10.0
REPLY_BYTES_MAX: Final = 1_048_576
HEADERS: Final = {
    "Accept": "application/json, */*",
    "Accept-Encoding": "identity",
    "Content-Type": "application/json",
}
"""The answer is to be uncompressed, and is never decompressed: httpx 0.28 decompresses each piece whole, so that 64 KiB
of zeros become 64 MiB."""


class NoReply(Exception):
    """There is no usable answer: ask again."""


class Reply(NamedTuple):
    """An answer."""

    status: int
    answer: object
    """What its JSON says; None if it is no JSON, or too large."""
    packing: str
    """Its Content-Encoding, mostly empty, since it was asked to have none."""
    is_too_large: bool
    """It has more than REPLY_BYTES_MAX bytes."""


class Exchange:
    """An HTTP client for one thread; a context manager."""

    def __init__(self, url: str, user_info: Secret | None, environ: Mapping[str, str] = os.environ) -> None:
        """Raises EngineUnavailable for a proxy that can't be used, as the destination does."""
        logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs each URL
        self._url = url
        # With our own transport httpx does not read the proxy variables, which it understands otherwise than we do.
        transport = httpx.AsyncHTTPTransport(proxy=proxy_for(urlsplit(url), environ))
        self._client = httpx.AsyncClient(transport=transport, auth=_auth(user_info), timeout=None)  # noqa: S113  _asked has one
        self._runner = asyncio.Runner(loop_factory=_Loop)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, _type: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        """Close the connections."""
        try:
            self._runner.run(self._client.aclose())
        finally:
            self._runner.close()

    def log_in(self, user_info: Secret | None) -> None:
        """Use this user and password from now on."""
        self._client.auth = _auth(user_info)

    def ask(self, method: str, path: str, body: bytes | None = None) -> Reply:
        """Ask one question. `path` comes after the registry's URL. Raises NoReply."""
        try:
            return self._runner.run(self._asked(method, f"{self._url}{path}", body))
        except TimeoutError:
            raise NoReply(f"no whole answer within {TIMEOUT_SECONDS:g} s") from None
        except Exception as error:  # noqa: BLE001  httpx lets through what codecs, resolvers and TLS raise
            raise NoReply(f"no answer: {_told(error)}") from None

    async def _asked(self, method: str, url: str, body: bytes | None) -> Reply:
        received = b""
        async with (
            asyncio.timeout(TIMEOUT_SECONDS),
            self._client.stream(method, url, content=body, headers=HEADERS) as response,
        ):
            async for part in response.aiter_raw():
                received += part
                if len(received) > REPLY_BYTES_MAX:
                    break
        is_too_large = len(received) > REPLY_BYTES_MAX
        try:
            answer = None if is_too_large else msgspec.json.decode(received)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            answer = None
        packing = response.headers.get("Content-Encoding", "")
        return Reply(response.status_code, answer, "" if packing.lower() == "identity" else packing, is_too_large)


class _Loop(asyncio.SelectorEventLoop):
    """Looks names up in daemon threads: at its end, the process would wait for those of asyncio's executor."""

    async def getaddrinfo(self, host: Any, port: Any, **how: Any) -> Any:
        """Look a name up, as the system does."""
        return await in_daemon_thread("registry-name", lambda: socket.getaddrinfo(host, port, **how))


def _auth(user_info: Secret | None) -> httpx.Auth:
    user, _, password = user_info.reveal().partition(":") if user_info else ("", "", "")
    return httpx.BasicAuth(user, password) if user_info else httpx.Auth()


def _told(error: Exception) -> str:
    untrusted = "; does SSL_CERT_FILE name a file with its authority?" if "CERTIFICATE_VERIFY" in str(error) else ""
    return f"{type(error).__name__} {error}{untrusted}"
