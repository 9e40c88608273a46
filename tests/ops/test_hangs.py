"""A loop that hangs is said in the log by a thread that does not, with the place where it stands."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace

import pytest

from consumer.ops.hangs import Hangs, stack_of
from consumer.ops.snapshot import Phase
from consumer.sequencing.events import User
from tests.ops.given_snapshot import snapshot

TURNED = replace(snapshot(), taken_at=100.0)


def lines(caplog: pytest.LogCaptureFixture, *looks: float, phase: Phase = Phase.RUNNING) -> list[str]:
    """The codes of what is said when it is looked at then; at 120 the loop has turned."""
    hangs = Hangs(threading.get_ident())
    with caplog.at_level(logging.WARNING, "consumer"):
        for now in looks:
            hangs.look(replace(TURNED, phase=phase, taken_at=120.0 if now >= 120.0 else 100.0), now)
    return [str(record.__dict__["code"]) for record in caplog.records]


def test_it_is_said_once_and_when_it_is_over(caplog: pytest.LogCaptureFixture) -> None:
    """Not once a second."""
    assert ["loop_hangs", "loop_turns"] == lines(caplog, 101.0, 111.0, 112.0, 113.0, 114.0, 121.0, 122.0)
    assert "the loop has not turned for 12 s; it stands at hangs.py:" in caplog.text
    assert "test_hangs.py" in caplog.text


def test_a_process_that_was_stopped_as_a_whole_is_not_said_to_hang(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever looks first, the loop turns a moment later."""
    assert [] == lines(caplog, 101.0, 115.0, 120.5)


def test_before_it_runs_it_does_not_hang(caplog: pytest.LogCaptureFixture) -> None:
    """Kafka may be waited for."""
    assert [] == lines(caplog, 111.0, 112.0, 113.0, phase=Phase.STARTING)


def test_the_place_holds_no_data() -> None:
    """Names of files and functions alone; of a thread that has ended there is none."""
    user = User("ann-the-raw-id")
    thread = threading.Thread(target=lambda: None)
    thread.start()
    thread.join()

    assert stack_of(threading.get_ident()).split(" < ")[1].endswith(" test_the_place_holds_no_data")
    assert user.id not in stack_of(threading.get_ident())
    assert "no place: its thread has ended" == stack_of(-1)
