"""Users known to be identified, as many as fit: saves asking the stored state for whoever comes again. Pure."""

from __future__ import annotations

from consumer.events import User


class KnownUsers:
    """At most `users_max` of those that were added; one more takes the place of any other."""

    def __init__(self, users_max: int) -> None:
        self._users_max = users_max
        self._keys: set[str | User] = set()

    def limit(self, users_max: int) -> None:
        """Keep so many at the most from now on."""
        self._users_max = users_max
        while len(self._keys) > users_max:
            self._keys.pop()

    def add(self, user: User) -> None:
        """An identify of the user is accepted and stored, or on its way to be."""
        self._keys.add(_key(user))
        if len(self._keys) > self._users_max:
            self._keys.pop()

    def discard(self, user: User) -> None:
        """The user is forgotten."""
        self._keys.discard(_key(user))

    def __contains__(self, user: User) -> bool:
        return _key(user) in self._keys

    def __len__(self) -> int:
        return len(self._keys)


def _key(user: User) -> str | User:
    """Of most, the text alone: the value around it would be 40 % of what an entry takes (some 110 bytes)."""
    return user if user.anonymous else user.id
