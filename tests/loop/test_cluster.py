"""What is known of the topics, and what of it is new."""

from __future__ import annotations

import pytest

from consumer.loop.cluster import Cluster
from consumer.ops.growth_note import Grown
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
    cluster.topics_seen(before, 1.0)

    assert grown == cluster.topics_seen(now, 2.0)
    assert {} == cluster.topics_seen(now, 3.0)


def test_how_the_source_has_grown_last_is_remembered() -> None:
    """For those who look at the page; other topics grow with it."""
    cluster = Cluster(load(kafka_topic="events"), 0.0)
    cluster.topics_seen({**seen(4), "events.replay": TopicSeen("other", 1, frozenset())}, 1.0)
    cluster.topics_seen({**seen(4), "events.replay": TopicSeen("other", 2, frozenset())}, 2.0)

    assert cluster.grown(3.0) is None

    cluster.topics_seen(seen(6), 4.0)
    cluster.topics_seen(seen(6), 5.0)

    assert Grown("events", 4, 6, 60.0) == cluster.grown(64.0)

    cluster.topics_seen(seen(9), 70.0)

    assert Grown("events", 6, 9, 1.0) == cluster.grown(71.0)
