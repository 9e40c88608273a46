"""Asks all members at once what a user's events wait for, for 2 s at most; by the pseudonym, never by the id."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from consumer.cli.places import NobodyThere, Place, ask, place_of, places_of
from consumer.foreign_text import printable

if TYPE_CHECKING:
    from consumer.settings import Settings

SECONDS_MAX: Final = 2.0
ANSWER_BYTES_MAX: Final = 1024 * 1024
MEMBERS_MAX: Final = 64
PROBLEM_CHARACTERS_MAX: Final = 300


class Waits(msgspec.Struct):
    """What is in hand of the user in one partition: the part of a member's answer that is printed."""

    topic: str
    partition: int
    text: str
    offset: int | None = None


class Unread(msgspec.Struct):
    """A partition that has not been read to its end."""

    topic: str
    partition: int
    text: str


class Said(msgspec.Struct):
    """The answer of a member."""

    group: str
    destination: str
    text: str
    identified: bool | None
    waits: list[Waits]
    unread: list[Unread]


class MemberAnswer(NamedTuple):
    """A member's answer, or why there is none."""

    place: str
    said: Said | None = None
    raw: Any = None
    """All of the answer, as JSON values."""
    problem: str = ""


class Members(NamedTuple):
    """All members' answers."""

    answers: Sequence[MemberAnswer]
    notes: Sequence[str] = ()
    """Why there may be members that were not asked."""

    @property
    def have_answered(self) -> bool:
        """Whether any member has answered."""
        return any(answer.said is not None for answer in self.answers)

    @property
    def identified(self) -> bool | None:
        """Whether the user is identified, according to them; None: none of them knows."""
        known = {answer.said.identified for answer in self.answers if answer.said is not None}
        return True if True in known else False if False in known else None


def ask_members(settings: Settings, urls: Sequence[str], pseudonym: str) -> Members:
    """The answers of those at these URLs, or of all that the group has. Raises ValueError for what is not a URL."""
    notes: list[str] = []
    if urls:
        places = [found for url in urls for found in places_of(place_of(url, settings.http_port))]
    else:
        places = _of_group(settings, notes)
    places = list(dict.fromkeys(places))
    if (left_out := len(places) - MEMBERS_MAX) > 0:
        notes.append(f"{left_out} more members are not asked; name them with --url")
    return Members(_ask_all(settings, places[:MEMBERS_MAX], pseudonym), notes)


def _of_group(settings: Settings, notes: list[str]) -> list[Place]:
    from consumer.kafka.group_hosts import GroupUnknown, group_hosts

    try:
        hosts = group_hosts(settings)
    except GroupUnknown as error:
        notes.append(printable(str(error), PROBLEM_CHARACTERS_MAX))
        return []
    if not hosts:
        notes.append(f"nobody is in the group {settings.kafka_group_id}")
    notes += [
        f"{count} members connect from {host}, and only the one at port {settings.http_port} (CUSTOMFIT_HTTP_PORT) "
        "is asked; name the others with --url"
        for host, count in hosts.items()
        if count > 1
    ]
    return [Place("http", host, settings.http_port) for host in sorted(hosts)]


def _ask_all(settings: Settings, places: Sequence[Place], pseudonym: str) -> list[MemberAnswer]:
    answers: dict[Place, MemberAnswer] = {}

    def ask_one(place: Place) -> None:
        answers[place] = _ask(settings, place, pseudonym)

    # Daemon threads: a member that sends its answer a byte at a time keeps nobody from ending.
    threads = [threading.Thread(target=ask_one, args=(place,), daemon=True) for place in places]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + SECONDS_MAX
    for thread in threads:
        thread.join(max(deadline - time.monotonic(), 0.0))
    none = f"no answer within {SECONDS_MAX:.0f} s"
    return [answers.get(place) or MemberAnswer(str(place), problem=none) for place in places]


def _ask(settings: Settings, place: Place, pseudonym: str) -> MemberAnswer:
    try:
        status, body = ask(place, f"/users/{pseudonym}", SECONDS_MAX, ANSWER_BYTES_MAX)
    except NobodyThere as error:
        return MemberAnswer(str(place), problem=printable(str(error), PROBLEM_CHARACTERS_MAX))
    return _read(settings, str(place), status, body)


def _read(settings: Settings, place: str, status: int, body: bytes) -> MemberAnswer:
    if status == 404:
        return MemberAnswer(
            place, problem="it tells nobody of users (CUSTOMFIT_HTTP_USERS=off), or is of an older version"
        )
    try:
        raw = msgspec.json.decode(body)
        said = msgspec.convert(raw, Said) if status == 200 else None
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError):
        raw, said = None, None
    if said is None:
        why = raw.get("problem") if isinstance(raw, dict) else None
        return MemberAnswer(
            place, problem=printable(f"it answered {status}: {why or 'not as a member does'}", PROBLEM_CHARACTERS_MAX)
        )
    if (said.group, said.destination) != (settings.kafka_group_id, settings.destination_name):
        other = f"it is of group {said.group} and destination {said.destination}, where a user has another pseudonym"
        return MemberAnswer(place, problem=printable(other, PROBLEM_CHARACTERS_MAX))
    return MemberAnswer(place, said, raw)
