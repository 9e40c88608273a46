"""Users known to be identified, as many as fit: saves asking the stored state for whoever comes often. Pure."""

from __future__ import annotations

from consumer.events import User


class KnownUsers:
    """The most recently added ones, `users_max` at least and twice as many at the most; with 0 none."""

    def __init__(self, users_max: int) -> None:
        self._users_max = users_max
        self._recent: set[User] = set()
        self._earlier: set[User] = set()

    def add(self, user: User) -> None:
        """An identify of the user is accepted and stored, or on its way to be."""
        if not self._users_max:
            return
        if len(self._recent) >= self._users_max:
            self._earlier, self._recent = self._recent, set()
        self._recent.add(user)

    def discard(self, user: User) -> None:
        """The user is forgotten."""
        self._recent.discard(user)
        self._earlier.discard(user)

    def __contains__(self, user: User) -> bool:
        return user in self._recent or user in self._earlier
