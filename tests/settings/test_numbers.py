"""Settings: the limits of every number, and what counts as one."""

from __future__ import annotations

import pytest

from consumer.settings import variable
from consumer.settings.settings import RULES
from tests.settings.given_settings import load, problem

NUMBERS = [name for name, rule in RULES.items() if rule.low is not None]
# Leaves every numeric setting its whole range, whatever the others demand.
ROOM = {
    "CUSTOMFIT_IN_FLIGHT_MAX": "1",
    "CUSTOMFIT_BUFFER_BYTES_MAX": "68719476736",
    "CUSTOMFIT_RECORD_BYTES_MAX": "1000",
    "CUSTOMFIT_KAFKA_PROPERTIES": '{"max.poll.interval.ms": 86400000}',
}


def test_promised_limits() -> None:
    """The limits that users were promised, literally."""
    assert {
        "hold_seconds": "0 to 600 seconds",
        "in_flight_max": "1 to 4096 requests",
        "batch_events_max": "1 to 2500 events",
        "batch_bytes_max": "1000 to 100000000 bytes",
        "request_timeout_seconds": "0.1 to 300 seconds",
        "requests_per_second_max": "more than 0, at most 1000000 requests a second",
        "rekey_wait_seconds": "0 to 60 seconds",
        "give_up_seconds": "1 to 604800 seconds",
        "dead_letter_ratio_max": "more than 0, at most 1",
        "buffer_events_max": "1 to 10000000 events",
        "buffer_bytes_max": "1000 to 68719476736 bytes",
        "record_bytes_max": "1000 to 1000000000 bytes",
        "standby_records_per_second_max": "100 to 1000000 records a second",
        "known_users_max": "0 to 10000000 users",
        "commit_interval_seconds": "0.01 to 60 seconds",
        "uncommitted_events_max": "2 to 10000000 events",
        "drain_seconds": "0 to 3600 seconds",
        "startup_timeout_seconds": "1 to 3600 seconds",
        "http_port": "0 to 65535",
    } == {name: RULES[name].limits for name in NUMBERS}


@pytest.mark.parametrize("name", NUMBERS)
def test_limits_are_accepted(name: str) -> None:
    """The lowest and the highest value of each number are fine."""
    rule = RULES[name]
    assert rule.low is not None
    assert rule.high is not None
    for number in (rule.low + 0.001 if rule.low_excluded else rule.low, rule.high):
        settings = load(ROOM, **{name: f"{number:.15g}"})

        assert number == getattr(settings, name)


@pytest.mark.parametrize("name", NUMBERS)
def test_just_outside_is_refused(name: str) -> None:
    """A step below the lowest or above the highest value is one problem with setting, source and remedy."""
    rule = RULES[name]
    assert rule.low is not None
    assert rule.high is not None
    step = 1 if rule.default is not None and rule.default == str(rule.parse(rule.default)) else 0.001
    below = rule.low if rule.low_excluded else rule.low - step
    for number, wrong in ((below, "not above" if rule.low_excluded else "below"), (rule.high + step, "above")):
        text = problem(ROOM, **{name: f"{number:.15g}"})

        assert text.startswith(f"{variable(name)} (environment): {number:.15g} is {wrong} ")
        assert text.endswith(f"; use {rule.limits}")


def test_message_of_a_limit() -> None:
    """The wording, once in full."""
    assert "CUSTOMFIT_IN_FLIGHT_MAX (environment): 0 is below 1; use 1 to 4096 requests" == problem(in_flight_max="0")


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("text", ["12kB", "1_000", "nan", "inf", "0x10", "1e3", "\u0661", "1,5", " 1", "9" * 5000])
def test_only_plain_numbers(name: str, text: str) -> None:
    """Units, separators, exponents and other digits are refused with the range to use."""
    message = problem(ROOM, **{name: text})

    assert message.startswith(f"{variable(name)} (environment): ")
    assert message.endswith(f"; use {RULES[name].limits}")
