"""One real broker for the whole test session, and a topic of its own for each test."""

import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kafka.broker import Broker, missing, required


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all that lies in this folder, so that `-m "not kafka"` leaves it out."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.kafka)


@pytest.fixture(scope="session")
def broker() -> Iterator[Broker]:
    """A real broker; a test that stops it must leave it running. Skips where it cannot be started."""
    if (problem := missing()) is not None:
        reason = f"needs a real Kafka broker: {problem}"
        if required():
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    with Broker() as running:
        yield running


@pytest.fixture
def topic_name(request: pytest.FixtureRequest) -> str:
    """A topic name that nobody has used, with the test's name in it; the topic itself is not created."""
    name: str = request.node.name
    return f"{re.sub(r'[^a-zA-Z0-9_-]+', '-', name)[:80]}-{uuid.uuid4().hex[:8]}"
