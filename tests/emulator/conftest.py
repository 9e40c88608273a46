"""A running emulator and a client of it; a file that needs another emulator has a fixture of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from consumer.emulator.ledger import Ledger
from consumer.emulator.server import Emulator
from tests.emulator.emulator_calls import KEY


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    """A running emulator; in its ledger it is always the same moment."""
    running = Emulator(ledger=Ledger(clock=lambda: 1_795_925_045.5))
    await running.start()
    yield running
    await running.stop()


@pytest.fixture
async def client(emulator: Emulator) -> AsyncIterator[httpx.AsyncClient]:
    """A client of it, with a key."""
    headers = {"Authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(base_url=emulator.base_url, headers=headers, trust_env=False) as made:
        yield made
