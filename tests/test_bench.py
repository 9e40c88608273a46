"""The benchmark's own judgement: the events it makes, what its tables say, that docs/performance.md says the same."""

from __future__ import annotations

import json
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from bench import report
from bench.contenders import CONTENDERS, OURS
from bench.loop_beside import interval
from bench.plots import Series, line_plot
from bench.scenarios import SCENARIOS
from bench.workload import EVENT_BYTES, Workload

MACHINE = {
    "cpu": "a processor",
    "cores": 2,
    "memory_gib": 24.0,
    "kernel": "6",
    "python": "3.13.1",
    "java": "17",
    "go": "1.26",
    "packages": {"httpx": "0.28.1"},
    "commit": "abc",
    "changed_since_commit": False,
    "load_average": 0.1,
}


def figures(events_per_second: float, **more: Any) -> dict[str, Any]:
    """One round of a contender that kept the order."""
    checks = {"out_of_order_or_twice": 0, "before_identify": 0, "not_understood": 0}
    measured = {"cpu_seconds_per_100k": 10.0, "peak_memory_mb": 100.0, "events_per_request": 2.0, "state_mb": 0}
    return {"events_per_second": events_per_second, **measured, **checks, **more}


def a_result(**more: Any) -> dict[str, Any]:
    """Two contenders, three rounds."""
    point = {
        "x": "64 at once, 0 ms",
        "latency_ms": 0,
        "in_flight": 64,
        "partitions": 6,
        "workload": {"users": 20_000, "events": 800_000},
        "rounds": {
            OURS: [figures(10_000), figures(8_000), figures(9_000)],
            "plain-loop": [figures(1_000), figures(1_000), figures(990)],
        },
    }
    head = {"scenario": "zero-latency-64", "title": "Fast", "axis": None, "shows": "throughput", "trial": False}
    return {**head, "machine": MACHINE, "started": "2026-11-24T10:00:00+00:00", "points": [point], **more}


def test_every_event_has_the_size_that_is_quoted() -> None:
    """600 bytes each, as JSON whose messageId says the event's number and whose key is its user."""
    events = list(islice(Workload(users=50), 2_000))

    assert {EVENT_BYTES} == {len(value) for _, value in events}
    assert [f"e{number:010d}" for number in range(2_000)] == [json.loads(value)["messageId"] for _, value in events]
    assert [key.decode() for key, _ in events] == [json.loads(value)["userId"] for _, value in events]


def test_a_users_first_event_is_their_identify() -> None:
    """So no contender has to introduce anybody, and the sink may call every other first event a fault."""
    first: dict[bytes, str] = {}
    for key, value in islice(Workload(users=500), 5_000):
        first.setdefault(key, json.loads(value)["type"])

    assert {"identify"} == set(first.values())


def test_the_busiest_tenth_of_the_users_causes_half_of_the_events() -> None:
    """The skew is the one that docs/performance.md tells of."""
    counts = Counter(key for key, _ in islice(Workload(), 100_000))
    busiest = sum(count for _, count in counts.most_common(2_000))

    assert 50 == pytest.approx(100 * busiest / 100_000, abs=5)
    assert 1 == pytest.approx(1_000 * counts.most_common(1)[0][1] / 100_000, abs=0.5)


def test_known_users_are_identified_first_and_once() -> None:
    """The first events are an identify of each user, the others are not identifies."""
    workload = Workload(users=100, identify_share=0, identify_all=True, even=True)
    types = [json.loads(value)["type"] for _, value in islice(workload, 1_000)]

    assert ["identify"] * 100 == types[:100]
    assert "identify" not in types[100:]


def test_ratios_are_taken_round_by_round() -> None:
    """The median of the ratios, and what they lie between; not the ratio of the medians."""
    text = report.section(a_result())

    assert "| plain-loop | 1,000 (990 to 1,000) | 0.11 (0.10 to 0.12) |" in text


@pytest.mark.parametrize("fault", ["out_of_order_or_twice", "before_identify", "not_understood"])
def test_one_event_out_of_order_is_shown_and_fails_the_run(fault: str) -> None:
    """However fast it was."""
    result = a_result()
    result["points"][0]["rounds"]["plain-loop"][1][fault] = 1

    assert report.is_broken(result)
    assert not report.is_broken(a_result())
    assert 1 == report.section(result).count("| BROKEN |")


def test_a_trial_is_not_quoted() -> None:
    """Short runs say so when they are printed, and do not get into the page."""
    page = report.PAGE.read_text()
    trial = a_result(trial=True)

    assert "not for quoting" in report.section(trial)
    assert report.rendered(page, []) == report.rendered(page, [trial])
    assert [] == list(report.plots([trial | {"axis": "users"}]))


def test_the_page_is_what_the_results_say() -> None:
    """docs/performance.md was made by `python -m bench.report` from the scenarios and results that are here."""
    page = report.PAGE.read_text()
    results = [json.loads(file.read_text()) for file in sorted(report.RESULTS.glob("*.json"))]

    assert report.rendered(page, results) == page
    for name, text in report.plots(results):
        assert text == Path(report.PAGE.parent, name).read_text()


def test_every_scenario_names_contenders_that_are() -> None:
    """At full length and in a trial."""
    for scenario in SCENARIOS.values():
        for point in [*scenario.points(None), *scenario.points(20_000)]:
            assert set(point.contenders) <= set(CONTENDERS)


def test_a_plot_shows_every_round_between_its_axes() -> None:
    """An SVG with a line for each contender; whiskers from the lowest to the highest round."""
    lines = [
        Series("ours <&>", [("1", 10.0, 8.0, 12.0), ("2", 20.0, 20.0, 20.0)]),
        Series("theirs", [("1", 5.0, 5.0, 5.0)]),
    ]
    root = ET.fromstring(line_plot("A & B", "users", "events/s", lines))  # noqa: S314  our own text
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]

    assert {"A & B", "users", "events/s", "1", "2", "ours <&>", "theirs", "0", "20"} <= set(texts)
    assert 2 == len(list(root.iter("{http://www.w3.org/2000/svg}polyline")))
    assert 3 == len(list(root.iter("{http://www.w3.org/2000/svg}circle")))


@pytest.mark.parametrize(("count", "first", "last"), [(3, 1, 3), (11, 2, 10), (101, 41, 61)])
def test_the_interval_of_a_median_is_that_of_the_tables(count: int, first: int, last: int) -> None:
    """95 %, by the order of the values, whichever comes first; of three there is none narrower than all of them."""
    values = [float(number) for number in range(count, 0, -1)]

    assert (float(first), (count + 1) / 2, float(last)) == tuple(interval(values))
