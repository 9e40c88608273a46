"""What a row of the table of metrics may be: read from the snapshot, or counted by the edges. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import product
from typing import Literal, NamedTuple

from consumer.ops.partition_view import PartitionView
from consumer.ops.snapshot import Snapshot


class Now(NamedTuple):
    """The moment of a scrape: the time of day, and the clock behind this process's timestamps."""

    wall_seconds: float
    monotonic_seconds: float


LabelValues = tuple[str, ...]
Samples = Iterable[tuple[LabelValues, float]]


@dataclass(frozen=True, slots=True)
class FromSnapshot:
    """A metric whose figures are in the snapshot. A counter's name ends in `_total` when it is shown."""

    kind: Literal["gauge", "counter"]
    name: str
    help: str
    labels: LabelValues
    read: Callable[[Snapshot, Now], Samples]


@dataclass(frozen=True, slots=True)
class Counted:
    """A counter that the edges count up. Every combination in `values` is there from the start."""

    name: str
    help: str
    labels: LabelValues
    values: tuple[LabelValues, ...]


@dataclass(frozen=True, slots=True)
class Durations:
    """A histogram of seconds; `bounds` are the upper ends of its buckets."""

    name: str
    help: str
    bounds: tuple[float, ...]


class Row(NamedTuple):
    """What the documentation says of a metric."""

    name: str
    kind: str
    labels: LabelValues
    help: str


def gauge(name: str, text: str, read: Callable[[Snapshot, Now], float]) -> FromSnapshot:
    """One figure that goes up and down."""
    return FromSnapshot("gauge", name, text, (), lambda snapshot, now: [((), read(snapshot, now))])


def total(name: str, text: str, read: Callable[[Snapshot, Now], float]) -> FromSnapshot:
    """One figure that only goes up."""
    return FromSnapshot("counter", name, text, (), lambda snapshot, now: [((), read(snapshot, now))])


def per_partition(name: str, text: str, read: Callable[[PartitionView, Now], float | None]) -> FromSnapshot:
    """A gauge for each of our partitions. A partition for which it is None has no series."""

    def samples(snapshot: Snapshot, now: Now) -> Iterator[tuple[LabelValues, float]]:
        for view in snapshot.partitions:
            if (value := read(view, now)) is not None:
                yield view.labels, value

    return FromSnapshot("gauge", name, text, ("topic", "partition"), samples)


def one_of(name: str, text: str, label: str, states: type[Enum], read: Callable[[Snapshot, Now], Enum]) -> FromSnapshot:
    """A gauge for each state that something can be in: 1 for its present state, 0 for the others."""

    def samples(snapshot: Snapshot, now: Now) -> Samples:
        present = read(snapshot, now)
        return [((str(state.value),), int(state is present)) for state in states]

    return FromSnapshot("gauge", name, text, (label,), samples)


def flags(
    name: str, text: str, label: str, known: Iterable[str], read: Callable[[Snapshot, Now], Iterable[str]]
) -> FromSnapshot:
    """A gauge for each known value: 1 for every value that is present, 0 for the others."""
    closed = tuple(known)

    def samples(snapshot: Snapshot, now: Now) -> Samples:
        present = set(read(snapshot, now))
        assert present.issubset(closed), present.difference(closed)
        return [((value,), int(value in present)) for value in closed]

    return FromSnapshot("gauge", name, text, (label,), samples)


def counted(name: str, text: str, **labels: Iterable[str]) -> Counted:
    """A counter with all combinations of these labels' values."""
    return Counted(name, text, tuple(labels), tuple(product(*labels.values())))
