"""A whole group is paused and goes on, and reads on from another place: on a real broker, with its commands."""

from __future__ import annotations

import json
import time
from collections import Counter
from typing import Any

import pytest

from tests.real_broker.running_service import Service, wait_until
from tests.real_broker.scene import Scene, partitions_of

FOLLOWED_SECONDS = 5.0
USERS = [f"user{number}" for number in range(12)]


@pytest.fixture
def partitions() -> int:
    """Two for each of two members."""
    return 4


def paused(service: Service) -> bool:
    """What it says of itself."""
    readiness = service.readiness()
    return (readiness.status_code, readiness.status) == (200, "paused")


def told(service: Service, *arguments: str, code: int = 0) -> Any:
    """What a command prints as JSON."""
    done = service.ask(*arguments, "--json")
    assert code == done.returncode, done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.mark.long
def test_a_pause_is_in_force_in_all_members_and_after_restarts(scene: Scene) -> None:
    """Also in the one without partition 0, and in one that starts from nothing; then all arrives, in order."""
    with scene.member("one") as one, scene.member("two") as two:
        one.wait_ready()
        two.wait_ready()
        wait_until(lambda: partitions_of(one) and partitions_of(two), "both have partitions")
        scene.produce_rounds(USERS, 0, 2)
        scene.wait_committed()
        first = told(one, "pause", "--reason", "a test")
        asked_at = time.monotonic()
        wait_until(lambda: paused(one) and paused(two), "both paused", FOLLOWED_SECONDS)
        seconds = time.monotonic() - asked_at
        second = told(two, "pause", "--reason", "another")
        scene.produce_rounds(USERS, 2, 4)
        before = scene.delivered()
        two.kill()
        with scene.member("three") as three:
            wait_until(lambda: paused(three), "a new member is paused")
            wait_until(lambda: sorted(partitions_of(one) + partitions_of(three)) == [0, 1, 2, 3], "they share")
            [reason] = {service.readiness().reasons for service in (one, three)}
            assert 0 == one.stop()
            one.restart()
            wait_until(lambda: paused(one), "paused after a restart")
            delivered_meanwhile = scene.delivered() - before
            resumed = told(three, "resume")
            wait_until(lambda: not (paused(one) or paused(three)), "both go on", FOLLOWED_SECONDS)
            scene.wait_committed()
            again = told(three, "resume")
            assert [0, 0] == [one.stop(), three.stop()]

    print(f"both were paused within {seconds:.1f} s")
    assert (True, True, "a test", 2) == (first["changed"], first["paused"], first["reason"], len(first["members"]))
    assert (False, first["by"], "a test") == (second["changed"], second["by"], second["reason"])
    assert (True, False, False) == (resumed["changed"], resumed["paused"], again["changed"])
    assert first["by"] in reason
    assert "a test" in reason
    assert 0 == delivered_meanwhile
    scene.check(USERS, 4)


def test_a_group_that_nobody_has_is_not_paused(scene: Scene) -> None:
    """A typo names a state topic that is not there: nothing is made, and the exit code is 69."""
    scene.settings["CUSTOMFIT_KAFKA_GROUP_ID"] = f"{scene.topic}-typo"
    with scene.member("nobody", command=("-c", "pass")) as beside:
        done = beside.ask("pause")

    assert 69 == done.returncode
    assert f"there is no topic '{scene.topic}-typo.identified-users'" in done.stderr
    assert f"{scene.topic}-typo.identified-users" not in scene.admin.list_topics(timeout=10).topics


@pytest.mark.long
def test_what_goes_out_again_is_what_was_said(scene: Scene) -> None:
    """Back to a time, and to the end; while a member runs nothing changes, and it is named."""
    with scene.member("one") as one:
        one.wait_ready()
        wait_until(lambda: len(partitions_of(one)) == 4, "it has all")
        scene.produce_rounds(USERS, 0, 2)
        scene.wait_committed()
        between_ms = time.time_ns() // 1_000_000 + 1
        wait_until(lambda: time.time_ns() // 1_000_000 > between_ms, "another millisecond")
        scene.produce_rounds(USERS, 2, 4)
        scene.wait_committed()
        since = ("offsets", "--to", f"{between_ms / 1000:.3f}")
        busy = one.ask(*since, "--yes")
        planned = told(one, *since, "--dry-run")
        before = Counter(one_id for ids in scene.sent().values() for one_id in ids)
        assert 0 == one.stop()
        nobody_asked = one.ask(*since)
        assert 0 == one.ask(*since, "--yes").returncode
        done = told(one, "offsets", "--to", f"{between_ms / 1000:.3f}", "--dry-run")
        one.restart()
        wait_until(lambda: scene.delivered() >= before.total() + planned["again"], "it goes out again")
        scene.wait_committed()
        assert 0 == one.stop()
        again = Counter(one_id for ids in scene.sent().values() for one_id in ids) - before
        scene.produce_rounds(USERS, 4, 5)
        skipped = told(one, "offsets", "--to", "latest", "--yes")
        early = told(one, "offsets", "--to", "1970-01-01T00:00:00Z", "--dry-run")
        one.restart()
        one.wait_ready()
        wait_until(lambda: len(partitions_of(one)) == 4, "it has all again")
        scene.wait_committed()
        assert 0 == one.stop()

    assert 75 == busy.returncode
    assert "customfit-consumer at 127.0.0.1" in busy.stderr
    assert ["customfit-consumer"] == [member["client_id"] for member in planned["members"]]
    assert 2 == nobody_asked.returncode
    assert (24, 0) == (planned["again"], planned["never"])
    assert Counter({f"{user}-{number}": 1 for user in USERS for number in (2, 3)}) == again
    assert (0, 0) == (done["again"], done["never"])
    assert (0, 12) == (skipped["again"], skipped["never"])
    assert {"the time is before its first record: earliest"} == {
        row["note"] for row in early["partitions"] if row["before"]
    }
    assert not [one_id for ids in scene.sent().values() for one_id in ids if one_id.endswith("-4")]
