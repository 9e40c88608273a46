"""The rules as the settings' defaults make them, without a lease: nobody else can own a partition of these tests."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

from consumer.sequencing.lease import NO_LEASE
from consumer.sequencing.rules import SequencingRules
from tests.settings.given_settings import load


def rules(**changes: Any) -> SequencingRules:
    """The defaults with these changes."""
    return replace(_defaults(), **changes)


@cache
def _defaults() -> SequencingRules:
    return replace(load().fill(SequencingRules), lease_seconds=NO_LEASE.seconds)
