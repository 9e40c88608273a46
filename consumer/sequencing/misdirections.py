"""Whether a 401, 403, 404 or the like is about the key or the URL, or about one user's payload alone. Pure.

A wrong key must not spend the topic; a firewall's rule that dislikes one payload must not stop everybody. It is the
destination's when

    three different users got it, with no 2xx to a request that was sent after the first of them, or
    no other lane has anything to send, and two answers in a row are of this kind

A request that was sent before says nothing: the key may have been revoked since.
"""

from __future__ import annotations

from typing import Final

from consumer.sequencing.events import User

MISDIRECTED_USERS_MAX: Final = 3
MISDIRECTED_PROBES_MAX: Final = 2


class Misdirections:
    """The 401s and the like since the last sign that key and URL are right."""

    def __init__(self) -> None:
        self._users: set[User] = set()
        self._first_at: float | None = None
        self._in_a_row = 0

    @property
    def has_any(self) -> bool:
        """Whether there is one."""
        return self._first_at is not None

    def note(self, user: User, now: float, *, others_wait: bool) -> bool:
        """Note one more. True: by now it is about the destination.

        `others_wait`: another lane has something to send.
        """
        if self._first_at is None:
            self._first_at = now
        if len(self._users) < MISDIRECTED_USERS_MAX:
            self._users.add(user)
        self._in_a_row = 0 if others_wait else self._in_a_row + 1
        return len(self._users) >= MISDIRECTED_USERS_MAX or self._in_a_row >= MISDIRECTED_PROBES_MAX

    def interrupted(self) -> None:
        """An answer of another kind, which says nothing about the key."""
        self._in_a_row = 0

    def accepted(self, sent_at: float) -> bool:
        """A request that was sent then was accepted. True: this shows that key and URL are right now."""
        if self._first_at is None:
            return True
        if sent_at < self._first_at:
            return False
        self.reset()
        return True

    def reset(self) -> None:
        """Forget everything, as at the start."""
        self._first_at = None
        self._in_a_row = 0
        self._users.clear()
