"""What `GET /last` answers: the requests accepted last, of everybody or of one user, with their contents."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from msgspec import UNSET, Raw, UnsetType

from consumer.emulator.contract import Dialect, EventType, Identify
from consumer.emulator.entry import Entry
from consumer.emulator.ledger import Ledger

LIMIT_DEFAULT: Final = 10
LIMIT_MAX: Final = 1_000


class ArrivedEvent(msgspec.Struct, frozen=True, gc=False):
    """One event; `properties` are the traits of an identify, the properties of any other."""

    kind: EventType
    name: str | None
    insert_id: str | None
    properties: Raw | UnsetType = UNSET


class Arrival(msgspec.Struct, frozen=True, gc=False):
    """One accepted request."""

    sequence: int
    arrived_at: str
    user_id: str
    anonymous: bool
    dialect: Dialect
    identify: Identify | None
    answered: bool
    contents_kept: bool
    """False: the request is so old that its traits or properties are no longer kept."""
    events: tuple[ArrivedEvent, ...]


def last(ledger: Ledger, *, limit: int = LIMIT_DEFAULT, user_id: str | None = None) -> dict[str, Any]:
    """The newest of them, oldest first, and what has become of all requests so far."""
    summary = ledger.summary()
    answer: dict[str, Any] = {name: summary[name] for name in ("requests", "accepted", "refused", "dropped")}
    if user_id is not None:
        answer |= {"user_id": user_id, "identified": ledger.identified(user_id)}
    answer["last"] = [
        _arrival(entry, contents) for entry, contents in ledger.last(min(limit, LIMIT_MAX), user_id=user_id)
    ]
    return answer


def _arrival(entry: Entry, contents: tuple[bytes | None, ...] | None) -> Arrival:
    count = len(entry.kinds)
    return Arrival(
        entry.sequence,
        datetime.fromtimestamp(entry.accepted_at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        entry.user_id,
        entry.anonymous,
        entry.dialect,
        entry.identify,
        entry.answered,
        contents is not None,
        tuple(
            ArrivedEvent(kind, name, insert_id, UNSET if content is None else Raw(content))
            for kind, name, insert_id, content in zip(
                entry.kinds,
                entry.names,
                entry.insert_ids or (None,) * count,
                contents or (None,) * count,
                strict=True,
            )
        ),
    )
