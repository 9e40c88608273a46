"""Settings: what contradicts another, and that all problems are said at once."""

from __future__ import annotations

import pytest

from tests.settings.given_settings import load, problem, problems


@pytest.mark.parametrize(
    ("settings", "first", "second"),
    [
        ({"buffer_events_max": "255"}, "BUFFER_EVENTS_MAX (environment): 255", "IN_FLIGHT_MAX (default), which is 256"),
        ({"in_flight_max": "300", "buffer_events_max": "299"}, "BUFFER_EVENTS_MAX", "IN_FLIGHT_MAX (environment)"),
        ({"record_bytes_max": "134217729"}, "BUFFER_BYTES_MAX (default)", "RECORD_BYTES_MAX (environment)"),
        ({"dead_letter_topic": "segment-events"}, "DEAD_LETTER_TOPIC (environment)", "KAFKA_TOPIC (default)"),
        ({"replay_topic": "segment-events"}, "REPLAY_TOPIC (environment)", "KAFKA_TOPIC (default)"),
        (
            {"replay_topic": "a.customfit-dlq", "kafka_topic": "a"},
            "REPLAY_TOPIC (environment)",
            "DEAD_LETTER_TOPIC (default, from CUSTOMFIT_KAFKA_TOPIC)",
        ),
        ({"drain_seconds": "290"}, "DRAIN_SECONDS (environment): 290 s", "KAFKA_PROPERTIES (default)"),
        (
            {"kafka_properties": '{"max.poll.interval.ms": 25000, "session.timeout.ms": 6000}'},
            "DRAIN_SECONDS (default): 15 s and 10 s for the commit do not fit max.poll.interval.ms, 25 s",
            "use less than 15 or raise max.poll.interval.ms",
        ),
    ],
)
def test_conflicts(settings: dict[str, str], first: str, second: str) -> None:
    """Two settings that contradict each other are both named, each with its source."""
    message = problem(**settings)

    assert message.startswith(f"CUSTOMFIT_{first}")
    assert second in message


@pytest.mark.parametrize(
    "settings",
    [
        {"buffer_events_max": "256"},
        {"record_bytes_max": "134217728"},
        {"drain_seconds": "289.9"},
        {"kafka_properties": '{"max.poll.interval.ms": 25001, "session.timeout.ms": 20000}'},
    ],
)
def test_no_conflict_at_the_edge(settings: dict[str, str]) -> None:
    """The last value that fits is accepted."""
    assert () == load(**settings).warnings


def test_all_problems_at_once() -> None:
    """Nothing hides behind the first problem, and a wrong setting starts no chain of others."""
    found = problems(
        {"CUSTOMFIT_HOLD_SECOND": "1"}, in_flight_max="0", kafka_topic="a b", log_level="loud", kafka_properties="[]"
    )

    assert [
        "CUSTOMFIT_HOLD_SECOND",
        "CUSTOMFIT_KAFKA_TOPIC",
        "CUSTOMFIT_KAFKA_PROPERTIES",
        "CUSTOMFIT_IN_FLIGHT_MAX",
        "CUSTOMFIT_LOG_LEVEL",
    ] == [line.split()[0] for line in found]
