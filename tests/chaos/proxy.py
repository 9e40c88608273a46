"""A TCP proxy on 127.0.0.1 that fails as told: between a member and a broker, or a member and the emulator."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Coroutine
from enum import Enum
from typing import Any, Final, Self

CHUNK_BYTES: Final = 16_384
SLOW_SECONDS: Final = 0.15
SLOW_BYTES_PER_SECOND: Final = 200_000
CONNECT_SECONDS: Final = 5.0


class Network(Enum):
    """What the proxy does."""

    PASS = "pass"
    CUT = "cut"
    """All connections are closed, new ones refused."""
    RESET = "reset"
    """All connections are reset, new ones too as soon as they say something."""
    STALL = "stall"
    """Nothing goes either way; what was sent arrives when this is over."""
    SLOW = "slow"
    """Every chunk late, and few bytes a second."""
    MUTE = "mute"
    """Half open: what the client sends arrives, what the server answers does not, ever."""


class Proxy:
    """One listening port in front of one upstream port; lives in the loop of its `Proxies`."""

    def __init__(self, port: int, upstream_port: int) -> None:
        self.port = port
        self._upstream_port = upstream_port
        self._network = Network.PASS
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.Task[None], list[asyncio.StreamWriter]] = {}
        self._muted: set[asyncio.Task[None]] = set()
        """Connections that have lost bytes: they can't be used when the fault is over."""

    async def listen(self) -> None:
        """Accept connections."""
        if self._server is None:
            self._server = await asyncio.start_server(self._accepted, "127.0.0.1", self.port)

    async def change(self, network: Network) -> None:
        """Do this from now on."""
        self._network = network
        for task in list(self._muted):
            self._end(task, reset=True)
        if network in (Network.CUT, Network.RESET):
            for task in list(self._connections):
                self._end(task, reset=network is Network.RESET)
        if network is Network.STALL:
            self._flowing.clear()
        else:
            self._flowing.set()
        if network is Network.CUT:
            await self.close()
        else:
            await self.listen()

    async def close(self) -> None:
        """Listen no longer."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def end_all(self) -> None:
        """End every connection."""
        for task in list(self._connections):
            self._end(task, reset=False)

    def _end(self, task: asyncio.Task[None], *, reset: bool) -> None:
        self._muted.discard(task)
        for writer in self._connections.get(task, ()):
            if reset:
                linger = struct.pack("ii", 1, 0)
                with contextlib.suppress(OSError):
                    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort() if reset else writer.close()
        task.cancel()

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        with contextlib.suppress(asyncio.CancelledError):  # by _end; asyncio would print it
            await self._connect(reader, writer, task)

    async def _connect(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, task: asyncio.Task[None]
    ) -> None:
        writers = self._connections[task] = [writer]
        try:
            connecting = asyncio.open_connection("127.0.0.1", self._upstream_port)
            there, upstream = await asyncio.wait_for(connecting, CONNECT_SECONDS)
            writers.append(upstream)
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(self._pump(reader, upstream, task, answers=False))
                pumps.create_task(self._pump(there, writer, task, answers=True))
        except* OSError:
            pass  # one side is gone, so the other goes too
        finally:
            del self._connections[task]
            self._muted.discard(task)
            for one in writers:
                one.close()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, task: asyncio.Task[None], *, answers: bool
    ) -> None:
        while data := await reader.read(CHUNK_BYTES):
            await self._flowing.wait()
            match self._network:
                case Network.RESET:
                    self._end(task, reset=True)
                    return
                case Network.MUTE if answers:
                    self._muted.add(task)
                    continue
                case Network.SLOW:
                    await asyncio.sleep(SLOW_SECONDS + len(data) / SLOW_BYTES_PER_SECOND)
            writer.write(data)
            await writer.drain()
        await self._flowing.wait()
        with contextlib.suppress(OSError):
            writer.write_eof()


class Proxies:
    """All proxies of a run, in a thread with a loop of its own; may be told what to do from any thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxies", daemon=True)
        self._proxies: list[Proxy] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        for proxy in self._proxies:
            self._do(proxy.close())
        self._do(self._end_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def open(self, port: int, upstream_port: int) -> Proxy:
        """Listen at `port` and pass on to `upstream_port`, which may not be there yet."""
        proxy = Proxy(port, upstream_port)
        self.add(proxy)
        return proxy

    def add(self, proxy: Proxy) -> None:
        """Let a proxy of any kind listen."""
        self._do(proxy.listen())
        self._proxies.append(proxy)

    def change(self, proxy: Proxy, network: Network) -> None:
        """Do this from now on."""
        self._do(proxy.change(network))

    async def _end_all(self) -> None:
        for proxy in self._proxies:
            proxy.end_all()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _do(self, what: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(what, self._loop).result(10)
