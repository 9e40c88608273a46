"""Asks members for /status and /history over HTTP. One URL may mean many of them, by the addresses of its name."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple, TypeVar

import msgspec

from consumer.cli.places import NobodyThere, Place, ask, places_of
from consumer.cli.status_shape import History, Status

TIMEOUT_SECONDS: Final = 3.0
"""Limit for each step of an answer."""
ANSWERS_SECONDS_MAX: Final = 4.0
"""Limit for all members together, however slowly they send."""
ANSWER_BYTES_MAX: Final = 8 * 1024 * 1024
MEMBERS_MAX: Final = 32
SERIES_VALUES_MAX: Final = 900
HISTORY_SECONDS: Final = 60.0
"""/history is read again after this long. Until then, the newest values of /status are added to it."""

Series = dict[str, list[float | None]]
Told = TypeVar("Told")


class MemberStatus(NamedTuple):
    """What a member has said, or why it has said nothing."""

    place: str
    status: Status | None
    series: Series
    problem: str = ""
    silent_since: datetime | None = None
    """When it answered last, if it ever did."""


class StatusReader:
    """Asks all places at once, again and again, and remembers what each has said."""

    def __init__(self, places: Sequence[Place]) -> None:
        self._places = tuple(places)
        self._members: dict[Place, _Member] = {}

    def ask(self) -> list[MemberStatus]:
        """What all members say now, in the order of the URLs and of the addresses of each."""
        named = dict.fromkeys(found for place in self._places for found in places_of(place))
        places = list(named)[:MEMBERS_MAX]
        self._members = {place: self._members.get(place) or _Member(place) for place in places}
        for member in self._members.values():
            member.begin()
        deadline = time.monotonic() + ANSWERS_SECONDS_MAX
        return [member.answer_by(deadline) for member in self._members.values()]


class _Member:
    """One member. It is asked on a daemon thread, so a member that sends a byte at a time keeps nobody waiting."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._series: Series = {}
        self._history_at = float("-inf")
        self._newest_at = 0.0
        self._answered_at: datetime | None = None
        self._answer: MemberStatus | None = None
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Ask, unless the last question is not answered yet."""
        if self._thread is None or not self._thread.is_alive():
            self._answer = None
            self._thread = threading.Thread(target=self._ask, daemon=True)
            self._thread.start()

    def answer_by(self, deadline: float) -> MemberStatus:
        """What it has said by then; monotonic seconds."""
        assert self._thread is not None
        self._thread.join(max(deadline - time.monotonic(), 0.0))
        return self._answer or self._none(f"no answer within {ANSWERS_SECONDS_MAX:.0f} s")

    def _ask(self) -> None:
        try:
            status = _get(self._place, "/status", Status)
            self._note(status)
        except NoStatus as error:
            self._answer = self._none(str(error))
            return
        self._answered_at = datetime.now(UTC)
        self._answer = MemberStatus(str(self._place), status, self._series)

    def _none(self, why: str) -> MemberStatus:
        return MemberStatus(str(self._place), None, {}, why, self._answered_at)

    def _note(self, status: Status) -> None:
        now = time.monotonic()
        if now - self._history_at >= HISTORY_SECONDS:
            history = _get(self._place, "/history", History)
            self._series, self._history_at = history["series"], now
        else:
            seconds = min(round(now - self._newest_at), SERIES_VALUES_MAX)
            for name, value in status["now_series"].items():
                values = self._series.setdefault(name, [])
                values += [value] * seconds
                del values[:-SERIES_VALUES_MAX]
        self._newest_at = now


class NoStatus(Exception):
    """No answer, or none that can be used. The text says why."""


def _get(place: Place, path: str, shape: type[Told]) -> Told:
    """What it answers, checked for the shape of a member of this version."""
    try:
        status, body = ask(place, path, TIMEOUT_SECONDS, ANSWER_BYTES_MAX)
    except NobodyThere as error:
        raise NoStatus(str(error)) from None
    try:
        if status == 200:
            return msgspec.json.decode(body, type=shape)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError):
        pass
    raise NoStatus(f"it answered {status}, but not as a member of this version does")
