"""The settings of a simulated member, as the options of its world were drawn."""

from __future__ import annotations

import dataclasses
from functools import cache

from consumer.settings import KafkaProperties, Settings, load_settings
from tests.simulation.options import Options


@cache
def _default_settings() -> Settings:
    return load_settings({"CUSTOMFIT_API_KEY": "only-simulated"})


def drawn_settings(options: Options, dead_letter_ratio_max: float) -> Settings:
    """Those of the same name as options, and the defaults."""
    names = {field.name for field in dataclasses.fields(Settings)}
    drawn = {field.name: getattr(options, field.name) for field in dataclasses.fields(Options) if field.name in names}
    drawn |= {
        "dead_letter_ratio_max": dead_letter_ratio_max,
        "receipt_topic": "receipts" if options.receipts else None,
        "kafka_properties": KafkaProperties({"session.timeout.ms": f"{options.session_seconds * 1000:.0f}"}),
    }
    return dataclasses.replace(_default_settings(), **drawn)
