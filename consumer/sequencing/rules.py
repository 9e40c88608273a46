"""The settings that the sequencer depends on, under the same names. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from consumer.choices import Unidentified


@dataclass(frozen=True, slots=True)
class SequencingRules:
    """`Settings.fill` takes each field from the setting, or the property, of the same name."""

    batch_events_max: int
    batch_bytes_max: int
    buffer_events_max: int
    buffer_bytes_max: int
    hold_seconds: float
    held_events_max: int
    known_users_max: int
    unidentified: Unidentified
    give_up_seconds: float
    uncommitted_events_max: int
    commit_interval_seconds: float
    dead_letter_ratio_max: float
    lease_seconds: float
    requests_per_second_max: float | None = None
    """For the whole group; None: no limit."""
    receipt_topic: str | None = None
    """If not None: an event is finished only when its receipt is acknowledged."""
