"""Opens a TCP connection to a name. Its addresses are tried in order, the next one while the one before is silent."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple, TypeVar, cast
from urllib.parse import urlsplit

NEXT_ADDRESS_SECONDS: Final = 0.25
"""If an address has not answered for this long, the name's next one is tried beside it (RFC 8305)."""


class Peer(NamedTuple):
    """The other end of a TCP connection."""

    host: str
    port: int
    tls: ssl.SSLContext | None
    """Which certificates to trust there; None: no TLS."""


def peer_of(url: str, tls: ssl.SSLContext | None) -> Peer:
    """The server of a URL. `tls` is asked for only with https. Raises ValueError."""
    parts = urlsplit(url)
    is_tls = parts.scheme == "https"
    return Peer(parts.hostname or "", parts.port or (443 if is_tls else 80), tls if is_tls else None)


class Dialled(asyncio.Protocol):
    """A protocol that keeps its transport."""

    transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is open, TLS included."""
        self.transport = cast("asyncio.Transport", transport)


D = TypeVar("D", bound=Dialled)


async def dial(peer: Peer, protocol: Callable[[], D]) -> D:
    """A connection, TLS included, to the first address that gives one.

    If none does, raises the last address's error.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(peer.host, peer.port, type=socket.SOCK_STREAM)
    addresses = deque(dict.fromkeys(str(where[0]) for *_, where in found))
    attempts: set[asyncio.Task[D]] = set()
    error: BaseException = OSError("the name has no address")
    try:
        while addresses or attempts:
            if addresses:
                attempts.add(loop.create_task(_connect(addresses.popleft(), peer, protocol)))
            wait_seconds = NEXT_ADDRESS_SECONDS if addresses else None
            done, _ = await asyncio.wait(attempts, timeout=wait_seconds, return_when=asyncio.FIRST_COMPLETED)
            for attempt in done:
                attempts.discard(attempt)
                if (problem := attempt.exception()) is None:
                    return attempt.result()
                error = problem
        raise error
    finally:
        for attempt in attempts:
            attempt.cancel()
            attempt.add_done_callback(_close_late)


async def _connect(address: str, peer: Peer, protocol: Callable[[], D]) -> D:
    _, connected = await asyncio.get_running_loop().create_connection(
        protocol, address, peer.port, ssl=peer.tls, server_hostname=peer.host if peer.tls is not None else None
    )
    return connected


def _close_late(attempt: asyncio.Task[D]) -> None:
    """Close a connection that was made all the same: another one was faster, or it was too late."""
    if not attempt.cancelled() and attempt.exception() is None:
        attempt.result().transport.abort()
