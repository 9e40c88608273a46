"""Which connections have something to read. Asks the kernel, before the event loop has had a turn to read it.

One question for all of them, not one for each request: each question lets another thread have the interpreter, and the
wait to get it back cost 5 microseconds a request.
"""

from __future__ import annotations

import selectors
from collections.abc import Iterator
from typing import Generic, TypeVar

C = TypeVar("C")


class UnreadSockets(Generic[C]):
    """Sockets, and the connections that they belong to."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._is_closed = False

    def add(self, descriptor: int, connection: C) -> None:
        """A connection is open."""
        if self._is_closed:
            return
        if descriptor in self._selector.get_map():  # an earlier connection's, whose end has not been reported yet
            self._selector.unregister(descriptor)
        self._selector.register(descriptor, selectors.EVENT_READ, connection)

    def remove(self, descriptor: int, connection: C) -> None:
        """It has ended, and its number may be another's by now. TLS reports an end only after everything is closed."""
        if self._is_closed or descriptor < 0:
            return
        key = self._selector.get_map().get(descriptor)
        if key is not None and key.data is connection:
            self._selector.unregister(descriptor)

    def look(self) -> Iterator[C]:
        """The connections with something to read, or at their end."""
        return (key.data for key, _ in self._selector.select(0))

    def close(self) -> None:
        """Look no more."""
        self._is_closed = True
        self._selector.close()
