"""Rows into the table of identified users. Who is there already stays as they are.

Those who are new are written a hundred or more with the same time. One statement for all of them takes a third of what
a row each takes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from consumer.sequencing.events import User

TOGETHER_USERS_MIN: Final = 8
"""Fewer are inserted as a row each."""
NUL: Final = "\\u0000"
"""As JSON has it; sqlite takes a text in JSON to end there, and the id would be another user's."""

_INSERT: Final = "INSERT OR IGNORE INTO identified_users VALUES (?, ?, ?, ?, ?)"
_INSERT_TOGETHER: Final = "INSERT OR IGNORE INTO identified_users SELECT value, 0, ?, ?, ? FROM json_each(?)"

UserRow = tuple[str, bool, int, int, int]
"""User, anonymous, destination, copy, identified at (ms)."""


def insert(connection: sqlite3.Connection, rows: Sequence[UserRow]) -> int:
    """How many of them are new. Raises sqlite3.Error."""
    return connection.executemany(_INSERT, rows).rowcount if rows else 0


def insert_together(
    connection: sqlite3.Connection, destination_id: int, copy_id: int, users_at: Mapping[int, Sequence[User]]
) -> int:
    """The same for users by the time of their identify, in milliseconds. Raises sqlite3.Error."""
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
    """The userIds as JSON; empty where they go in a row each."""
    if len(users) < TOGETHER_USERS_MIN:
        return ""
    text = msgspec.json.encode([user.id for user in users if not user.anonymous]).decode()
    return "" if NUL in text else text
