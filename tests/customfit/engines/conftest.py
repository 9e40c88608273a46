"""What the tests of the engines ask for: each engine in turn, a server's TLS."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.customfit.engines.given_engine import Open, opening
from tests.fakes.servers import TlsFiles, make_tls


@pytest.fixture(params=["httptools", "httpx"])
def engine_name(request: pytest.FixtureRequest) -> str:
    """Each engine."""
    return str(request.param)


@pytest.fixture
async def open_(engine_name: str) -> AsyncIterator[Open]:
    """Opens the engine under test for a URL; closes what it opened."""
    async with opening(engine_name) as open_one:
        yield open_one


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> TlsFiles:
    """An own CA, and a server's side of TLS with it."""
    files = make_tls(tmp_path_factory.mktemp("tls"))
    if files is None:
        pytest.skip("no openssl command")
    return files
