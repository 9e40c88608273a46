"""A proxy in front of a broker that holds back the first answer to requests of one kind, as a busy broker does.

It reads as much of Kafka's protocol as that takes: a length, and the kind and number that each request begins with.
"""

from __future__ import annotations

import asyncio
import struct
from collections import deque
from typing import Final

from tests.chaos.proxy import Proxy

LIST_OFFSETS: Final = 2
METADATA: Final = 3
OFFSET_COMMIT: Final = 8
OFFSET_FETCH: Final = 9
CREATE_TOPICS: Final = 19
DESCRIBE_CONFIGS: Final = 32
_HEAD: Final = struct.Struct(">iHHi")
"""Length, kind, version, number; an answer has the length and the number."""


class SlowAnswers(Proxy):
    """Holds the first answer to each of `kinds`, on whichever connection, for so many seconds."""

    def __init__(self, port: int, upstream_port: int, kinds: frozenset[int], seconds: float) -> None:
        super().__init__(port, upstream_port)
        self._kinds = set(kinds)
        self._seconds = seconds
        self._asked: dict[asyncio.Task[None], deque[bool]] = {}
        """Of each connection, in the order of its requests: whether the answer is to be held."""
        self.held = 0

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, task: asyncio.Task[None], *, answers: bool
    ) -> None:
        asked = self._asked.setdefault(task, deque())
        while True:
            try:
                length = await reader.readexactly(4)
                body = await reader.readexactly(int.from_bytes(length))
            except asyncio.IncompleteReadError:
                break
            if not answers:
                asked.append(self._is_to_be_held(length + body))
            elif asked.popleft():
                self.held += 1
                await asyncio.sleep(self._seconds)
            writer.write(length + body)
            await writer.drain()
        writer.write_eof()

    def _is_to_be_held(self, request: bytes) -> bool:
        _, kind, _, _ = _HEAD.unpack_from(request)
        if kind not in self._kinds:
            return False
        self._kinds.discard(kind)
        return True
