"""One rate for the group, with real processes: counted at the destination, through a hand-over and a kill -9."""

from __future__ import annotations

import pytest

from tests.real_broker.running_service import Service, wait_until
from tests.real_broker.scene import Scene, partitions_of

RATE = 60.0
MEMBERS = 2
MOST_IN_A_SECOND = RATE * 1.1 + MEMBERS + 1
"""The rate, a tenth of it, one for each member and one for the replays."""
USERS = [f"user-{number}" for number in range(150)]


@pytest.fixture
def partitions() -> int:
    """More than members."""
    return 4


def most_in_a_second(times: list[float]) -> int:
    """Of these, which are in order."""
    first = most = 0
    for last, at in enumerate(times):
        while times[first] <= at - 1:
            first += 1
        most = max(most, last - first + 1)
    return most


def test_two_members_and_a_kill_stay_within_one_rate(scene: Scene) -> None:
    """Shares add up to the whole, what is waited for is said, and the one that is left takes over the share."""
    scene.settings |= {"CUSTOMFIT_REQUESTS_PER_SECOND_MAX": f"{RATE:g}", "CUSTOMFIT_BATCH_EVENTS_MAX": "1"}
    scene.produce_rounds(USERS, 0, 5)
    ledger = scene.emulator.ledger
    with scene.member("one").wait_ready() as one, scene.member("two").wait_ready() as two:
        wait_until(lambda: len(partitions_of(one)) == len(partitions_of(two)) == 2, "the partitions are shared")
        wait_until(lambda: abs(share_of(one) + share_of(two) - RATE) < 0.01, "both have their share")
        wait_until(lambda: "your own limit" in two.json("/status")["first"]["text"], "the page says why")
        in_hand = two.json("/status")["partitions"]
        two.kill()
        wait_until(lambda: len(partitions_of(one)) == 4, "the other takes over")
        wait_until(lambda: abs(share_of(one) - RATE) < 0.01, "with its share")
        scene.wait_committed()
        waited = one.total("customfit_rate_wait_seconds_total")

    assert any("your own limit" in view["why"] for view in in_hand)
    assert waited > 1
    assert most_in_a_second([entry.accepted_at for entry in ledger.entries()]) <= MOST_IN_A_SECOND
    scene.check(USERS, 5)


def share_of(service: Service) -> float:
    """Requests a second, as it says."""
    return service.sample("customfit_rate_share") or 0.0
