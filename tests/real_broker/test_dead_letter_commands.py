"""`dlq`, `lag` and `user` against a real broker: what they show, choose and change."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from consumer.emulator.server import Emulator
from tests.real_broker.broker import Broker
from tests.real_broker.given_letters import (
    PARTITIONS,
    Sent,
    arrived,
    dead_lettered,
    environment,
    identify,
    listed,
    producing_events,
    replay,
    run,
    track,
)
from tests.real_broker.running_service import Service, wait_until

# `user` asks for the group in the old way (consumer/kafka/old_member_request.py).
pytestmark = pytest.mark.filterwarnings("ignore:list_groups:DeprecationWarning")


@pytest.fixture
def partitions() -> int:
    """Of the topic."""
    return PARTITIONS


@pytest.fixture
def settings(settings: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """The environment of service and commands; the service makes the other topics."""
    return environment(settings, tmp_path)


@pytest.fixture
def produce(broker: Broker, topic_name: str) -> Callable[..., Sent]:
    """Produce events, keyed by their user."""
    return producing_events(broker, topic_name)


def test_filters_choose_and_identifies_need_to_be_asked_for(
    tmp_path: Path, settings: dict[str, str], emulator: Emulator, produce: Callable[..., Sent]
) -> None:
    """--reason, --user, --since and --until, --partition; --dry-run changes nothing; identifies only when asked."""
    emulator.faults.change({"refuse_names": ["Poison"], "refuse_users": ["eve"]})
    produce(identify("ann"), identify("bob"), identify("eve"))
    produce(track("ann", 1), track("bob", 2))
    produce("garbage", key="ann")
    with Service(tmp_path, settings).wait_ready() as service:
        dead_lettered(service, 4)
        letters = listed(settings)
        by_user = {letter["user"]: letter for letter in letters if letter["reason"] == "refused"}
        place = f"{by_user['ann']['partition']}:{by_user['ann']['offset']}"
        assert 4 == len(letters)
        assert ["undecodable"] == [letter["reason"] for letter in listed(settings, "--reason", "undecodable")]
        assert 2 == len(listed(settings, "--user", "ann"))
        assert 4 == len(listed(settings, "--since", "1h"))
        assert 0 == len(listed(settings, "--until", "1h"))
        assert 1 == len(listed(settings, "--limit", "1"))
        assert {by_user["bob"]["partition"]} == {
            letter["partition"] for letter in listed(settings, "--partition", str(by_user["bob"]["partition"]))
        }
        assert "customfit.http.status" in run(settings, "dlq", "show", place)
        assert "no dead letter 0:999" in run(settings, "dlq", "show", "0:999", code=1)
        assert "PARTITION:OFFSET" in run(settings, "dlq", "show", "x", code=2)
        emulator.faults.change({"refuse_names": [], "refuse_users": []})
        only_ann = ("--user", "ann", "--reason", "refused")
        assert {"refused": 1} == replay(settings, *only_ann, "--dry-run")["to_be_replayed"]
        assert {"refused": 1} == replay(settings, *only_ann)["replayed"]
        rest = replay(settings, "--reason", "refused")
        assert ({"refused": 1}, 1) == (rest["replayed"], rest["left"]["identify"])
        assert {"refused": 1} == replay(settings, "--identifies", "--reason", "refused")["replayed"]
        wait_until(lambda: "identify-eve" in arrived(emulator, "eve"), "eve")
        wait_until(service.caught_up, "caught up")
        assert 0 == service.stop()

    assert ["undecodable"] == [letter["reason"] for letter in listed(settings)]
    assert 2 == len(arrived(emulator, "ann"))


def test_lag_is_told_also_while_no_consumer_runs(
    tmp_path: Path, settings: dict[str, str], produce: Callable[..., Sent]
) -> None:
    """Offsets and seconds of both topics; without commits from the beginning; 0 and 0 when caught up."""
    produce(*(track("ann", n, "Fine") for n in range(5)))
    before = json.loads(run(settings, "lag", "--json"))
    with Service(tmp_path, settings).wait_ready() as service:
        wait_until(service.caught_up, "caught up")
        during = json.loads(run(settings, "lag", "--json"))
        assert 0 == service.stop()
    produce(*(track("ann", n, "Fine") for n in range(3)))
    after = json.loads(run(settings, "lag", "--json"))

    def sums(said: dict[str, Any]) -> tuple[int, int]:
        return sum(row["lag_events"] for row in said["partitions"]), len(said["partitions"])

    assert (5, PARTITIONS) == sums(before)
    assert {None} == {row["committed_offset"] for row in before["partitions"]}
    assert 1 == sum(row["lag_seconds"] > 0 for row in before["partitions"])
    assert (0, PARTITIONS + 1) == sums(during)
    assert {0} == {row["lag_seconds"] for row in during["partitions"]}
    assert (3, PARTITIONS + 1) == sums(after)
    assert "3 behind" in run(settings, "lag", "--max", "3")
    assert "3 events behind are more than 2 (--max)" in run(settings, "lag", "--max", "2", code=1)


def test_a_user_is_looked_up_and_forgotten(
    tmp_path: Path, settings: dict[str, str], produce: Callable[..., Sent]
) -> None:
    """While the consumer runs as after it; a delete event reaches the user's partition and is told of."""
    where = produce(track("ann", 1, "Fine"))
    with Service(tmp_path, settings).wait_ready() as service:
        wait_until(service.caught_up, "caught up")
        during = json.loads(run(settings, "user", "ann", "--json"))
        forgotten = json.loads(run(settings, "user", "ann", "--forget", "--json"))
        wait_until(lambda: service.json("/status")["events"]["consumed"]["delete"] == 1, "the delete")
        wait_until(service.caught_up, "caught up")
        assert 0 == service.stop()
    after = json.loads(run(settings, "user", "ann", "--json", code=1))

    partition = where["1"][0]
    assert (True, [str(partition)]) == (during["identified"], list(during["identified_at"]))
    assert (partition, "delete") == (forgotten["partition"], forgotten["event"]["type"])
    assert (False, [str(partition)]) == (after["identified"], list(after["forgotten_at"]))
    assert r"b\x1bob is not identified" in run(settings, "user", "b\x1bob", code=1)
    assert "CUSTOMFIT_ANONYMOUS" in run(settings, "user", "ann", "--forget", "--anonymous", code=1)
    assert "a user id is not empty" in run(settings, "user", "", code=2)


def test_without_their_topic_the_commands_end_with_69(settings: dict[str, str]) -> None:
    """The message names the topic and its setting."""
    assert "CUSTOMFIT_STATE_TOPIC" in run(settings, "user", "ann", code=69)
    for arguments in (("dlq", "list"), ("dlq", "replay"), ("dlq", "show", "0:0")):
        assert "CUSTOMFIT_DEAD_LETTER_TOPIC" in run(settings, *arguments, code=69)
