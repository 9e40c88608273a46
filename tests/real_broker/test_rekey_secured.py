"""`rekey` at a cluster as hosted ones are, with the rights that docs/security.md lists and no others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real_broker.rekeyed import RekeyScene, places, twice
from tests.real_broker.running_service import wait_until
from tests.real_broker.secured import PASSWORD, USER, Right, SecuredBroker

EVENTS = 60


@pytest.fixture
def rekeying(secured: SecuredBroker, topic_name: str, tmp_path: Path) -> Iterator[RekeyScene]:
    """A source behind the door for passwords."""
    scene = RekeyScene(secured.broker, topic_name, tmp_path, 2)
    scene.properties |= {**secured.scram, "topic.metadata.refresh.interval.ms": 2000}
    scene.settings = {
        "CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS": secured.broker.address("SASL"),
        "CUSTOMFIT_STARTUP_TIMEOUT_SECONDS": "10",
    }
    yield scene
    scene.outside.close()


def needed(scene: RekeyScene) -> dict[str, Right]:
    """All that it needs when it makes its target."""
    return {
        "source": ("Read", "topic", scene.topic),
        "group": ("Read", "group", scene.group),
        "creation": ("Create", "topic", scene.target),
        "target": ("Write", "topic", scene.target),
        "transactions": ("Write", "transactional-id", f"{scene.group}-*"),
    }


def told_of(right: Right) -> str:
    """What messages say where it is missing."""
    operation, kind, name = right
    return f"the right to {operation} on {kind} {name.removesuffix('*')}"


def produce(scene: RekeyScene, first: int) -> None:
    """So many events more."""
    events = [{"type": "track", "userId": f"user-{n % 7}", "event": "E"} for n in range(first, first + EVENTS)]
    scene.produce([json.dumps(event).encode() for event in events], first=first)


def must_be_whole(scene: RekeyScene) -> None:
    """All that was produced is in the target, each once."""
    written = scene.written()
    assert [] == twice(written)
    assert places(scene.source()) == {one.origin for one in written}


def test_the_rights_of_the_table_are_enough(rekeying: RekeyScene, secured: SecuredBroker) -> None:
    """It makes its target and writes each record; the password is in no log."""
    secured.allow(*needed(rekeying).values())
    produce(rekeying, 0)
    with rekeying.rekeyer() as rekeyer:
        rekeying.wait_rekeyed(rekeyer)
        assert (200, "ready") == rekeyer.readiness()[:2]
        assert 0 == rekeyer.stop()
    must_be_whole(rekeying)
    assert PASSWORD not in rekeyer.log
    assert "Traceback" not in rekeyer.log


@pytest.mark.parametrize("which", ["source", "group", "creation", "target", "transactions"])
def test_a_right_of_rekey_that_is_missing_is_named(rekeying: RekeyScene, secured: SecuredBroker, which: str) -> None:
    """It ends with 69, and says which right is missing on what, and the command that grants it."""
    rights = needed(rekeying)
    missing = rights.pop(which)
    if which == "target":  # and it is there already
        secured.broker.create_topic(rekeying.target, 2)
    secured.allow(*rights.values())
    produce(rekeying, 0)
    with rekeying.rekeyer() as rekeyer:
        code = rekeyer.ended()

    assert 69 == code, rekeyer.log
    last_line = rekeyer.log.splitlines()[-1]
    assert (told_of(missing) if which != "creation" else "the right to Create, Write on topic") in last_line
    assert f"--add --allow-principal User:{USER} " in last_line
    assert "Traceback" not in rekeyer.log


@pytest.mark.sampled(1)
@pytest.mark.parametrize("which", ["source", "group", "target", "transactions"])
def test_a_right_of_rekey_taken_away_while_it_runs_costs_time_alone(
    rekeying: RekeyScene, secured: SecuredBroker, which: str
) -> None:
    """/readyz names it; when it is granted again everything is written, and nothing twice."""
    rights = needed(rekeying)
    secured.allow(*rights.values())
    produce(rekeying, 0)
    with rekeying.rekeyer() as rekeyer:
        rekeying.wait_rekeyed(rekeyer)
        secured.deny(rights[which])
        try:
            produce(rekeying, EVENTS)
            wait_until(lambda: told_of(rights[which]) in rekeyer.get("/readyz")[1], lambda: f"/readyz\n{rekeyer.log}")
        finally:
            secured.allow(rights[which])
        rekeying.wait_rekeyed(rekeyer)
        wait_until(rekeyer.ready, lambda: f"ready; {rekeyer.readiness()}")
        assert 0 == rekeyer.stop()
    must_be_whole(rekeying)


def test_after_a_reset_it_asks_for_the_right_to_read_the_target(rekeying: RekeyScene, secured: SecuredBroker) -> None:
    """Only there it is said whether the source was made again. Once it is granted, it goes on."""
    secured.allow(*needed(rekeying).values())
    produce(rekeying, 0)
    with rekeying.rekeyer() as rekeyer:
        rekeying.wait_rekeyed(rekeyer)
        assert 0 == rekeyer.stop()
        rekeying.broker.tool(
            "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
            *("--bootstrap-server", rekeying.broker.bootstrap_servers, "--group", rekeying.group),
            *("--topic", rekeying.topic, "--reset-offsets", "--to-earliest", "--execute"),
        )
        rekeyer.restart()
        assert 69 == rekeyer.ended(), rekeyer.log
        assert f"{told_of(('Read', 'topic', rekeying.target))} is missing" in rekeyer.log.splitlines()[-1]
        secured.allow(("Read", "topic", rekeying.target))
        rekeyer.restart()
        rekeying.wait_rekeyed(rekeyer)
        assert 0 == rekeyer.stop()
