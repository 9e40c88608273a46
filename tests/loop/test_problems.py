"""How long a problem of an edge is shown."""

from __future__ import annotations

from consumer.loop.problems import DENIAL_SECONDS_MIN, Problems
from consumer.ops.metrics import Metrics
from consumer.ops.reporter import Reporter
from consumer.ports.inputs import AccessDenied
from tests.ops.given_snapshot import snapshot


def test_records_that_were_on_their_way_do_not_show_that_a_right_is_there_again() -> None:
    """The client names a denial once: taken back too soon, the topic would count as well for ever."""
    problems = Problems(Reporter(Metrics(snapshot), "letters"))
    problems.of_access(AccessDenied("events", "no right"), 100.0)

    problems.came_from({"events", "replays"}, 100.0 + DENIAL_SECONDS_MIN / 2)
    assert ("no right",) == problems.denied

    problems.came_from({"replays"}, 100.0 + DENIAL_SECONDS_MIN)
    assert ("no right",) == problems.denied

    problems.came_from({"events"}, 100.0 + DENIAL_SECONDS_MIN)
    assert not problems.denied
