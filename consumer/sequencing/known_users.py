"""Users who are known to be identified, as many as fit. This saves asking the stored state about them again. Pure."""

from __future__ import annotations

from typing import Final

from consumer.sequencing.events import User

ID_CHARS_MAX: Final = 64
"""A longer id is not kept: a million of them might take gigabytes. Its user is looked up each time."""


class KnownUsers:
    """The known users of one partition. With the others of `pool` they are at most `users_max`."""

    def __init__(self, pool: Pool | None = None) -> None:
        """Without a pool no user stays known."""
        self._pool = pool
        self._keys: set[str | User] = set()
        if pool is not None:
            pool.members.append(self)

    def add(self, user: User) -> None:
        """An identify of the user was accepted and stored, or is about to be stored."""
        key = _key(user)
        if self._pool is None or key in self._keys or not self._pool.users_max or len(user.id) > ID_CHARS_MAX:
            return
        if self._pool.users >= self._pool.users_max:
            self._pool.who_makes_room_for(self).pop()
        self._keys.add(key)
        self._pool.users += 1

    def discard(self, user: User) -> None:
        """The user is forgotten."""
        key = _key(user)
        if self._pool is not None and key in self._keys:
            self._keys.discard(key)
            self._pool.users -= 1

    def pop(self) -> None:
        """Make room for one more: drop one user, who will be looked up again. Must not be empty."""
        assert self._pool is not None
        self._keys.pop()
        self._pool.users -= 1

    def leave(self) -> None:
        """Keep nobody any longer; others may have the room."""
        if self._pool is not None:
            self._pool.members.remove(self)
            self._pool.users -= len(self._keys)
            self._pool = None
        self._keys.clear()

    def keys(self) -> list[str | User]:
        """All of them. A userId is the text alone."""
        return list(self._keys)

    def __contains__(self, user: User) -> bool:
        return (user if user.anonymous else user.id) in self._keys  # `_key`, which each event would call

    def __len__(self) -> int:
        return len(self._keys)


class Pool:
    """The room that all partitions share. A partition with more users may have more of it."""

    def __init__(self, users_max: int) -> None:
        self.users_max = users_max
        self.users = 0
        self.members: list[KnownUsers] = []

    def who_makes_room_for(self, member: KnownUsers) -> KnownUsers:
        """Who drops a user. A member below its share has the largest do so; otherwise itself, which needs no search."""
        has_its_share = len(member) * len(self.members) >= self.users_max
        return member if has_its_share else max(self.members, key=len)


def _key(user: User) -> str | User:
    """Nearly always the text alone: the value around it would be 40 % of what an entry takes (some 110 bytes)."""
    return user if user.anonymous else user.id
