"""Asks a running emulator, and tells it to fail: what is behind `emulator last` and `emulator control`."""

from __future__ import annotations

import json
from http.client import HTTPConnection, HTTPException
from typing import Any, Final, NoReturn
from urllib.parse import urlencode, urlsplit

import typer

from consumer.cli.emulator_faults import refused
from consumer.cli.exits import fail
from consumer.emulator.server import EVENTS_PATH
from consumer.exit_codes import EXIT_UNAVAILABLE
from consumer.foreign_text import printable

URL_DEFAULT: Final = "http://localhost:8080"
TIMEOUT_SECONDS: Final = 10.0
ANSWER_BYTES_MAX: Final = 256 * 1024 * 1024
TEXT_CHARACTERS_MAX: Final = 300
ID_CHARACTERS_MAX: Final = 200


class EmulatorClient:
    """One emulator, by the URL that it prints when it starts."""

    def __init__(self, url: str) -> None:
        self._url = url
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port or 80
        except ValueError:
            self._refuse_url()
        if not host or parts.scheme != "http" or not url.isascii() or not url.isprintable() or " " in url:
            self._refuse_url()
        self._host, self._port = host, port
        self._path = parts.path.rstrip("/").removesuffix(EVENTS_PATH)

    def last(self, limit: int, user: str | None) -> dict[str, Any]:
        """What `GET /last` answers."""
        if user is not None and not _is_text(user):
            raise typer.BadParameter("a user id is text of at least one character", param_hint="--user")
        query = urlencode({"limit": limit} if user is None else {"limit": limit, "user": user})
        return self._ask("GET", f"/last?{query}", None, "last")

    def faults(self) -> dict[str, Any]:
        """The present faults."""
        return self._ask("GET", "/control", None, "fail_rate")

    def change(self, faults: dict[str, Any]) -> dict[str, Any]:
        """Change some. The answer has all of them."""
        return self._ask("POST", "/control", json.dumps(faults), "fail_rate")

    def _ask(self, method: str, path: str, body: str | None, expected: str) -> dict[str, Any]:
        """The answer, which holds `expected` if an emulator gave it; otherwise the command ends."""
        connection = HTTPConnection(self._host, self._port, timeout=TIMEOUT_SECONDS)
        try:
            connection.request(method, self._path + path, body)
            response = connection.getresponse()
            content = response.read(ANSWER_BYTES_MAX)
        except (OSError, HTTPException) as error:
            self._fail(str(error) or type(error).__name__)
        finally:
            connection.close()
        try:
            answer = json.loads(content)
        except (ValueError, RecursionError):
            answer = None
        if response.status == 400 and isinstance(answer, dict) and "reason" in answer:
            raise refused(printable(str(answer["reason"]), TEXT_CHARACTERS_MAX))
        if response.status != 200 or not isinstance(answer, dict) or expected not in answer:
            self._fail(f"status {response.status} for {path.partition('?')[0]}, which is not how one answers")
        return answer

    def _refuse_url(self) -> NoReturn:
        raise typer.BadParameter(f"{self._url!r} is no http://HOST:PORT", param_hint="--url")

    def _fail(self, why: str) -> NoReturn:
        fail(f"no emulator answers at {self._url} (--url): {printable(why, TEXT_CHARACTERS_MAX)}", EXIT_UNAVAILABLE)


def arrival_lines(arrival: dict[str, Any]) -> list[str]:
    """One accepted request for somebody new to it, a line for each event."""
    who = printable(arrival["user_id"], ID_CHARACTERS_MAX) + (" (anonymous)" if arrival["anonymous"] else "")
    end = "" if arrival["answered"] else " (its answer was lost)"
    at = arrival["arrived_at"]
    return [f"{at} {event['kind']} {who}{_about(arrival, event)}{end}" for event in arrival["events"]]


def _about(arrival: dict[str, Any], event: dict[str, Any]) -> str:
    words = "" if event["name"] is None else f' "{printable(event["name"], ID_CHARACTERS_MAX)}"'
    if arrival["identify"] == "introduction":
        return words + " (introduced: nothing known but the id)"
    if not arrival["contents_kept"]:
        return words + f" (too old: {'traits' if arrival['identify'] else 'properties'} not kept)"
    if "properties" in event:
        text = json.dumps(event["properties"], ensure_ascii=False, separators=(",", ":"))
        words += f" {printable(text, TEXT_CHARACTERS_MAX)}"
    return words


def summary(answer: dict[str, Any], url: str) -> str:
    """The line below: whether the user is identified, and how many requests came in all."""
    accepted = f"{answer['accepted']} request{'' if answer['accepted'] == 1 else 's'} accepted"
    if "user_id" in answer:
        who = printable(answer["user_id"], ID_CHARACTERS_MAX)
        verb = "is identified" if answer["identified"] else "is not identified"
        accepted += " of everybody"
        begin = f"{who} {verb}" if answer["last"] else f"nothing has arrived of {who}, who {verb}"
        accepted = f"{begin}; {accepted}"
    elif not answer["last"]:
        accepted = f"nothing has arrived at {url.rstrip('/').removesuffix(EVENTS_PATH)}{EVENTS_PATH}; {accepted}"
    refused = ", ".join(f"{count} with {status}" for status, count in answer["refused"].items())
    return accepted + (f", refused: {refused}" if refused else "")


def _is_text(user: str) -> bool:
    try:
        return bool(user.encode())
    except UnicodeEncodeError:
        return False
