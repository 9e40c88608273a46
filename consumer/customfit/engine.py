"""What an HTTP engine is: one POST, one answer.

Each engine is a file of its own. With each: no redirect is followed, nothing is sent a second time, TLS is verified, no
compressed answer is asked for or unpacked, and what comes back is bounded in size and in time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from consumer.customfit.answers import Answer
from consumer.customfit.forwarding import Forwarded

Then = Callable[[Answer | Exception], None]
"""Gets the result of a request, once, in the loop's thread. An exception in it is a bug of this program.

It is a callback and no future: a future would cost thousands of requests a second each an object, and a turn of the
event loop.
"""

ANSWER_BYTES_MAX: Final = 64 * 1024
"""Most bytes that are read of an answer. The connection of a longer one is closed, not drained."""
IDLE_SECONDS_MAX: Final = 30.0
"""A connection that was idle for longer is not used again.

Servers commonly close after 60 s (load balancers) or 75 (nginx).
"""
CLOSED: Final = "the client is closed"
TOO_EARLY: Final = "the answer came before all of the request was sent"


class Engine(Protocol):
    """An HTTP client for one URL."""

    name: str

    def post(self, body: bytes, then: Then, headers: Forwarded | None = None) -> None:
        """Send JSON once. The caller keeps to `in_flight_max` at once: nothing queues in here.

        `then` may be called before this returns. `headers` are sent beside ours, as forwarding.py has made them.
        """

    async def close(self) -> None:
        """Close all connections. Each request in flight gets a NoAnswer, and so does every later `post`."""


def answer_to(engine: Engine, body: bytes, headers: Forwarded | None = None) -> asyncio.Future[Answer]:
    """The same for code that awaits the answer. Cancelling the wait does not stop the request."""
    future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

    def then(answer: Answer | Exception) -> None:
        if future.done():
            return
        if isinstance(answer, Exception):
            future.set_exception(answer)
        else:
            future.set_result(answer)

    engine.post(body, then, headers)
    return future


class EngineUnavailable(Exception):
    """The HTTP engine cannot be opened. The message names the setting and says what to do."""
