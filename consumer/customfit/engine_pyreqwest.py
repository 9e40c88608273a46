"""The fast engine: pyreqwest 0.15 (Rust: reqwest 0.13, hyper 1, rustls). Installed with the extra `fast`.

Known of it, and pinned by the contract test:
- It says ConnectError also when a connection broke after the request went out; only the causes tell which.
- hyper sends a request a second time only if the connection closed before any byte of it was written.
- Cancelling gives up the wait, not the request: it goes on in the background until it is answered or times out.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import BuilderError, DetailedPyreqwestError, NetworkError, RequestError, RequestTimeoutError
from pyreqwest.http import Url
from pyreqwest.proxy import ProxyBuilder
from pyreqwest.response import Response

from consumer.customfit.answers import Answer
from consumer.customfit.target import ANSWER_BYTES_MAX, IDLE_SECONDS_MAX, EngineUnavailable, Target

CONNECTING: Final = "client error (Connect)"
"""How hyper-util names its phase from name resolution to the TLS handshake."""


class PyreqwestEngine:
    """One reqwest client with its own pool, on a thread of its own."""

    name = "pyreqwest"

    def __init__(self, target: Target) -> None:
        self._target = target
        try:
            self._url = Url(target.url)
        except ValueError as error:
            raise EngineUnavailable(f"CUSTOMFIT_API_URL: {error}") from None
        try:
            self._client: Client | None = _client(target)
        except BuilderError as error:
            raise EngineUnavailable(
                f"pyreqwest cannot start: {'; '.join(_causes(error))}; if it misses certificates, install the package"
                " ca-certificates or set SSL_CERT_FILE; CUSTOMFIT_HTTP_ENGINE=httpx does without it"
            ) from None

    def __repr__(self) -> str:
        return f"<PyreqwestEngine {self._target.shown_url}>"

    async def post(self, body: bytes) -> Answer:
        """Send JSON once and read the beginning of the answer."""
        target = self._target
        if self._client is None:
            return target.no_answer("protocol_error", ["the client is closed"])
        request = self._client.post(self._url).body_bytes(body).build_streamed()
        try:
            async with request as response:
                return target.answered(response.status, _retry_after(response), await _beginning(response))
        except RequestTimeoutError as error:
            return target.timed_out(connecting=CONNECTING in _causes(error))
        except RequestError as error:
            causes = _causes(error)
            connecting = isinstance(error, NetworkError) and CONNECTING in causes
            return target.no_answer("connect_error" if connecting else "protocol_error", causes or [error.message])

    async def close(self) -> None:
        """Close all connections; a request in flight gets a NoAnswer."""
        client, self._client = self._client, None  # idle connections are closed when the client is freed, not before
        if client is not None:
            await client.close()


def _client(target: Target) -> Client:
    builder = (
        ClientBuilder()
        .http1_only()
        .follow_redirects(False)
        .referer(False)
        .gzip(False)
        .brotli(False)
        .zstd(False)
        .deflate(False)
        .default_headers(target.headers)
        .timeout(timedelta(seconds=target.timeout_seconds))
        .connect_timeout(timedelta(seconds=target.connect_timeout_seconds))
        .pool_idle_timeout(timedelta(seconds=IDLE_SECONDS_MAX))
        .pool_max_idle_per_host(target.connections_max)
        .tcp_nodelay(True)
        .tcp_keepalive(timedelta(seconds=IDLE_SECONDS_MAX))
        .no_proxy()  # what it would read from the environment by itself
    )
    if target.proxy is not None:
        builder = builder.proxy(ProxyBuilder.all(target.proxy))
    for certificate in target.ca_certificates:
        builder = builder.add_root_certificate_der(certificate)
    return builder.build()


def _retry_after(response: Response) -> str | None:
    try:
        return response.get_header("retry-after")
    except ValueError:  # bytes that are no ASCII text, and so no date or number
        return None


async def _beginning(response: Response) -> bytes:
    if _is_short(response):
        return bytes(await response.body_reader.bytes())
    beginning = b""
    while len(beginning) < ANSWER_BYTES_MAX:
        chunk = await response.body_reader.read(ANSWER_BYTES_MAX - len(beginning))
        if chunk is None:
            break
        beginning += bytes(chunk)
    return beginning


def _is_short(response: Response) -> bool:
    """Whether all of the body can be read in one step, which takes a fifth less CPU time per request."""
    length = response.headers.get("content-length", "")
    chunked = "transfer-encoding" in response.headers  # then a length means nothing
    return not chunked and length.isdigit() and int(length) <= ANSWER_BYTES_MAX


def _causes(error: DetailedPyreqwestError) -> list[str]:
    return [cause["message"] for cause in error.details["causes"] or ()]
