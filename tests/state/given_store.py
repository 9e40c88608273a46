"""Stores and partition states for tests: one partition, one destination, one topic."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from consumer.sequencing.events import Partition, User
from consumer.state.partition import PartitionState
from consumer.state.records import StateKey
from consumer.state.store import Store

HERE = "https://api.customfit.ai/v1/cfe"
TOPIC = "topic g.identified-users of cluster c"
PARTITION = Partition("segment-events", 0)
ANN, BOB = User("ann"), User("bob")
DAY_SECONDS = 86_400.0


def ignore(_detail: str) -> None:
    """Nobody listens."""


def opened(
    folder: Path,
    destination: str = HERE,
    *,
    topic: str = TOPIC,
    age_seconds_max: float = DAY_SECONDS,
    set_aside: Callable[[str], None] = ignore,
) -> Store:
    """The store of one partition in this folder."""
    return Store(folder / "segment-events-0.sqlite", destination, topic, age_seconds_max, set_aside)


def write(store: Store, *changes: tuple[User, bool], next_offset: int = 1, at_end: bool = True) -> None:
    """Write that these users are identified, or no longer."""
    rows = {StateKey(HERE, user): 1_000 if identified else None for user, identified in changes}
    store.write(rows, next_offset, at_end=at_end)


def state_in(folder: Path) -> PartitionState:
    """The state of one partition, restored."""
    return PartitionState(PARTITION, HERE, opened(folder))
