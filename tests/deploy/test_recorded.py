"""Scrapes of real faults (`make operations`), replayed by promtool: the rules say of them what they said in the run.

The series are those that a member really had while the broker was killed or the key was wrong, so that a rule that asks
for what is not there then is found. Times are shortened as they were in the run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.deploy.rules import RULE_FILES, read
from tests.deploy.tools import FOLDER as RULES
from tests.deploy.tools import need, promtools, run, version
from tests.operations import shortened
from tests.operations.expected import EXPECTED, LINGERING, Expected
from tests.operations.recorded import FOLDER, Recording, gone_on
from tests.operations.recorded import read as read_recording

BYTES_MAX: Final = 300_000
UNREPAIRED_SECONDS: Final = 1200
SCRAPE_SECONDS: Final = 1
"""A scrape is of the moment in which it began: one of a frozen member may be answered when it goes on."""
LATER_MINUTES: Final = 2
"""Of the rules: promtool looks at other moments than the Prometheus of the run did."""
PAGES: Final = 'ALERTS{alertstate="firing",severity="critical"'
FIRING: Final = 'ALERTS{alertstate="firing"'
with_each_promtool = pytest.mark.parametrize("promtool", promtools(), ids=version)


def _world(expected: Expected, recording: Recording) -> dict[str, Any]:
    """The unit test of one recording: what fires at each second of it, and what does not."""
    ignored = "|".join(sorted(expected.ignored))
    known = "|".join(sorted(expected.allowed | expected.ignored))
    other_pages = f'count({PAGES},alertname!~"{known}"}})'
    not_first = f'count({FIRING},alertname!~"{expected.first}|{ignored}"}} offset {expected.minute_seconds:.0f}s)'
    if expected.first:
        fired = f'{FIRING},alertname="{expected.first}"}}[{recording.ended}s]'
        not_first += f" unless on () count(count_over_time({fired}))"
    checks: list[tuple[str, int, list[dict[str, Any]]]] = []
    checks += [(other_pages, second, []) for second in range(recording.shown)]
    checks += [(not_first, second, []) for second in range(recording.shown)]
    at_the_end = f'count({FIRING},alertname!~"{"|".join(sorted(LINGERING))}"}})'
    checks.append((at_the_end, recording.ended + int(LATER_MINUTES * expected.minute_seconds) + 1, []))
    firing = f'count by (alertname) ({FIRING},alertname!~"{"|".join(sorted(expected.ignored | expected.may))}"}})'
    all_named = [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in sorted(expected.named)]
    checks.append((f"{firing} > bool 0", recording.shown - SCRAPE_SECONDS, all_named))
    return {
        "interval": "1s",
        "input_series": [{"series": name, "values": values} for name, values in recording.series.items()],
        "promql_expr_test": [
            {"expr": expression, "eval_time": f"{second}s", "exp_samples": samples}
            for expression, second, samples in checks
        ],
    }


def _file(folder: Path, expected: Expected, recording: Recording) -> Path:
    """What promtool reads, with the rules beside it."""
    shortened.write(folder, expected.minute_seconds)
    return _written(folder, f"{500 * expected.minute_seconds:.0f}ms", _world(expected, recording), "")


def _written(folder: Path, interval: str, world: dict[str, Any], rules: str) -> Path:
    test = {
        "rule_files": [f"{rules}{name}" for name in RULE_FILES],
        "group_eval_order": [group["name"] for name in RULE_FILES for group in read(name)["groups"]],
        "evaluation_interval": interval,
        "tests": [world],
    }
    file = folder / "recorded.yml"
    file.write_text(yaml.safe_dump(test), encoding="utf-8")
    return file


def _unrepaired(expected: Expected, recording: Recording) -> dict[str, Any]:
    """The unit test of what was recorded until the repair, and of what followed if nobody repaired it."""
    other_pages = f'count({PAGES},alertname!~"{"|".join(sorted(expected.unrepaired))}"}})'
    fired = f'{FIRING},alertname="{expected.first}"}}[{UNREPAIRED_SECONDS}s]'
    not_first = f'count({FIRING},alertname!="{expected.first}"}}) unless on () count(count_over_time({fired}))'
    at_last = f"count(count_over_time({fired})) > bool 0"
    tests: list[dict[str, Any]] = [
        {"expr": expression, "eval_time": f"{second}s", "exp_samples": []}
        for expression in (other_pages, not_first)
        for second in range(0, UNREPAIRED_SECONDS, 30)
    ]
    tests.append(
        {"expr": at_last, "eval_time": f"{UNREPAIRED_SECONDS}s", "exp_samples": [{"labels": "{}", "value": 1}]}
    )
    series = gone_on(recording, UNREPAIRED_SECONDS)
    return {
        "interval": "1s",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": tests,
    }


@with_each_promtool
@pytest.mark.parametrize("name", EXPECTED)
def test_a_recorded_fault_fires_its_alerts_and_no_other_page(promtool: str, name: str, tmp_path: Path) -> None:
    """The right one first, all that are named beside it, nothing else that pages, and at the end none."""
    run([need(promtool), "test", "rules", _file(tmp_path, EXPECTED[name], read_recording(name))])


@with_each_promtool
@pytest.mark.parametrize("name", [name for name, expected in EXPECTED.items() if expected.unrepaired])
def test_a_recorded_fault_that_nobody_repairs_fires_its_cause_first(promtool: str, name: str, tmp_path: Path) -> None:
    """By the rules as they are: what was recorded stays so for 20 min, and what waits grows older."""
    world = _unrepaired(EXPECTED[name], read_recording(name))
    run([need(promtool), "test", "rules", _written(tmp_path, "30s", world, f"{RULES}/")])


@with_each_promtool
def test_a_rule_that_is_wrong_is_found(promtool: str, tmp_path: Path) -> None:
    """The gate itself: with the name of the cause misspelt, the recorded wrong key fires another alert first."""
    file = _file(tmp_path, EXPECTED["wrong_key"], read_recording("wrong_key"))
    rules = tmp_path / "alerts.yml"
    rules.write_text(rules.read_text().replace('cause="destination_stopped"', 'cause="destination_stoped"'))

    with pytest.raises(AssertionError, match="CustomfitNotReady"):
        run([need(promtool), "test", "rules", file])


def test_recordings_are_small_and_none_is_of_nothing() -> None:
    """They are read by people who look at a change, too."""
    files = list(FOLDER.iterdir())

    assert sorted(EXPECTED) == sorted(file.stem for file in files)
    assert BYTES_MAX > sum(file.stat().st_size for file in files)
