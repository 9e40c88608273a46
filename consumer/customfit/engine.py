"""What an HTTP engine is: one POST, one answer.

Each engine is a file of its own. With each: no redirect is followed, nothing is sent a second time, TLS is verified, no
compressed answer is asked for or unpacked, and what comes back is bounded in size and in time.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Final, Protocol

from consumer.customfit.answers import Answer

ANSWER_BYTES_MAX: Final = 64 * 1024
"""Most that is read of an answer; the connection of a longer one is closed, not drained."""
IDLE_SECONDS_MAX: Final = 30.0
"""A connection idle for longer is not used again; servers commonly close at 60 (load balancers) or 75 (nginx)."""
CLOSED: Final = "the client is closed"


class Engine(Protocol):
    """An HTTP client for one URL."""

    name: str

    def post(self, body: bytes) -> Awaitable[Answer]:
        """Send JSON once. The caller keeps to `in_flight_max` at once: nothing queues in here."""

    async def close(self) -> None:
        """Close all connections; whatever is in flight gets a NoAnswer, and so does every later `post`."""


class EngineUnavailable(Exception):
    """The HTTP engine cannot be opened. The message names the setting and says what to do."""
