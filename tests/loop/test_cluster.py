"""What is known of the topics, and what of it is new."""

from __future__ import annotations

import pytest

from consumer.loop.cluster import Cluster
from consumer.ports.inputs import TopicSeen
from tests.settings.given_settings import load


def seen(partitions: int | None, topic_id: str | None = "one") -> dict[str, TopicSeen]:
    """The topic, as the cluster describes it."""
    return {"events": TopicSeen(topic_id, partitions, frozenset())}


@pytest.mark.parametrize(
    ("before", "now", "grown"),
    [
        (seen(4), seen(6), {"events": (4, 6)}),
        (seen(4, None), seen(6, None), {"events": (4, 6)}),
        (seen(4), seen(4), {}),
        (seen(6), seen(4), {}),
        (seen(4), seen(6, "another"), {}),
        (seen(4), seen(None, None), {}),
        (seen(None, None), seen(6), {}),
        ({}, seen(6), {}),
    ],
)
def test_a_topic_that_has_more_partitions_has_grown(
    before: dict[str, TopicSeen], now: dict[str, TopicSeen], grown: dict[str, tuple[int, int]]
) -> None:
    """One that was made again, or is seen for the first time, has not."""
    cluster = Cluster(load(), 0.0)
    cluster.topics_seen(before)

    assert grown == cluster.topics_seen(now)
    assert {} == cluster.topics_seen(now)
