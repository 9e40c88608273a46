"""A group's coordinator that takes connections and answers nothing, as one that is frozen does."""

from __future__ import annotations

import pytest

from consumer.exit_codes import EXIT_UNDRAINED
from tests.real_broker.running_service import wait_until
from tests.real_broker.scene import Scene


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
@pytest.mark.long
def test_a_stop_ends_though_the_coordinator_is_silent(own_scene: Scene, protocol: str) -> None:
    """What it has finished can't be committed any more: it says so by its exit code, and does not hang."""
    scene = own_scene
    if protocol == "consumer":
        scene.properties = {"group.protocol": "consumer"}
    scene.settings |= {"CUSTOMFIT_DRAIN_SECONDS": "2", "CUSTOMFIT_COMMIT_INTERVAL_SECONDS": "60"}
    with scene.member("one").wait_ready() as one:
        scene.produce_rounds(["ann", "bob"], 0, 5)
        wait_until(lambda: scene.delivered() == 10, "the first are finished")
        scene.produce_rounds(["ann", "bob"], 5, 10)
        wait_until(lambda: scene.delivered() == 20, "all is finished and not all of it committed")
        scene.broker.freeze()
        try:
            assert EXIT_UNDRAINED == one.stop(), one.log
        finally:
            scene.broker.thaw()
