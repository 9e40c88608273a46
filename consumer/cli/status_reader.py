"""Asks members for /status and /history over HTTP: one URL may be many of them, by the addresses of its name."""

from __future__ import annotations

import ipaddress
import json
import socket
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

TIMEOUT_SECONDS: Final = 3.0
ANSWER_BYTES_MAX: Final = 8 * 1024 * 1024
MEMBERS_MAX: Final = 32
HISTORY_SECONDS: Final = 60.0
"""After so long it is read again; until then the newest values of /status are put behind it."""

Series = dict[str, list[float | None]]


class Place(NamedTuple):
    """Where a member may be asked."""

    scheme: str
    host: str
    port: int
    path: str = ""

    def __str__(self) -> str:
        """As it is shown: host and port."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Answer(NamedTuple):
    """What a member has said, or why it has said nothing."""

    place: str
    status: dict[str, Any] | None
    series: Series
    problem: str = ""
    silent_since: datetime | None = None
    """When it answered last, if it ever did."""


def place_of(url: str, port: int) -> Place:
    """`http://host:port/path`, `host:port` or `host`. Raises ValueError, with a text to be shown."""
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{url!r} is no URL of a member: http://HOST:PORT, HOST:PORT or HOST")
    default = 443 if parts.scheme == "https" else 80 if "://" in url else port
    try:
        return Place(parts.scheme, parts.hostname, parts.port or default, parts.path.rstrip("/"))
    except ValueError:
        raise ValueError(f"{url!r}: the port is not a number up to 65535") from None


def places_of(place: Place) -> list[Place]:
    """Each address of its name, which may be many members; itself where there is nothing to be found out."""
    if place.scheme == "https" or _is_address(place.host):  # a certificate is made out to the name
        return [place]
    try:
        found = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
    except OSError:
        return [place]  # asking it will say why
    families = {family for family, *_ in found}
    family = socket.AF_INET if socket.AF_INET in families else socket.AF_INET6  # of both, it would be there twice
    addresses = dict.fromkeys(str(address[0]) for one, *_, address in found if one == family)
    if all(ipaddress.ip_address(address.partition("%")[0]).is_loopback for address in addresses):
        return [place]
    return [place._replace(host=address) for address in addresses]


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


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True
