"""What goes wrong when, and what is produced, follows from the seed."""

from __future__ import annotations

from tests.chaos.records import Generator
from tests.chaos.schedule import Fault, schedule


def test_the_same_seed_gives_the_same_schedule_and_records() -> None:
    """Another one gives others; every fault has its end within the run."""
    everything = frozenset(Fault)
    episodes = schedule(7, 300, 3, 1, everything)
    one, again, other = (Generator(seed, 50, 6) for seed in (7, 7, 8))
    records = [one.next() for _ in range(1000)]

    assert episodes == schedule(7, 300, 3, 1, everything)
    assert episodes != schedule(8, 300, 3, 1, everything)
    assert all(0 < episode.begins < episode.ends <= 300 for episode in episodes)
    assert records == [again.next() for _ in range(1000)]
    assert records != [other.next() for _ in range(1000)]
