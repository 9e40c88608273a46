"""Which connections have something to be read, as the kernel knows it, before the event loop has had a turn to read it.

One question for all of them, and not one for each request: each lets another thread have the interpreter, and waits to
get it back, which cost 5 microseconds a request.
"""

from __future__ import annotations

import selectors
from collections.abc import Iterator
from typing import Generic, TypeVar

C = TypeVar("C")


class Unread(Generic[C]):
    """Sockets, and the connections that they are of."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._is_closed = False

    def add(self, descriptor: int, connection: C) -> None:
        """A connection is open."""
        if self._is_closed:
            return
        if descriptor in self._selector.get_map():  # an earlier one's, whose end has not been told yet
            self._selector.unregister(descriptor)
        self._selector.register(descriptor, selectors.EVENT_READ, connection)

    def remove(self, descriptor: int, connection: C) -> None:
        """It has ended; the number may be another's by now. TLS tells of an end after all is closed."""
        if self._is_closed or descriptor < 0:
            return
        key = self._selector.get_map().get(descriptor)
        if key is not None and key.data is connection:
            self._selector.unregister(descriptor)

    def look(self) -> Iterator[C]:
        """Those with something to be read, or at their end."""
        return (key.data for key, _ in self._selector.select(0))

    def close(self) -> None:
        """Look no more."""
        self._is_closed = True
        self._selector.close()
