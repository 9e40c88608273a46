"""What depends on settings takes them by name: no second list of defaults, and none that copies."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import pytest

from consumer.segment.decoding import DecodingRules
from consumer.sequencing.rules import SequencingRules
from tests.settings.given_settings import load


@pytest.mark.parametrize("kind", [DecodingRules, SequencingRules])
def test_every_rule_is_the_setting_of_its_name(kind: Any) -> None:
    """All fields, also those that follow from several settings."""
    settings = load(buffer_events_max="300", unidentified="dead-letter", anonymous="forward", kafka_topic="t")
    given = {"topic_life": "abc"} if kind is DecodingRules else {}  # it is each assignment's own
    rules: Any = settings.fill(kind, **given)
    named = [field.name for field in fields(kind) if field.name not in given]

    assert all(getattr(settings, name) == getattr(rules, name) for name in named)
    assert given == {name: getattr(rules, name) for name in given}


def test_what_follows_from_settings_is_filled_too() -> None:
    """Half the buffer may be held; the lease is what the session and the requests leave."""
    settings = load(
        buffer_events_max="300", request_timeout_seconds="10", kafka_properties='{"session.timeout.ms": 45000}'
    )
    rules = settings.fill(SequencingRules)

    assert (150, 34.0) == (rules.held_events_max, rules.lease_seconds)


def test_a_rule_without_a_setting_is_a_bug() -> None:
    """A misspelt name is found at the first start."""

    @dataclass
    class Misspelt:
        hold_secons: float

    with pytest.raises(AttributeError, match="hold_secons"):
        load().fill(Misspelt)
