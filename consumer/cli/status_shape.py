"""What `top` reads of a member's answers. Whatever else answers there, or a member that lies, breaks no terminal.

Texts may come from anybody, and are made safe where they are shown. Figures and times are checked here.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, NotRequired, TypedDict

from msgspec import Meta

Count = Annotated[int, Meta(ge=0, le=10**15)]
Figure = Annotated[float, Meta(ge=-1e15, le=1e15)]
Moment = Annotated[datetime, Meta(tz=True)]


class FirstLine(TypedDict):
    """The cause, and what to do."""

    text: str
    do: str
    runbook: str


class Who(TypedDict):
    """Which member this is."""

    host: str
    topic: str
    group: str


class PartitionTold(TypedDict):
    """One partition."""

    topic: str
    partition: Count
    problem: str | None
    why: str
    is_ours: bool
    lag_events: Count | None
    lag_seconds: Figure | None


class WaitingTold(TypedDict):
    """One user who waits."""

    user: str
    kind: str
    why: str
    since: Moment
    attempts: Count
    last_answer: str
    next_try: Moment | None
    given_up: Moment | None


class ProblemTold(TypedDict):
    """What went wrong, by stage and kind."""

    stage: str
    kind: str
    count: Count
    last: Moment
    text: str


class LettersTold(TypedDict):
    """Dead letters of one reason."""

    reason: str
    count: Count
    command: str


class Status(TypedDict):
    """/status."""

    status: str
    first: FirstLine
    reasons: list[str]
    notes: NotRequired[list[str]]
    """Members of earlier versions have none."""
    version: str
    uptime_seconds: Figure
    now: Moment
    member: Who
    requests_in_flight_limit: Count
    now_series: dict[str, Figure | None]
    users_retrying: Count
    partitions: list[PartitionTold]
    waiting: list[WaitingTold]
    problems: list[ProblemTold]
    dead_letters: list[LettersTold]


class History(TypedDict):
    """/history."""

    series: dict[str, list[Figure | None]]
