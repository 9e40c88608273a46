"""The way through an HTTP proxy to an https server: CONNECT, and TLS with the server inside of it (RFC 9110, 9.3.6)."""

from __future__ import annotations

import asyncio
import re
from typing import Final, TypeVar

from consumer.customfit.dialling import Dialled, Peer

TUNNEL_HEAD_BYTES_MAX: Final = 16 * 1024
SILENT: Final = "the proxy closed the connection instead of answering CONNECT"
ENDED: Final = "the proxy closed the tunnel that it had opened"
_HEAD_ENDS: Final = b"\r\n\r\n"
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: ([^\r\n]*))?")

P = TypeVar("P", bound=Dialled)


class ProxyRefused(OSError):
    """The proxy opens no tunnel; nothing is known of the server behind it."""


def connect_request(peer: Peer, headers: tuple[str, ...]) -> bytes:
    """What asks a proxy for a tunnel to `peer`."""
    host = f"[{peer.host}]" if ":" in peer.host else peer.host
    authority = f"{host}:{peer.port}"
    return "\r\n".join([f"CONNECT {authority} HTTP/1.1", f"Host: {authority}", *headers, "", ""]).encode()


class Tunnel(Dialled):
    """A connection to a proxy that is asked for a tunnel. Then `enter` gives it to another protocol."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._received = b""
        self._received_bytes = 0
        self._opened: asyncio.Future[str] | None = None
        """Its result is what is wrong with the tunnel; None: it is open."""

    async def enter(self, peer: Peer, protocol: P) -> P:
        """Wait for the tunnel, start TLS with the server at its other end, and give the connection to `protocol`.

        If it raises OSError or is cancelled, the connection is closed.
        """
        try:
            await self._open()
            inner = await self._start_tls(peer, protocol)
        except BaseException:
            self.transport.abort()
            raise
        protocol.connection_made(inner)
        return protocol

    async def _open(self) -> None:
        self._opened = asyncio.get_running_loop().create_future()
        self.transport.write(self._request)
        problem = SILENT if self.transport.is_closing() else await self._opened
        if problem or self.transport.is_closing():  # it began to close in this very turn: TLS would wait in vain
            raise ProxyRefused(problem or ENDED)

    async def _start_tls(self, peer: Peer, protocol: P) -> asyncio.Transport:
        assert peer.tls is not None, "what needs no TLS needs no tunnel"
        loop = asyncio.get_running_loop()
        transport = await loop.start_tls(self.transport, protocol, peer.tls, server_hostname=peer.host)
        if transport is None:
            raise ProxyRefused(ENDED)
        return transport

    def data_received(self, data: bytes) -> None:
        """Read the answer to CONNECT. A server with TLS says nothing before it is spoken to."""
        self._received += data
        self._received_bytes += len(data)
        while self._is_asked() and (end := self._received.find(_HEAD_ENDS)) >= 0:
            head, self._received = self._received[:end], self._received[end + len(_HEAD_ENDS) :]
            self._judge(head.partition(b"\r\n")[0])
        if not self._is_asked() and self._received:
            self._settle("the proxy says more than it was asked for")
        elif self._is_asked() and self._received_bytes > TUNNEL_HEAD_BYTES_MAX:
            self._settle(f"the proxy's answer to CONNECT has more than {TUNNEL_HEAD_BYTES_MAX} bytes")

    def connection_lost(self, exc: Exception | None) -> None:
        """The proxy has ended it."""
        self._settle(str(exc or SILENT))

    def _is_asked(self) -> bool:
        return self._opened is not None and not self._opened.done()

    def _judge(self, status_line: bytes) -> None:
        """A 2xx opens the tunnel, whatever its headers say of a body. A 1xx only precedes the answer."""
        match = _STATUS_LINE.fullmatch(status_line)
        if match is None:
            self._settle("the proxy's answer to CONNECT is not HTTP")
        elif match[1].startswith(b"2"):
            self._settle("")
        elif not match[1].startswith(b"1"):
            reason = (match[2] or b"").decode("latin-1")
            self._settle(f"the proxy answered {match[1].decode()} {reason}".rstrip() + " to CONNECT")

    def _settle(self, problem: str) -> None:
        if problem:
            self.transport.abort()
        if self._opened is not None and not self._opened.done():
            self._opened.set_result(problem)
