"""The rules with shortened times are the project's rules: nothing but times differs."""

from __future__ import annotations

import re

import yaml

from tests.deploy.rules import read
from tests.operations import shortened
from tests.operations.expected import EXPECTED, SEVERITY
from tests.operations.first_lines import cause_of
from tests.operations.recorded import long, short


def test_a_minute_lasts_a_second() -> None:
    """In `for`, in windows, in intervals; a number that is no time stays."""
    text = "interval: 30s, for: 15m, expr: increase(x[1h]) > 5 and y offset 2d"

    assert "interval: 500ms, for: 15000ms, expr: increase(x[60000ms]) > 5 and y offset 2880000ms" == (
        shortened.shortened(text, 1.0)
    )
    assert "for: 90000ms" == shortened.shortened("for: 15m", 6.0)


def test_no_time_of_the_rules_is_left_as_it_was() -> None:
    """One that the pattern does not know would be an hour among seconds."""
    for name, text in shortened.rules().items():
        without_texts = re.sub(r"^ *(#|summary|description).*", "", text, flags=re.MULTILINE)
        assert [] == re.findall(r"\b\d+[smhdwy]\b(?!s)", without_texts), name


def test_they_are_the_same_rules() -> None:
    """In the same groups and order, with the same labels and texts."""
    for name, text in shortened.rules().items():
        for mine, theirs in zip(yaml.safe_load(text)["groups"], read(name)["groups"], strict=True):
            assert [theirs["name"], len(theirs["rules"])] == [mine["name"], len(mine["rules"])]
            for one, other in zip(mine["rules"], theirs["rules"], strict=True):
                times = {"for": 0, "expr": ""}
                assert {**other, **times} == {**one, **times}


def test_each_alert_that_a_scene_expects_is_there() -> None:
    """By its name."""
    wanted = {name for one in EXPECTED.values() for name in one.named | one.silenced | one.meanwhile}

    assert set() == wanted - set(SEVERITY)


def test_values_are_written_as_promtool_reads_them() -> None:
    """Runs of equal steps; what is not there at first, and what ends."""
    values = [None, None, 1, 1, 1, 2, 4, 6, None, None, 9, 7, None]

    assert "_x2 1x2 2+2x2 stale _x1 9-2x1 stale" == " ".join(short(values))
    assert values == long(" ".join(short(values)))


def test_the_cause_of_a_line_is_what_it_says_is_wrong() -> None:
    """Of /readyz and of the log, which differ in how long it has lasted, and in what they add."""
    readyz = (
        "segment-events-0: more than 50% of its records would be dead letters (last: x); if that is right, raise it"
    )
    log = "partition segment-events-0 is stopped: more than 50% of its records would be dead letters (last: x); restart"

    assert cause_of(readyz) == cause_of(log) == "more than #% of its records would be dead letters (last: x)"
    assert cause_of("the destination is stopped: 401") != cause_of("the destination is stopped: 404x")
