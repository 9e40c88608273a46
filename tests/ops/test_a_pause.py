"""What everybody is shown of a pause: who, since when, why; and that nothing is wrong because of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from consumer.ops.causes import UNMOVED_SECONDS, Cause, findings
from consumer.ops.health import readiness
from consumer.ops.partition_view import Waits
from consumer.ops.status import status
from consumer.sequencing.gate import State
from consumer.sequencing.pauses import PauseOrder
from tests.ops.given_snapshot import snapshot

PAUSE = PauseOrder(True, "ann@laptop", 1_764_450_000_000, "CustomFit is being moved")
SENTENCE = "paused by ann@laptop since 2025-11-29T21:00:00.000+00:00 because: CustomFit is being moved"


def test_it_is_ready_and_says_by_whose_order_it_sends_nothing() -> None:
    """A restart would change nothing, and whoever looks knows whom to ask. A partition that waits is not stuck."""
    shown = replace(snapshot(), pause=PAUSE, unpaused_seconds=0.0)
    waiting = replace(shown.partitions[0], unfinished=3, unmoved_seconds=3600.0)
    shown = replace(shown, partitions=(waiting,))
    told = status(shown, 0.0, shown.taken_at)

    assert (True, "paused", [SENTENCE]) == readiness(shown)
    assert {"by": "ann@laptop", "since": "2025-11-29T21:00:00.000+00:00", "reason": PAUSE.reason} == told["pause"]
    assert ("paused", SENTENCE) == (told["first"]["cause"], told["first"]["text"])
    assert SENTENCE == told["partitions"][0]["why"]


def test_a_pause_hides_nothing() -> None:
    """A wrong key is still a wrong key, and a partition that somebody must start is named beside it."""
    shown = replace(snapshot(), pause=PAUSE, unpaused_seconds=0.0, destination_state=State.STOPPED)
    [view] = snapshot().partitions
    leaderless = replace(
        shown, destination_state=State.DELIVERING, partitions=(replace(view, waits=Waits(has_leader=False)),)
    )

    assert (False, "stopped") == readiness(shown)[:2]
    assert [Cause.PAUSED, Cause.LEADER_MISSING] == [finding.cause for finding in findings(leaderless)]


@pytest.mark.parametrize(("seconds", "found"), [(1.0, []), (UNMOVED_SECONDS, [Cause.NO_PROGRESS])])
def test_after_a_pause_it_has_time_to_move(seconds: float, found: list[Cause]) -> None:
    """What has stood still for an hour did so by order."""
    view = replace(snapshot().partitions[0], unfinished=3, unmoved_seconds=3600.0)
    shown = replace(snapshot(), unpaused_seconds=seconds, partitions=(view,), destination_seconds=60.0)

    assert found == [finding.cause for finding in findings(shown)]


def test_a_member_that_does_not_know_yet_is_starting() -> None:
    """It sends nothing, as while all its state is read."""
    health = readiness(replace(snapshot(), is_pause_known=False, unpaused_seconds=0.0))

    assert (False, "starting", ["whether sending is paused is being read from the state topic"]) == health
