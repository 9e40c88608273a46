"""Which windows a topic still has all of."""

from __future__ import annotations

from typing import cast

import pytest

from consumer.audit import retention
from consumer.audit.retention import TooOld, demand_kept
from consumer.audit.window import Window
from consumer.kafka.reader import Bounds, TopicReader
from consumer.sequencing.events import Partition, Record
from tests.settings.given_settings import load

FROM_MS, NOW_MS = 5_000, 9_000


class Reader:
    """Holds one record a partition, of this time, or none but markers."""

    def __init__(self, times_ms: dict[int, int]) -> None:
        self._times_ms = times_ms

    def first(self, topic: str, starts: dict[int, int]) -> dict[int, Record]:
        assert starts, "nothing is asked for nothing"
        return {
            number: Record(Partition(topic, number), low, self._times_ms[number], None, b"")
            for number, low in starts.items()
            if number in self._times_ms
        }


def too_old(bounds: Bounds, times_ms: dict[int, int], monkeypatch: pytest.MonkeyPatch, kept_ms: float = 0.0) -> str:
    """Why the window can't be judged; empty where it can."""
    monkeypatch.setattr(retention, "_kept_ms", lambda *_: kept_ms)
    reader = cast("TopicReader", Reader(times_ms))
    try:
        demand_kept(load(), reader, "events", {0: bounds}, Window(FROM_MS, NOW_MS, NOW_MS))
    except TooOld as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("bounds", "times_ms"), [(Bounds(0, 0), {}), (Bounds(0, 9), {0: 8_000}), (Bounds(4, 9), {0: 4_999})]
)
def test_what_begins_with_its_first_record_or_before_the_window_has_all_of_it(
    bounds: Bounds, times_ms: dict[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing that young was removed."""
    assert "" == too_old(bounds, times_ms, monkeypatch)


@pytest.mark.parametrize(
    ("bounds", "times_ms", "words"),
    [
        (Bounds(4, 9), {0: 5_000}, "partition 0 begins at 1970-01-01T00:00:05Z, with offset 4"),
        (Bounds(9, 9), {}, "partition 0 holds nothing, with offset 9"),
        (Bounds(4, 9), {}, "partition 0 holds nothing, with offset 4"),
    ],
    ids=["a later record", "no record", "markers of transactions"],
)
def test_what_may_have_lost_some_of_the_window_says_so_unless_its_retention_is_longer(
    bounds: Bounds, times_ms: dict[int, int], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Kafka has removed nobody can judge."""
    assert words in too_old(bounds, times_ms, monkeypatch)
    assert "" == too_old(bounds, times_ms, monkeypatch, kept_ms=NOW_MS - FROM_MS)
