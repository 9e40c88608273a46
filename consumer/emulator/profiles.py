"""What is kept of each user, for the page that shows profiles and events: the newest, within three limits.

A request costs no more here than being put in its place. What it changed is worked out when somebody looks
(profile_view.py).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Final

import msgspec

from consumer.emulator.contents import Copies
from consumer.emulator.entry import Entry
from consumer.emulator.properties import merge, read

IDENTIFIES_MAX: Final = 100
"""Identifies kept of one user. What older ones said is in the properties, without the time."""
CONTENTS_BYTES_MAX: Final = 64 * 1024
"""A request with more traits or properties is kept without them: the page is no place to read them."""
PROFILE_BYTES: Final = 900
"""What a user costs beside the requests: measured with one request each."""
RECEIVED_BYTES: Final = 200
"""What a request costs beside its line and contents, which the ledger keeps for a while only."""

PROPERTY_BYTES: Final = 150
SETS_TRAITS: Final = b'"identify":"traits"'
"""In the line of an identify with properties. Inside a text these quotes would be escaped."""


class Limits(msgspec.Struct, frozen=True):
    """How much is kept."""

    users_max: int = 10_000
    """Above it, the user who has sent nothing for the longest time is forgotten. 0: nothing is kept, for load tests."""
    events_max: int = 500
    """Of one user. Above it, the oldest are dropped."""
    bytes_max: int = 64 * 1024 * 1024
    """Of all users together. Above it, a user is forgotten as for `users_max`."""


class Received(msgspec.Struct, frozen=True, gc=False):
    """One accepted request."""

    line: bytes
    """As the ledger has it."""
    contents: Copies | None
    """Traits or properties, one for each of its events; None: not kept."""
    timestamps: tuple[str, ...]
    """When each of its events happened; empty: not kept, or an identify of the sdk dialect."""
    events: int
    """How many events are in it; 0: it is an identify."""
    size_bytes: int

    def said(self) -> dict[str, bytes] | None:
        """The properties that an identify sets; None: not known."""
        if self.contents is None:
            return None if SETS_TRAITS in self.line else {}
        traits = self.contents[0]
        return {} if traits is None else read(traits)


class Profile(msgspec.Struct):
    """One user. A userId and an anonymousId with the same text are two users."""

    user_id: str
    anonymous: bool
    sequence: int = 0
    """The sequence number of the newest request."""
    identifies: list[Received] = []
    identifies_count: int = 0
    """All identifies that came, including those no longer kept."""
    events: list[Received] = []
    """Requests with tracks, pages and screens."""
    events_count: int = 0
    events_kept: int = 0
    earlier: dict[str, bytes] = {}
    """The properties that identifies set which are no longer kept."""
    earlier_lost: bool = False
    """Whether it is unknown what some of those said."""
    size_bytes: int = PROFILE_BYTES


class Profiles:
    """Users, the newest last. Not thread-safe: the ledger takes care of that."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._users_max = self.limits.users_max
        self._events_max = self.limits.events_max
        self._bytes_max = self.limits.bytes_max
        self.forgotten = 0
        """How often a user was forgotten to stay within the limits."""
        self.size_bytes = 0
        self._of: OrderedDict[tuple[str, bool], Profile] = OrderedDict()

    def __len__(self) -> int:
        return len(self._of)

    def newest(self) -> Iterator[Profile]:
        """All of them, the user with the latest request first."""
        return reversed(self._of.values())

    def of(self, user_id: str, *, anonymous: bool) -> Profile | None:
        """That of one user."""
        return self._of.get((user_id, anonymous))

    def keep(
        self, entry: Entry, line: bytes, contents: Copies | None, contents_bytes: int, timestamps: tuple[str, ...]
    ) -> None:
        """Add a request to its user. Every request comes by here, so whatever can wait is left for later."""
        if contents_bytes > CONTENTS_BYTES_MAX:
            contents, contents_bytes = None, 0
        size_bytes = RECEIVED_BYTES + len(line) + contents_bytes
        received = Received(line, contents, timestamps, 0 if entry.identify else len(entry.kinds), size_bytes)
        user = (entry.user_id, entry.anonymous)
        profile = self._of.get(user)
        if profile is None:
            profile = self._of[user] = Profile(entry.user_id, entry.anonymous)
            self.size_bytes += PROFILE_BYTES
        else:
            self._of.move_to_end(user)
        profile.sequence = entry.sequence
        if received.events:
            profile.events.append(received)
            profile.events_count += received.events
            profile.events_kept += received.events
            if profile.events_kept > self._events_max:
                self._shorten(profile)
        else:
            profile.identifies.append(received)
            profile.identifies_count += 1
            if len(profile.identifies) > IDENTIFIES_MAX:
                self._drop_identify(profile)
        profile.size_bytes += size_bytes
        self.size_bytes += size_bytes
        if self.size_bytes > self._bytes_max or len(self._of) > self._users_max:
            self._make_room()

    def clear(self) -> None:
        """Forget all."""
        self._of.clear()
        self.size_bytes = self.forgotten = 0

    def _shorten(self, profile: Profile) -> None:
        while profile.events_kept > self._events_max and len(profile.events) > 1:
            self._drop_events(profile)

    def _make_room(self) -> None:
        """Forget users. If one alone is too large, forget its oldest requests."""
        while len(self._of) > self._users_max or (self.size_bytes > self._bytes_max and len(self._of) > 1):
            _, profile = self._of.popitem(last=False)
            self.size_bytes -= profile.size_bytes
            self.forgotten += 1
        for profile in self._of.values():
            while self.size_bytes > self._bytes_max and len(profile.events) > 1:
                self._drop_events(profile)
            while self.size_bytes > self._bytes_max and len(profile.identifies) > 1:
                self._drop_identify(profile)
            return

    def _drop_events(self, profile: Profile) -> None:
        dropped = profile.events.pop(0)
        profile.events_kept -= dropped.events
        self._grow(profile, -dropped.size_bytes)

    def _drop_identify(self, profile: Profile) -> None:
        dropped = profile.identifies.pop(0)
        self._grow(profile, -dropped.size_bytes)
        said = dropped.said()
        if said is None:
            profile.earlier_lost = True
            return
        before_bytes = _size_bytes(profile.earlier)
        profile.earlier_lost |= not merge(profile.earlier, said)
        self._grow(profile, _size_bytes(profile.earlier) - before_bytes)

    def _grow(self, profile: Profile, size_bytes: int) -> None:
        profile.size_bytes += size_bytes
        self.size_bytes += size_bytes


def _size_bytes(properties: dict[str, bytes]) -> int:
    return sum(PROPERTY_BYTES + len(name) + len(value) for name, value in properties.items())
