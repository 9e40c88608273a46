"""What the log says of partitions that come and go; and of the destination, in the words that all others use."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple, cast

import pytest

from consumer.log_codes import Code
from consumer.ops.causes import MEANINGS, findings
from consumer.ops.metrics import Metrics
from consumer.ops.reporter import Reporter
from consumer.sequencing.events import Partition
from consumer.sequencing.gate import Gate, State
from consumer.sequencing.pauses import PauseOrder
from tests.ops.given_snapshot import snapshot


@pytest.mark.parametrize(
    ("event", "partitions", "kept", "code", "words"),
    [
        ("assigned", [], 0, Code.PARTITIONS_ASSIGNED, "this member stands by, and takes over when one of them leaves"),
        ("assigned", [], 3, Code.PARTITIONS_ASSIGNED, "partitions assigned: none beside the 3 it has"),
        ("assigned", [Partition("t", 1), Partition("t", 2)], 0, Code.PARTITIONS_ASSIGNED, "assigned: t-1, t-2"),
        ("revoked", [Partition("t", 1)], 0, Code.PARTITIONS_REVOKED, "partitions revoked: t-1"),
        ("lost", [Partition("t", 1)], 0, Code.PARTITIONS_LOST, "partitions lost: t-1"),
    ],
)
def test_a_rebalance_is_told_with_its_meaning(
    event: str, partitions: list[Partition], kept: int, *, code: Code, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Of a member without partitions above all: nothing is wrong with it."""
    with caplog.at_level("INFO", "consumer"):
        Reporter(Metrics(snapshot), "letters").rebalanced(event, partitions, kept)
    [line] = caplog.records

    assert line.getMessage().endswith(words)
    assert (code, len(partitions)) == (vars(line)["code"], vars(line)["fields"]["count"])


class Said(NamedTuple):
    """A gate that has come to this state."""

    state: State
    reason: str


@pytest.mark.parametrize(
    ("before", "state", "reason"),
    [
        (State.DELIVERING, State.STOPPED, "it answered 401; check CUSTOMFIT_API_KEY"),
        (State.DELIVERING, State.UNAVAILABLE, "503"),
        (State.DELIVERING, State.THROTTLED, "it answered 429"),
        (State.UNAVAILABLE, State.THROTTLED, "it answered 429"),
    ],
)
def test_the_log_and_readyz_say_the_same_of_the_destination(
    before: State, state: State, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    """In the same words, as do the page, `top` and /readyz, which have theirs from here: one word for one thing."""
    shown = replace(snapshot(), destination_state=state, destination_reason=reason)
    with caplog.at_level("INFO", "consumer"):
        Reporter(Metrics(snapshot), "letters").destination_changed(before, cast(Gate, Said(state, reason)))
    [line], [finding] = caplog.records, findings(shown)

    assert line.getMessage().startswith(f"{finding.text};")
    assert finding.cause.value == vars(line)["code"]
    assert MEANINGS[finding.cause].startswith("The destination is throttled") == (state is State.THROTTLED)


def test_the_log_and_readyz_say_the_same_of_a_pause(caplog: pytest.LogCaptureFixture) -> None:
    """By whom, since when, and why."""
    pause = PauseOrder(True, "ann@laptop", 1_764_450_000_000, "CustomFit is being moved")
    with caplog.at_level("INFO", "consumer"):
        Reporter(Metrics(snapshot), "letters").paused(pause)
    [line], [finding] = caplog.records, findings(replace(snapshot(), pause=pause))

    assert f"sending is {finding.text}" == line.getMessage()
    assert finding.cause.value == vars(line)["code"]


def test_a_topic_that_has_grown_is_told_with_what_follows(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody else in the log says why partitions move."""
    with caplog.at_level("INFO", "consumer"):
        Reporter(Metrics(snapshot), "letters").topic_grown("events", 4, 6)
    [line] = caplog.records

    assert line.getMessage().startswith("events has 6 partitions now, 4 before: ")
    assert (Code.TOPIC_GROWN, {"before": 4, "partitions": 6}) == (vars(line)["code"], vars(line)["fields"])
