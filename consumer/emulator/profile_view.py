"""What the page shows: the users that are kept, one user's profile, and one user's events. Made when somebody looks."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

import msgspec

from consumer.emulator.contract import EventType
from consumer.emulator.entry import Entry, from_line
from consumer.emulator.ledger import Ledger
from consumer.emulator.profiles import IDENTIFIES_MAX, Profile, Profiles, Received
from consumer.emulator.properties import NAMES_MAX, Change, Named, Value, changed, merge, named, read, short, shown

USERS_LISTED: Final = 100
EVENTS_LISTED: Final = 50


class User(msgspec.Struct, frozen=True, gc=False):
    """One user in the list."""

    user_id: str
    anonymous: bool
    identified: bool
    last_at: str
    last: str
    """What came last: an event's name, or its type."""
    events: int
    identifies: int


class Property(msgspec.Struct, frozen=True, gc=False):
    """One property as it is now."""

    name: str
    value: Value
    since: str | None
    """When the identify arrived that set it; None: that one is no longer kept."""


class Identified(msgspec.Struct, frozen=True, gc=False):
    """One identify, and what it changed."""

    number: int
    arrived_at: str
    happened_at: str | None
    insert_id: str | None
    answered: bool
    introduction: bool
    """It said only the id."""
    known: bool
    """False: its properties are not kept."""
    changes: tuple[Change, ...]
    unchanged: int
    """How many properties it repeated unchanged."""
    left_out: int
    """How many changes are not listed."""


class Happened(msgspec.Struct, frozen=True, gc=False):
    """One track, page or screen."""

    number: int
    """In the order of arrival: a user's first event is 1."""
    kind: EventType
    name: str | None
    arrived_at: str
    happened_at: str | None
    insert_id: str
    again: bool
    """Whether an earlier one has the same insert_id."""
    answered: bool
    known: bool
    """False: its properties are not kept."""
    properties: tuple[Named, ...]
    left_out: int


def users(ledger: Ledger, prefix: str) -> dict[str, Any]:
    """The users whose id begins like this, in any case of letters; the newest first."""
    wanted = prefix.casefold()
    with ledger.profiles() as profiles:
        found = [one for one in profiles.newest() if one.user_id.casefold().startswith(wanted)]
        listed = [_user(one, ledger) for one in islice(found, USERS_LISTED)]
        kept, forgotten, limits = len(profiles), profiles.forgotten, profiles.limits
    return {
        "now": _time(ledger.now()),
        "kept": kept,
        "kept_max": limits.users_max,
        "forgotten": forgotten,
        "found": len(found),
        "listed": listed,
    }


def profile(ledger: Ledger, user_id: str, *, anonymous: bool) -> dict[str, Any] | None:
    """A user's properties, and what each identify changed of them, the newest first; None: nothing is kept."""
    with ledger.profiles() as profiles:
        found = profiles.of(user_id, anonymous=anonymous)
        return None if found is None else {**_header(found, profiles, ledger), **_properties(found)}


def events(ledger: Ledger, user_id: str, *, anonymous: bool, before: int | None = None) -> dict[str, Any] | None:
    """A user's tracks, pages and screens with a number below `before`, the newest first; None: nothing is kept."""
    with ledger.profiles() as profiles:
        found = profiles.of(user_id, anonymous=anonymous)
        if found is None:
            return None
        oldest = found.events_count - min(found.events_kept, profiles.limits.events_max) + 1
        last = found.events_count if before is None else min(before - 1, found.events_count)
        first = max(oldest, last - EVENTS_LISTED + 1)
        return {
            **_header(found, profiles, ledger),
            "events_kept": found.events_count - oldest + 1,
            "listed": _events(found, first, last),
            "older": max(0, first - oldest),
        }


def _header(found: Profile, profiles: Profiles, ledger: Ledger) -> dict[str, Any]:
    return {
        **msgspec.structs.asdict(_user(found, ledger)),
        "events_max": profiles.limits.events_max,
        "identifies_max": IDENTIFIES_MAX,
    }


def _user(found: Profile, ledger: Ledger) -> User:
    newest = max((from_line(kept[-1].line) for kept in (found.identifies, found.events) if kept), key=_sequence)
    return User(
        found.user_id,
        found.anonymous,
        ledger.identified(found.user_id, anonymous=found.anonymous),
        _time(newest.accepted_at),
        short(newest.names[-1] or newest.kinds[-1]),
        found.events_count,
        found.identifies_count,
    )


def _properties(found: Profile) -> dict[str, Any]:
    now = dict(found.earlier)
    since: dict[str, str | None] = dict.fromkeys(now)
    is_complete = not found.earlier_lost
    number = found.identifies_count - len(found.identifies)
    identifies: list[Identified] = []
    for received in found.identifies:
        number += 1
        entry, said = from_line(received.line), received.said()
        identifies.append(_identified(number, received, entry, now, said))
        for name, value in (said or {}).items():
            if now.get(name) != value:
                since[name] = _time(entry.accepted_at)
        is_complete &= said is not None and merge(now, said)
    return {
        "properties": [Property(short(name), shown(value), since[name]) for name, value in now.items()],
        "complete": is_complete,
        "identifies_kept": len(identifies),
        "listed": identifies[::-1],
    }


def _identified(
    number: int, received: Received, entry: Entry, before: dict[str, bytes], said: dict[str, bytes] | None
) -> Identified:
    changes = changed(before, said or {})
    return Identified(
        number,
        _time(entry.accepted_at),
        received.timestamps[0] if received.timestamps else None,
        short(entry.insert_ids[0]) if entry.insert_ids else None,
        entry.answered,
        entry.identify == "introduction",
        said is not None,
        changes[:NAMES_MAX],
        len(said or {}) - len(changes),
        max(0, len(changes) - NAMES_MAX),
    )


def _events(found: Profile, first: int, last: int) -> list[Happened]:
    """Those with these numbers, the newest first. It looks at all that are kept: one may have come twice."""
    number = found.events_count - found.events_kept
    seen: set[str] = set()
    listed: list[Happened] = []
    for received in found.events:
        entry = from_line(received.line)
        for place, insert_id in enumerate(entry.insert_ids):
            number += 1
            if first <= number <= last:
                listed.append(_happened(number, received, entry, place, again=insert_id in seen))
            seen.add(insert_id)
    return listed[::-1]


def _happened(number: int, received: Received, entry: Entry, place: int, *, again: bool) -> Happened:
    contents = None if received.contents is None else received.contents[place]
    properties = {} if contents is None else read(contents)
    listed = dict(islice(properties.items(), NAMES_MAX))
    name = entry.names[place]
    return Happened(
        number,
        entry.kinds[place],
        None if name is None else short(name),
        _time(entry.accepted_at),
        received.timestamps[place] if received.timestamps else None,
        short(entry.insert_ids[place]),
        again,
        entry.answered,
        received.contents is not None,
        named(listed),
        len(properties) - len(listed),
    )


def _sequence(entry: Entry) -> int:
    return entry.sequence


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
