"""What /readyz, /livez and /metrics of `rekey` say."""

from __future__ import annotations

import json
import time

from consumer.ops.server import Asked, Page
from consumer.rekey.figures import (
    FIGURES,
    LOOP_SILENT_SECONDS_MAX,
    SILENT_SECONDS,
    STUCK_SECONDS,
    Figures,
    not_alive,
    not_ready,
    produced_at,
)
from consumer.rekey.pages import routes

NOW = 1000.0


def working() -> Figures:
    """One that reads and writes."""
    return Figures(phase="running", joined=True, turned_at=NOW, wrote_at=NOW)


def page(figures: Figures, path: str) -> Page:
    """As it is served."""
    return routes(figures, {"group": "g"}, lambda text: text.replace("secret", "***"))[path].answer(Asked())


def test_one_that_works_is_ready() -> None:
    """Also with a client that is working on something by itself."""
    figures = working()
    figures.client_problem = "1 of 3 brokers is down"
    assert not_ready(figures, NOW + STUCK_SECONDS - 6) is None


def test_what_keeps_it_from_working_is_said() -> None:
    """Before it has joined, while it hangs or may not read, while transactions are aborted or nothing is written."""
    assert "starting" == not_ready(Figures(), NOW)
    not_joined = working()
    not_joined.joined = False
    assert "the consumer group has not answered yet" == not_ready(not_joined, NOW)
    assert "the loop has not turned for 11 s" == not_ready(working(), NOW + SILENT_SECONDS + 1)
    not_joined.problem = "the transaction was taken away"
    assert "the transaction was taken away" == not_ready(not_joined, NOW)
    forbidden = working()
    forbidden.denied = "the right to Read is missing"
    assert "the right to Read is missing" == not_ready(forbidden, NOW)
    aborted = working()
    aborted.problem = "the topic does not take it"
    assert "the topic does not take it" == not_ready(aborted, NOW)
    stuck = working()
    stuck.turned_at, stuck.client_problem = NOW + 20, "no broker"
    assert "records wait, and none was written for 20 s: no broker" == not_ready(stuck, NOW + 20)


def test_only_a_loop_that_hangs_is_not_alive() -> None:
    """A restart changes nothing of a broker that is away."""
    assert not_alive(working(), NOW + LOOP_SILENT_SECONDS_MAX) is None
    assert not_alive(working(), NOW + LOOP_SILENT_SECONDS_MAX + 1) is not None


def test_the_pages_say_it_without_secrets() -> None:
    """With the status that probes look at."""
    figures = Figures(phase="running", joined=True, problem="a secret")
    assert 503 == page(figures, "/readyz").status
    assert {"status": "not ready", "reasons": ["a ***"]} == json.loads(page(figures, "/readyz").body)
    assert 200 == page(figures, "/livez").status
    assert "g" == json.loads(page(figures, "/status").body)["group"]


def test_every_figure_is_in_the_metrics_from_the_start() -> None:
    """Counters at 0 for each of their values; lags when there are partitions."""
    partition = ("events", "0")
    figures = Figures(lags={partition: 7}, since={partition: None}, turned_at=time.monotonic())
    text = page(figures, "/metrics").body.decode()
    for figure in FIGURES:
        assert f"\n{figure.shown}" in text
    assert 'customfit_rekey_records_total{end="batch_passed_on"} 0.0' in text
    assert 'customfit_rekey_lag_events{partition="0",topic="events"} 7.0' in text
    assert 'customfit_rekey_lag_seconds{partition="0",topic="events"} 0.0' in text


def lag_seconds(figures: Figures, now: float) -> list[float]:
    """Of all its partitions."""
    [figure] = [one for one in FIGURES if one.name == "customfit_rekey_lag_seconds"]
    return [seconds for _, seconds in figure.samples(figures, now)]


def test_a_partition_is_as_late_as_its_oldest_record_that_is_not_written() -> None:
    """By the record's own time, and later with each moment, also while the loop hangs."""
    at = produced_at(3, 40_000, None, NOW, wall_ms=100_000)
    figures = Figures(since={("events", "0"): at})
    assert [60.0] == lag_seconds(figures, NOW)
    assert [75.0] == lag_seconds(figures, NOW + 15)


def test_a_record_that_is_not_fetched_is_as_old_as_is_known() -> None:
    """A partition without a leader brings nothing: it counts from what was known, or from when it was noticed."""
    assert 940.0 == produced_at(3, None, 940.0, NOW, wall_ms=100_000)
    assert NOW == produced_at(3, None, None, NOW, wall_ms=100_000)


def test_nothing_is_late_when_all_is_written_or_its_time_is_to_come() -> None:
    """Whatever was known before, and whatever a producer's clock says."""
    assert produced_at(0, None, 940.0, NOW, wall_ms=100_000) is None
    assert NOW == produced_at(1, 200_000, None, NOW, wall_ms=100_000)
