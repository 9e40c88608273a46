"""Asks members for /status and /history over HTTP: one URL may be many of them, by the addresses of its name."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, Final, NamedTuple

from consumer.cli.places import Place, places_of

TIMEOUT_SECONDS: Final = 3.0
ANSWER_BYTES_MAX: Final = 8 * 1024 * 1024
MEMBERS_MAX: Final = 32
HISTORY_SECONDS: Final = 60.0
"""After so long it is read again; until then the newest values of /status are put behind it."""

Series = dict[str, list[float | None]]


class Answer(NamedTuple):
    """What a member has said, or why it has said nothing."""

    place: str
    status: dict[str, Any] | None
    series: Series
    problem: str = ""
    silent_since: datetime | None = None
    """When it answered last, if it ever did."""


class StatusReader:
    """Asks all places at once, again and again, and remembers what each has said."""

    def __init__(self, places: Sequence[Place]) -> None:
        self._places = tuple(places)
        self._members: dict[Place, _Member] = {}

    def ask(self) -> list[Answer]:
        """What all members say now, in the order of the URLs, and of the addresses of each."""
        named = dict.fromkeys(found for place in self._places for found in places_of(place))
        places = list(named)[:MEMBERS_MAX]
        self._members = {place: self._members.get(place) or _Member(place) for place in places}
        with ThreadPoolExecutor(max_workers=len(places)) as threads:
            return list(threads.map(_Member.ask, self._members.values()))


class _Member:
    """One of them; asked by one thread at a time."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._series: Series = {}
        self._history_at = float("-inf")
        self._newest_at = 0.0
        self._answered_at: datetime | None = None

    def ask(self) -> Answer:
        try:
            status = _get(self._place, "/status", "first")
            self._note(status)
        except NoStatus as error:
            return Answer(str(self._place), None, {}, str(error), self._answered_at)
        self._answered_at = datetime.now(UTC)
        return Answer(str(self._place), status, self._series)

    def _note(self, status: dict[str, Any]) -> None:
        now = time.monotonic()
        if now - self._history_at >= HISTORY_SECONDS:
            history = _get(self._place, "/history", "series")
            self._series, self._history_at = history["series"], now
        else:
            seconds = round(now - self._newest_at)
            for name, value in status["now_series"].items():
                values = self._series.setdefault(name, [])
                values += [value] * seconds
                del values[:-900]
        self._newest_at = now


class NoStatus(Exception):
    """No answer, or none that can be used; the text says why."""


def _get(place: Place, path: str, key: str) -> dict[str, Any]:
    """What it answers; `key` is in it, if a member of this version answers."""
    kind = HTTPSConnection if place.scheme == "https" else HTTPConnection
    connection = kind(place.host, place.port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", place.path + path)
        response = connection.getresponse()
        body = response.read(ANSWER_BYTES_MAX)
    except TimeoutError:
        raise NoStatus(f"no answer within {TIMEOUT_SECONDS:.0f} s") from None
    except (OSError, HTTPException) as error:
        raise NoStatus(f"no answer: {getattr(error, 'strerror', None) or str(error) or type(error).__name__}") from None
    finally:
        connection.close()
    try:
        told = json.loads(body)
    except ValueError:
        told = None
    if response.status != 200 or not isinstance(told, dict) or key not in told:
        raise NoStatus(f"it answered {response.status}, but not as a member of this version does")
    return told
