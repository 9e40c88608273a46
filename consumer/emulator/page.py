"""The page at `/`: what CustomFit would show of its users. Read-only.

    GET /               the page; its files beside it
    GET /users          the users that are kept, the newest first; ?prefix=TEXT
    GET /users/profile  ?user=ID&anonymous=1: the properties, and what each identify changed of them
    GET /users/events   the same, &before=NUMBER: tracks, pages and screens

It has no password and asks for no particular Host. What it shows is what `/last` shows, to whoever reaches the
emulator, which listens on loopback unless it is told otherwise; and in containers and clusters it is called by names
that it can't know. No key is in anything that is kept here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Any, Final
from urllib.parse import parse_qs

import msgspec

from consumer.emulator.faults import Faults
from consumer.emulator.http import Reply
from consumer.emulator.ledger import Ledger
from consumer.emulator.profile_view import events, profile, users
from consumer.emulator.request import Request

_SAME_FOR_ALL: Final = b"Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n"
_POLICY: Final = (
    b"Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    b"img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'\r\n"
)
_SCRIPT: Final = b"text/javascript; charset=utf-8"
_FILES: Final = {
    "/": ("index.html", b"text/html; charset=utf-8"),
    "/page.css": ("page.css", b"text/css; charset=utf-8"),
    "/page.js": ("page.js", _SCRIPT),
    "/show.js": ("show.js", _SCRIPT),
    "/texts.js": ("texts.js", _SCRIPT),
}

Route = Callable[[Request], Reply]


class Page:
    """Answers for one emulator."""

    def __init__(self, ledger: Ledger, faults: Faults) -> None:
        self._ledger = ledger
        self._faults = faults

    def routes(self) -> dict[str, dict[str, Route]]:
        """Path → method → what answers."""
        asked = {"/users": self._users, "/users/profile": self._profile, "/users/events": self._events}
        return {path: {"GET": route} for path, route in (asked | dict.fromkeys(_FILES, _file)).items()}

    def _users(self, request: Request) -> Reply:
        query = _query(request, {"prefix"})
        if query is None:
            return _refused("there is `prefix`, percent-encoded")
        summary = self._ledger.summary()
        return _json(
            {
                **{name: summary[name] for name in ("accepted", "refused", "dropped")},
                "faults": _on(self._faults),
                **users(self._ledger, query.get("prefix", "")),
            }
        )

    def _profile(self, request: Request) -> Reply:
        query = _query(request, {"user", "anonymous"})
        if query is None or "user" not in query:
            return _refused("there are `user`, a user's id, percent-encoded, and `anonymous=1`")
        return _one(profile(self._ledger, query["user"], anonymous=query.get("anonymous") == "1"))

    def _events(self, request: Request) -> Reply:
        query = _query(request, {"user", "anonymous", "before"})
        before = (query or {}).get("before", "")
        if query is None or "user" not in query or not (before == "" or (before.isascii() and before.isdigit())):
            return _refused("there are `user`, a user's id, percent-encoded, `anonymous=1`, and `before`, a number")
        number = int(before[:18]) if before else None
        return _one(events(self._ledger, query["user"], anonymous=query.get("anonymous") == "1", before=number))


@cache
def _file_reply(path: str) -> Reply:
    name, content_type = _FILES[path]
    content = (files("consumer.emulator") / "web" / name).read_bytes()
    return Reply(200, content, _SAME_FOR_ALL + _POLICY, content_type)


def _file(request: Request) -> Reply:
    return _file_reply(request.head.path)


def _on(faults: Faults) -> list[str]:
    """The faults that are on. Values are shown only if they are numbers: a list may contain keys."""
    none = Faults()
    return [
        f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}" if type(value) is int else name
        for name, value in msgspec.structs.asdict(faults).items()
        if value != getattr(none, name)
    ]


def _query(request: Request, known: set[str]) -> dict[str, str] | None:
    try:
        found = parse_qs(
            request.head.query, max_num_fields=10, encoding="utf-8", errors="strict", keep_blank_values=True
        )
    except ValueError:
        return None
    return {name: values[0] for name, values in found.items()} if found.keys() <= known else None


def _one(answer: dict[str, Any] | None) -> Reply:
    return _json(answer) if answer is not None else _answer(404, {"status": "error", "reason": "no such user is kept"})


def _refused(reason: str) -> Reply:
    return _answer(400, {"status": "error", "reason": reason})


def _json(answer: dict[str, Any]) -> Reply:
    return _answer(200, answer)


def _answer(status: int, answer: dict[str, Any]) -> Reply:
    return Reply(status, msgspec.json.encode(answer) + b"\n", _SAME_FOR_ALL + _POLICY)
