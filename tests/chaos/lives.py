"""The lives of a topic that was deleted and made again: offsets of later ones are counted on, so that all differ.

Offset 5 of the second life is 5 + SPAN here. So what is said of offsets (that commits never go back, which of a user's
records comes first) is said of all lives at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

SPAN: Final = 1 << 40
NUMBERS: Final = 10_000_000
"""Records of the first life have numbers below it, those of the second below twice as much."""


class Life(NamedTuple):
    """From when to when a topic was deleted, made again and given to the group, and what Kafka calls it since."""

    deleted_at: float
    reset_at: float
    topic_id: str


def life_of_number(number: int) -> int:
    """Which life a record was made for, counted from 0."""
    return number // NUMBERS


def life_of_offset(offset: int) -> int:
    """Which life an offset belongs to."""
    return offset // SPAN


def on(offset: int, life: int) -> int:
    """An offset of Kafka's as it is counted here."""
    return offset + life * SPAN


def later_lives(history: Sequence[tuple[float, str, dict[str, Any]]]) -> list[Life]:
    """The later ones; one whose making was not seen to its end lasts for ever."""
    found = []
    for at, what, fields in history:
        if what == "deleting":
            found.append(Life(at, float("inf"), ""))
        elif what == "reset":
            found[-1] = found[-1]._replace(reset_at=at, topic_id=fields["topic_id"])
    return found


def life_at(later: list[Life], asked_at: float, answered_at: float) -> int | None:
    """Which life the group's offsets were about; None between two, when they may be about either."""
    if any(life.deleted_at <= answered_at and asked_at <= life.reset_at for life in later):
        return None
    return sum(life.reset_at < asked_at for life in later)


def spelled_alike(known_as: str) -> str:
    """An insert id of a later life, whichever alphabet the topic's id is written in: Kafka's, or librdkafka's."""
    before, at, topic_id = known_as.partition("@")
    return before + at + topic_id.replace("+", "-").replace("/", "_")


def insert_id(topic: str, partition: int, offset: int, life: int, later: list[Life]) -> str:
    """Of an event without a messageId: later with what Kafka calls the topic, or it would be taken for an old one."""
    plain = f"{topic}-{partition}-{offset}"
    return f"{plain}@{later[life - 1].topic_id[:8]}" if life else plain
