"""What the tests of the verifier ask for: a made-up run."""

from __future__ import annotations

import pytest

from tests.chaos.story import Story


@pytest.fixture
def story() -> Story:
    """A run in which nothing has happened yet."""
    return Story()
