"""What goes wrong when: a pure function of the seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from enum import Enum
from typing import Final, NamedTuple


class Fault(Enum):
    """Everything that is done to a run. The part before the dot says to what."""

    MEMBER_KILL = "member.kill"
    """kill -9, started again."""
    MEMBER_TERM = "member.term"
    """SIGTERM, started again as soon as it has ended."""
    MEMBER_LEAVE = "member.leave"
    """SIGTERM, back after a long while."""
    MEMBER_VISIT = "member.visit"
    """One more member joins, and leaves by SIGTERM before it has been given anything, or just then."""
    MEMBER_STOP = "member.stop"
    """SIGSTOP, then SIGCONT; longer than the session timeout, or not."""
    STATE_CORRUPT = "state.corrupt"
    """kill -9, garbage over the state files, started again."""
    STATE_GONE = "state.gone"
    """kill -9, no state files, started again."""
    STATE_UNUSABLE = "state.unusable"
    """SIGTERM, the state folder can't be written, started again."""
    STATE_FULL = "state.full"
    """SIGTERM, no file may grow beyond some KB, started again."""
    BROKER_KILL = "broker.kill"
    BROKER_TERM = "broker.term"
    BROKER_AWAY = "broker.away"
    """kill -9, back after a long while: with one replica of each partition, what it leads has no leader meanwhile."""
    TOPIC_GROW = "topic.grow"
    """The source gets one more partition, for good."""
    TOPIC_AGAIN = "topic.again"
    """The source is deleted and made again; then done what members say: all stopped, offsets reset, all started."""
    KAFKA_CUT = "kafka.cut"
    KAFKA_RESET = "kafka.reset"
    KAFKA_STALL = "kafka.stall"
    KAFKA_SLOW = "kafka.slow"
    KAFKA_MUTE = "kafka.mute"
    """Between members and brokers; see proxy.py."""
    HTTP_CUT = "http.cut"
    HTTP_RESET = "http.reset"
    HTTP_STALL = "http.stall"
    HTTP_SLOW = "http.slow"
    HTTP_MUTE = "http.mute"
    """Between members and the emulator."""
    API_THROTTLE = "api.throttle"
    API_FAIL = "api.fail"
    API_HANG = "api.hang"
    API_LOST = "api.lost"
    """Accepted, and the answer lost."""
    API_DROPPED = "api.dropped"
    """Reset without having been accepted."""
    API_KEY = "api.key"
    """401 for everybody."""
    API_SLOW = "api.slow"
    """Answers later than requests may take, some of them."""
    API_AWAY = "api.away"
    USER_401 = "user.401"
    USER_403 = "user.403"
    USER_404 = "user.404"
    USER_400 = "user.400"
    USER_429 = "user.429"
    USER_500 = "user.500"
    USER_503 = "user.503"
    """With Retry-After: 60. One user gets this for everything, all others are served."""

    @property
    def place(self) -> str:
        """member, state, broker, topic, kafka, http, api or user."""
        return self.value.partition(".")[0]


EVERYBODY: Final = -1


class Episode(NamedTuple):
    """A fault, from when to when (seconds since the start), and to whom: a member, broker or user, or everybody."""

    begins: float
    ends: float
    fault: Fault
    target: int

    def __str__(self) -> str:
        whom = "all" if self.target == EVERYBODY else self.target
        return f"{self.begins:6.1f} - {self.ends:6.1f} s  {self.fault.value:15} {whom}"


class Track(NamedTuple):
    """One thing after the other, on one target: what, how often, how long."""

    faults: dict[Fault, float]
    """With their weights."""
    target: int | None
    """None: any member, or everybody."""
    gap_seconds: float
    """Between two, on average."""
    shortest: float
    longest: float


QUIET_SECONDS: Final = 8.0
"""At the start, so that everybody has joined once."""

_MEMBER: Final[dict[Fault, float]] = {
    Fault.MEMBER_KILL: 5.0,
    Fault.MEMBER_TERM: 3.0,
    Fault.MEMBER_LEAVE: 1.5,
    Fault.MEMBER_STOP: 3.0,
    Fault.STATE_CORRUPT: 1.0,
    Fault.STATE_GONE: 1.0,
    Fault.STATE_UNUSABLE: 1.0,
    Fault.STATE_FULL: 1.0,
}
_KAFKA: Final[dict[Fault, float]] = {
    f: 1.0 for f in Fault if f.place in ("kafka", "broker") and f is not Fault.BROKER_AWAY
}
_HTTP: Final[dict[Fault, float]] = {f: 1.0 for f in Fault if f.place in ("http", "api")}
_USER: Final[dict[Fault, float]] = {f: 1.0 for f in Fault if f.place == "user"}
USERS_FAILING: Final = range(2, 20)
"""Any of these: they have events all the time, and are not so many of them that healing takes long."""


def schedule(seed: int, seconds: float, members: int, nodes: int, allowed: frozenset[Fault]) -> list[Episode]:
    """All episodes of a run in the order of their beginnings; the last ends before `seconds`."""
    tracks = [Track(_MEMBER, member, 20.0, 1.0, 14.0) for member in range(members)]
    tracks += [
        Track(_KAFKA, None, 16.0, 1.0, 12.0),
        Track(_HTTP, None, 10.0, 1.0, 8.0),
        Track({Fault.TOPIC_GROW: 1.0}, EVERYBODY, 90.0, 1.0, 2.0),
        Track({Fault.TOPIC_AGAIN: 1.0}, EVERYBODY, 120.0, 1.0, 2.0),
        Track({Fault.MEMBER_VISIT: 1.0}, members, 15.0, 1.5, 5.0),
        Track(_USER, None, 15.0, 10.0, 50.0),
        Track({Fault.BROKER_AWAY: 1.0}, None, 30.0, 25.0, 45.0),
    ]
    episodes: list[Episode] = []
    for number, track in enumerate(tracks):
        rng = random.Random(f"schedule {seed} {number}")
        faults = {fault: weight for fault, weight in track.faults.items() if fault in allowed}
        if faults:
            episodes += _episodes(rng, track._replace(faults=faults), seconds, members, nodes)
    return sorted(episodes, key=lambda episode: (episode.begins, episode.fault.value))


def _episodes(rng: random.Random, track: Track, seconds: float, members: int, nodes: int) -> Iterator[Episode]:
    now = QUIET_SECONDS + rng.uniform(0, track.gap_seconds)
    while True:
        [fault] = rng.choices(list(track.faults), list(track.faults.values()))
        lasting = rng.uniform(track.shortest, track.longest)
        target = track.target
        if target is None:
            whoever = [EVERYBODY, *range(members)]
            target = rng.randrange(nodes) if fault.place == "broker" else rng.choice(whoever)
        if fault.place == "user":
            target = rng.choice(USERS_FAILING)
        if fault.place == "api":
            target = EVERYBODY
        if now + lasting > seconds:
            return
        yield Episode(round(now, 1), round(now + lasting, 1), fault, target)
        now += lasting + 1.0 + rng.expovariate(1 / track.gap_seconds)
