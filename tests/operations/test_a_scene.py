"""One scene of `make operations`, as a sample: the others take 20 minutes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.operations.places import Places
from tests.operations.programs import missing as programs_missing
from tests.operations.run import one
from tests.real_broker.broker import missing

pytestmark = [pytest.mark.long, pytest.mark.kafka]


@pytest.fixture(autouse=True)
def _all_is_there() -> None:
    """Skips where a broker or Prometheus can't be started."""
    if (problem := missing() or programs_missing()) is not None:
        if os.environ.get("REQUIRE_KAFKA") == "1":
            pytest.fail(problem, pytrace=False)
        pytest.skip(problem)


def test_a_wrong_key_is_told_alike_by_prometheus_readyz_and_the_log(tmp_path: Path) -> None:
    """The right alert first, no other page, its symptoms silenced; when the key is right again, all of them end."""
    with Places(tmp_path) as places:
        outcome = one(places, "wrong_key")

    assert outcome.row is not None, outcome.story
    assert outcome.recorded is not None
    assert outcome.recorded.series
