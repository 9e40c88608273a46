"""How long a right counts as missing. The client names it once."""

from __future__ import annotations

import pytest

from consumer.loop.problems import SEEN_SECONDS, Problems
from consumer.ops.metrics import Metrics
from consumer.ops.reporter import Reporter
from consumer.ports.inputs import GROUP, AccessDenied
from tests.ops.given_snapshot import snapshot


@pytest.fixture
def problems() -> Problems:
    """A topic is denied since 100.0, and so is the group."""
    denied = Problems(Reporter(Metrics(snapshot), "letters"))
    denied.of_access(AccessDenied("events", "no right to read"), 100.0)
    denied.of_access(AccessDenied(GROUP, "no member"), 100.0)
    return denied


def test_a_grant_says_nothing_of_other_topics(problems: Problems) -> None:
    """A topic that is denied is taken away, and a grant of nothing follows at once: /readyz said ready then."""
    problems.access_again({GROUP, "replays"})

    assert ["no right to read"] == list(problems.denied)


def test_a_topic_that_may_be_looked_at_again_is_not_denied(problems: Problems) -> None:
    """Its partitions are another member's now. What was heard before the denial says nothing."""
    problems.seen({"events"}, 100.0 + SEEN_SECONDS - 0.1)
    assert 2 == len(problems.denied)

    problems.seen({"replays"}, 100.0 + SEEN_SECONDS)
    assert 2 == len(problems.denied)

    problems.seen({"events"}, 100.0 + SEEN_SECONDS)
    assert ["no member"] == list(problems.denied)
