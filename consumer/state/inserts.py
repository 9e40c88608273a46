"""Inserts rows into the table of identified users. A row that is there already stays as it is.

New users mostly come by the hundred, with the same time. One statement for all of them takes a third of the time of a
statement for each.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from consumer.sequencing.events import User

TOGETHER_USERS_MIN: Final = 8
"""Fewer users than this get a row each."""
NUL: Final = "\\u0000"
"""A NUL as JSON writes it. sqlite takes a JSON text to end there, so the id would become another user's."""

_INSERT: Final = "INSERT OR IGNORE INTO identified_users VALUES (?, ?, ?, ?, ?)"
_INSERT_TOGETHER: Final = "INSERT OR IGNORE INTO identified_users SELECT value, 0, ?, ?, ? FROM json_each(?)"

UserRow = tuple[str, bool, int, int, int]
"""User id, anonymous, the destination's id, the copy's id, identified at (milliseconds since the epoch)."""


def insert(connection: sqlite3.Connection, rows: Sequence[UserRow]) -> int:
    """Insert rows; gives how many of them are new. Raises sqlite3.Error."""
    return connection.executemany(_INSERT, rows).rowcount if rows else 0


def insert_together(
    connection: sqlite3.Connection, destination_id: int, copy_id: int, users_at: Mapping[int, Sequence[User]]
) -> int:
    """Insert users by the time of their identify (milliseconds); gives how many are new. Raises sqlite3.Error."""
    added = 0
    rows: list[UserRow] = []
    for at_ms, users in users_at.items():
        text = _ids(users)
        if text:
            added += connection.execute(_INSERT_TOGETHER, (destination_id, copy_id, at_ms, text)).rowcount
        rows += [
            (user.id, user.anonymous, destination_id, copy_id, at_ms) for user in users if user.anonymous or not text
        ]
    return added + insert(connection, rows)


def _ids(users: Sequence[User]) -> str:
    """The ids of those users who are not anonymous, as JSON; empty if each user is to get a row of their own."""
    if len(users) < TOGETHER_USERS_MIN:
        return ""
    text = msgspec.json.encode([user.id for user in users if not user.anonymous]).decode()
    return "" if NUL in text else text
