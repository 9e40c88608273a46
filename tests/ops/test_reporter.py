"""What the log says of partitions that come and go."""

from __future__ import annotations

import pytest

from consumer.log_codes import Code
from consumer.ops.metrics import Metrics
from consumer.ops.reporter import Reporter
from consumer.sequencing.events import Partition
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


def test_a_topic_that_has_grown_is_told_with_what_follows(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody else in the log says why partitions move."""
    with caplog.at_level("INFO", "consumer"):
        Reporter(Metrics(snapshot), "letters").topic_grown("events", 4, 6)
    [line] = caplog.records

    assert line.getMessage().startswith("events has 6 partitions now, 4 before: ")
    assert (Code.TOPIC_GROWN, {"before": 4, "partitions": 6}) == (vars(line)["code"], vars(line)["fields"])
