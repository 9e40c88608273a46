"""What explains that a partition does not move, and for how long it does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from consumer.ops.causes import ANSWER_SECONDS, FULL_SECONDS, RECORD_SECONDS, UNMOVED_SECONDS, Cause, findings
from consumer.ops.partition_view import Waits
from consumer.sequencing.gate import State
from tests.ops.given_snapshot import snapshot

HOLD_SECONDS = 30.0


@pytest.mark.parametrize(
    ("unmoved_seconds", "waits", "found"),
    [
        (UNMOVED_SECONDS - 1, Waits(), []),
        (UNMOVED_SECONDS, Waits(), [Cause.NO_PROGRESS]),
        (UNMOVED_SECONDS, Waits(held_events=3, hold_seconds=HOLD_SECONDS), []),
        (UNMOVED_SECONDS, Waits(held_events=2, hold_seconds=HOLD_SECONDS), [Cause.NO_PROGRESS]),
        (UNMOVED_SECONDS, Waits(held_events=1, retried_events=2, hold_seconds=HOLD_SECONDS), []),
        (UNMOVED_SECONDS + HOLD_SECONDS, Waits(held_events=3, hold_seconds=HOLD_SECONDS), [Cause.NO_PROGRESS]),
        (UNMOVED_SECONDS + HOLD_SECONDS, Waits(retried_events=3, hold_seconds=HOLD_SECONDS), []),
    ],
)
def test_a_partition_that_does_not_move(unmoved_seconds: float, waits: Waits, found: list[Cause]) -> None:
    """Three events in hand: a hold explains them no longer than it may last, a user who fails for as long as it is."""
    shown = snapshot()
    view = replace(shown.partitions[0], unfinished=3, unmoved_seconds=unmoved_seconds, waits=waits)
    shown = replace(shown, partitions=(view,), destination_seconds=60.0)

    assert found == [finding.cause for finding in findings(shown)]


def test_dead_letters_that_cannot_be_written_are_named_before_the_partition_that_waits_for_them() -> None:
    """The log says so, too; that no record is acknowledged is what follows from it."""
    shown = snapshot()
    view = replace(shown.partitions[0], waits=Waits(record_seconds=RECORD_SECONDS))
    shown = replace(shown, partitions=(view,), dead_letter_problem="the dlq: Unknown topic or partition")

    assert [Cause.DEAD_LETTERS_NOT_WRITTEN, Cause.RECORDS_NOT_WRITTEN] == [one.cause for one in findings(shown)]


@pytest.mark.parametrize(
    ("full_seconds", "answer_seconds", "state", "found"),
    [
        (FULL_SECONDS, ANSWER_SECONDS, State.DELIVERING, [Cause.DESTINATION_SLOW]),
        (FULL_SECONDS - 0.1, 9.0, State.DELIVERING, []),
        (600.0, ANSWER_SECONDS - 0.1, State.DELIVERING, []),
        (0.0, 9.0, State.DELIVERING, []),
        (600.0, 9.0, State.UNAVAILABLE, [Cause.DESTINATION_UNAVAILABLE]),
        (600.0, 9.0, State.THROTTLED, [Cause.DESTINATION_THROTTLED]),
    ],
    ids=["slow", "a burst", "quick answers to a backlog", "slow, and nobody waits", "away", "throttled"],
)
def test_a_destination_is_slow_while_others_wait_for_its_answers(
    full_seconds: float, answer_seconds: float, state: State, found: list[Cause]
) -> None:
    """Either alone is no cause, and what it says itself comes first."""
    shown = replace(snapshot(), full_seconds=full_seconds, answer_seconds=answer_seconds, destination_state=state)

    assert found == [finding.cause for finding in findings(shown)]
