"""Once a second a few figures are noted: from the snapshot, and from what is counted anyway."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import replace

import pytest

from consumer.ops import recorder as recorder_module
from consumer.ops.metrics import Metrics
from consumer.ops.recorder import Recorder
from consumer.ops.snapshot import Snapshot
from consumer.sequencing.accounting import End
from consumer.sequencing.events import DeadLetterReason
from tests.ops.given_snapshot import snapshot


class Watched:
    """A process whose figures are set by hand."""

    def __init__(self) -> None:
        self.snapshot: Snapshot = snapshot()
        self.metrics = Metrics(lambda: self.snapshot)
        self.recorder = Recorder(lambda: self.snapshot, self.metrics)
        self.now = self.recorder._noted_at

    def pass_seconds(self, seconds: float) -> None:
        """And note the last of them."""
        self.now += seconds
        self.recorder.note(self.now, 1_795_428_000.0)

    def finish(self, delivered: int = 0, refused: int = 0) -> None:
        """So many more."""
        counts = Counter(self.snapshot.finished)
        counts[End.DELIVERED, None] += delivered
        counts[End.DEAD_LETTERED, DeadLetterReason.REFUSED] += refused
        self.snapshot = replace(self.snapshot, finished=counts)


def test_counts_become_rates() -> None:
    """Of this second alone."""
    watched = Watched()
    watched.finish(delivered=100, refused=3)
    watched.metrics.responded("5xx", [0.1, 0.2])
    watched.metrics.responded("2xx", [0.1])
    watched.pass_seconds(1.0)
    first = watched.recorder.newest()
    watched.pass_seconds(1.0)
    second = watched.recorder.newest()

    rates = ("delivered_per_second", "dead_letters_per_second", "retries_per_second")
    assert [100.0, 3.0, 2.0] == [first[name] for name in rates]
    assert [0.0, 0.0, 0.0] == [second[name] for name in rates]


def test_latency_is_that_of_the_events_of_this_second() -> None:
    """And not known where none was delivered."""
    watched = Watched()
    watched.metrics.delivered([0] * 100, 0.02)
    watched.pass_seconds(1.0)
    first = watched.recorder.newest()
    watched.pass_seconds(1.0)

    assert first["latency_p50_seconds"] is not None
    assert first["latency_p99_seconds"] is not None
    assert 0.01 < first["latency_p50_seconds"] < first["latency_p99_seconds"] <= 0.025
    assert watched.recorder.newest()["latency_p99_seconds"] is None


def test_lag_is_the_sum_of_the_partitions_and_the_age_of_the_oldest() -> None:
    """Of those whose lag is known; where none is, it is not known."""
    watched = Watched()
    view = watched.snapshot.partitions[0]
    behind = replace(view, end_offset=7, oldest_uncommitted_ms=1_795_427_990_000)
    unknown = replace(view, committed_offset=None)
    watched.snapshot = replace(watched.snapshot, partitions=(behind, behind, unknown), in_flight=5, held_events=6)
    watched.pass_seconds(1.0)
    known = watched.recorder.newest()
    watched.snapshot = replace(watched.snapshot, partitions=(unknown,))
    watched.pass_seconds(1.0)

    assert (14.0, 10.0) == (known["lag_events"], known["lag_seconds"])
    assert (5.0, 6.0) == (known["requests_in_flight"], known["held_events"])
    assert (None, None) == tuple(watched.recorder.newest()[name] for name in ("lag_events", "lag_seconds"))


def test_seconds_in_which_the_process_was_stopped_are_not_known() -> None:
    """What was counted since is a rate of all of them."""
    watched = Watched()
    watched.pass_seconds(1.0)
    watched.finish(delivered=50)
    watched.pass_seconds(5.0)

    assert [0.0, None, None, None, None, 10.0] == watched.recorder.as_json()["series"]["delivered_per_second"]


def test_it_notes_by_itself_while_the_loop_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """From a thread of its own, in step."""
    monkeypatch.setattr(recorder_module, "STEP_SECONDS", 0.001)
    watched, noted = Watched(), threading.Semaphore(0)
    note = watched.recorder.note

    def note_and_say_so(*times: float) -> None:
        note(*times)
        noted.release()

    monkeypatch.setattr(watched.recorder, "note", note_and_say_so)
    watched.recorder.start()
    came = [noted.acquire(timeout=60) for _ in range(5)]
    watched.recorder.stop()
    watched.recorder._thread.join(10)

    assert [True] * 5 == came
    assert not watched.recorder._thread.is_alive()
    assert len(watched.recorder.as_json()["series"]["lag_events"]) >= 5


def test_a_fault_of_the_history_ends_the_history_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """With a line in the log."""
    monkeypatch.setattr(recorder_module, "STEP_SECONDS", 0.001)
    watched = Watched()
    watched.snapshot = replace(watched.snapshot, partitions=None)  # type: ignore[arg-type]
    watched.recorder._noted_at = time.monotonic()
    watched.recorder.start()
    watched.recorder._thread.join(10)

    assert not watched.recorder._thread.is_alive()
    assert ["the history failed"] == [line.getMessage().partition(":")[0] for line in caplog.records]
