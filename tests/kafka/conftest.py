"""A registry, and the edge at it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fakes.fake_registry import FakeRegistry, running_registry
from tests.kafka.given_registry import Asking


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    """An empty one."""
    with running_registry() as running:
        yield running


@pytest.fixture
def asking(registry: FakeRegistry) -> Iterator[Asking]:
    """The edge at that registry."""
    asking = Asking(registry.url)
    yield asking
    asking.edge.stop()
