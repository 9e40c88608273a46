"""Small servers on 127.0.0.1 that do to a connection whatever a test wants, well-formed HTTP or not."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
import struct
import subprocess
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Self

from tests.real_broker.broker import free_ports


class Request(NamedTuple):
    line: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    connection: int
    """The how manieth connection it came on, from 1."""


@dataclass
class Connection:
    """One accepted connection, in the hands of a behaviour."""

    number: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    requests: list[Request] = field(repr=False)

    async def request(self) -> Request:
        """Read one whole request; raises IncompleteReadError when the client has closed."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, *fields = head.rstrip("\r\n").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (text.partition(":") for text in fields)}
        body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        request = Request(line, headers, body, self.number)
        self.requests.append(request)
        return request

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, status: int = 200, body: bytes = b"", *headers: str) -> None:
        fields = "".join(f"{field}\r\n" for field in (f"Content-Length: {len(body)}", *headers))
        await self.send(f"HTTP/1.1 {status} Reason\r\n{fields}\r\n".encode() + body)

    async def until_closed(self) -> None:
        """Wait for the client to close, or to break, the connection."""
        try:
            while await self.reader.read(65536):
                pass
        except ConnectionError:
            return

    def reset(self) -> None:
        """Break the connection with a RST instead of a FIN."""
        linger_zero = struct.pack("ii", 1, 0)
        if (opened := self.writer.get_extra_info("socket")) is not None:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_zero)
        self.writer.transport.abort()


Behaviour = Callable[[Connection], Awaitable[None]]


class RawServer:
    """Gives each connection to `behaviour` and closes it when that returns; keeps what was asked."""

    def __init__(self, behaviour: Behaviour, tls: ssl.SSLContext | None = None) -> None:
        self.behaviour = behaviour
        self.requests: list[Request] = []
        self.connections = 0
        self.closed = asyncio.Condition()
        self.closed_count = 0
        self._tls = tls
        self._tasks: set[asyncio.Task[None]] = set()
        self._transports: list[asyncio.WriteTransport] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", 0, backlog=512)
        self.port: int = self._server.sockets[0].getsockname()[1]
        self.url = f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}/v1/cfe"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for transport in self._transports:
            transport.abort()  # one that still waits for the other side of TLS to close
        await asyncio.sleep(0)
        await self._server.wait_closed()

    async def connections_closed(self, count: int) -> None:
        """Wait until that many connections have ended."""
        async with self.closed:
            await self.closed.wait_for(lambda: self.closed_count >= count)

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._transports.append(writer.transport)
        task = asyncio.create_task(self._serve(Connection(self.connections, reader, writer, self.requests)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, connection: Connection) -> None:
        try:
            if self._tls is not None:
                await connection.writer.start_tls(self._tls)
            await self.behaviour(connection)
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass  # the client closed first
        finally:
            connection.writer.close()
            async with self.closed:
                self.closed_count += 1
                self.closed.notify_all()


def answering(status: int = 200, body: bytes = b"", *headers: str) -> Behaviour:
    """Answer every request of a connection alike."""

    async def behave(connection: Connection) -> None:
        while True:
            await connection.request()
            await connection.answer(status, body, *headers)

    return behave


def sending(data: bytes) -> Behaviour:
    """Send these bytes after the first request, then close."""

    async def behave(connection: Connection) -> None:
        await connection.request()
        await connection.send(data)

    return behave


def stalling(data: bytes = b"") -> Behaviour:
    """Send these bytes after the first request, and then nothing."""

    async def behave(connection: Connection) -> None:
        await connection.request()
        await connection.send(data)
        await connection.until_closed()

    return behave


def endless(head: bytes, piece: bytes) -> Behaviour:
    """Send `head`, then `piece` until the client has had enough."""

    async def behave(connection: Connection) -> None:
        await connection.request()
        await connection.send(head)
        while True:
            await connection.send(piece)

    return behave


async def tunnelling(connection: Connection) -> None:
    """Be a proxy: connect to where CONNECT says, and pass on what comes from either side."""
    request = await connection.request()
    host, port = request.line.split()[1].split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    await connection.send(b"HTTP/1.1 200 Connected\r\n\r\n")

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
        finally:
            sink.close()

    await asyncio.gather(pump(connection.reader, writer), pump(reader, connection.writer))


def closed_port() -> int:
    """A port on 127.0.0.1 on which nothing listens; none that the kernel gives to a client's socket meanwhile."""
    [port] = free_ports(1)
    return port


class TlsFiles(NamedTuple):
    ca: Path
    context: ssl.SSLContext
    """A server's, with a certificate for 127.0.0.1 from that CA."""


def make_tls(folder: Path) -> TlsFiles | None:
    """A CA of our own and a server's certificate from it, made by `openssl`; None where there is no such command."""
    if shutil.which("openssl") is None:
        return None
    ca, ca_key, certificate, key = (folder / name for name in ("ca.pem", "ca.key", "server.pem", "server.key"))
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    critical_ca = ["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign"]
    _openssl("req", "-x509", *new_key, "-subj", "/CN=Own CA", "-keyout", ca_key, "-out", ca, *critical_ca)
    request = folder / "server.csr"
    _openssl("req", *new_key[:-2], "-subj", "/CN=127.0.0.1", "-keyout", key, "-out", request)
    extensions = folder / "extensions"
    extensions.write_text(
        "subjectAltName=IP:127.0.0.1\nbasicConstraints=critical,CA:FALSE\nextendedKeyUsage=serverAuth\n"
        "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n",
        encoding="ascii",
    )
    signed_by: list[str | Path] = ["-CA", ca, "-CAkey", ca_key, "-CAcreateserial", "-days", "2", "-extfile", extensions]
    _openssl("x509", "-req", "-in", request, "-out", certificate, *signed_by)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return TlsFiles(ca, context)


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=30)
