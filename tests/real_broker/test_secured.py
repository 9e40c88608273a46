"""A cluster as hosted ones are: TLS, passwords, client certificates, access lists. What is missing is named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from consumer.emulator.server import Emulator, running_emulator
from tests.real_broker.oidc import oidc_provider
from tests.real_broker.running_service import KEY, wait_until
from tests.real_broker.scene import Scene
from tests.real_broker.secured import CERTIFIED_USER, PASSWORD, USER, Authority, Right, SecuredBroker

USERS = [f"user-{number}" for number in range(10)]


@pytest.fixture
def scene(secured: SecuredBroker, topic_name: str, tmp_path: Path) -> Iterator[Scene]:
    """A topic of two partitions behind the door for passwords."""
    with running_emulator(Emulator(keys=frozenset({KEY}))) as emulator:
        scene = Scene(secured.broker, topic_name, emulator, tmp_path, 2)
        scene.properties |= secured.scram
        scene.settings = {
            "CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS": secured.broker.address("SASL"),
            "CUSTOMFIT_STARTUP_TIMEOUT_SECONDS": "5",
        }
        yield scene
        scene.outside.close()


def needed(topic: str) -> list[Right]:
    """All that `run` needs when it makes its own topics; the group has the topic's name."""
    dead_letters, state, replays = f"{topic}.customfit-dlq", f"{topic}.identified-users", f"{topic}.customfit-replay"
    return [
        ("Read", "topic", topic),
        ("Read", "group", topic),
        ("Create", "topic", dead_letters),
        ("Write", "topic", dead_letters),
        ("Create", "topic", state),
        ("Read", "topic", state),
        ("Write", "topic", state),
        ("Create", "topic", replays),
        ("Read", "topic", replays),
    ]


def produce(scene: Scene, first: int, end: int) -> None:
    """Everybody's events of these rounds, and something for the dead letters."""
    scene.produce_rounds(USERS, first, end)
    scene.produce(("garbage", f"garbage {first}".encode()))


def check_all_of(scene: Scene, rounds: int, garbage: int) -> None:
    """Each event arrived in its order, and each piece of garbage is a dead letter."""
    scene.check(USERS, rounds)

    assert garbage == len({letter.value for letter in scene.letters()})


# --- who we are


@pytest.mark.parametrize("door", ["SCRAM", "PLAIN", "MTLS"])
def test_a_password_or_a_certificate_over_tls_is_enough(scene: Scene, secured: SecuredBroker, door: str) -> None:
    """With the rights that docs/security.md lists, and no others, everything arrives and all topics are made."""
    if door == "MTLS":
        scene.properties = dict(secured.certified)
        scene.settings["CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS"] = secured.broker.address("MTLS")
    if door == "PLAIN":
        scene.properties = secured.plain
    secured.allow(*needed(scene.topic), user=CERTIFIED_USER if door == "MTLS" else USER)
    produce(scene, 0, 5)
    with scene.member("one").wait_ready() as one:
        scene.wait_committed()
        assert 0 == one.stop()

    check_all_of(scene, 5, 1)
    assert PASSWORD not in one.log


def test_tokens_of_an_oidc_provider_are_enough_and_are_renewed(scene: Scene, secured: SecuredBroker) -> None:
    """From the start on, by each of the clients, and for longer than a token lasts."""
    secured.allow(*needed(scene.topic))
    with oidc_provider(token_seconds=5) as provider:
        scene.properties = secured.token(provider.url)
        produce(scene, 0, 3)
        with scene.member("one").wait_ready() as one:
            scene.wait_committed()
            asked = len(provider.asked)
            wait_until(lambda: len(provider.asked) >= 2 * asked, "each client has asked for another token")
            produce(scene, 3, 5)
            scene.wait_committed()
            assert 0 == one.stop()

    check_all_of(scene, 5, 2)
    assert PASSWORD not in one.log


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("password", ["Authentication failed", "sasl.password", "CUSTOMFIT_KAFKA_PROPERTIES (environment)"]),
        ("mechanism", ["Unsupported SASL mechanism", "sasl.mechanisms"]),
        ("authority", ["certificate verify failed", "ssl.ca.location", "CUSTOMFIT_KAFKA_PROPERTIES (environment)"]),
        ("certificate", ["bad certificate"]),
    ],
)
def test_who_is_not_let_in_is_told_why(scene: Scene, secured: SecuredBroker, fault: str, told: list[str]) -> None:
    """It ends with 69 within the start-up time, and its last line has the client's reason and the property to fix."""
    scene.settings["CUSTOMFIT_STARTUP_TIMEOUT_SECONDS"] = "3"
    match fault:
        case "password":
            scene.properties["sasl.password"] = "not-the-password"
        case "mechanism":
            scene.properties["sasl.mechanisms"] = "SCRAM-SHA-256"
        case "authority":
            stranger = Authority(secured.folder, "stranger")
            scene.properties["ssl.ca.location"] = str(stranger.certificate)
        case _:
            scene.properties = {
                "security.protocol": "SSL",
                "ssl.ca.location": str(secured.authority.certificate),
            }
            scene.settings["CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS"] = secured.broker.address("MTLS")
    with scene.member("one") as one:
        code = one.ended()

    assert 69 == code
    last_line = one.log.splitlines()[-1]
    assert [] == [text for text in [*told, "CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS"] if text not in last_line]
    assert "not-the-password" not in one.log
    assert "Traceback" not in one.log


# --- what we may do


def rights(topic: str, which: str) -> tuple[list[Right], str]:
    """The rights to take away, and what the message says of them."""
    name = {
        "source": topic,
        "dead letters": f"{topic}.customfit-dlq",
        "state": f"{topic}.identified-users",
        "replays": f"{topic}.customfit-replay",
    }
    match which.partition(" of "):
        case ("read", _, thing):
            return [("Read", "topic", name[thing])], f"the right to Read on topic {name[thing]} is missing"
        case ("write", _, thing):
            return [("Write", "topic", name[thing])], f"the right to Write on topic {name[thing]} is missing"
        case ("membership", _, _):
            return [("Read", "group", topic)], f"the right to Read on group {topic} is missing"
        case ("creation", _, thing):
            return [right for right in needed(topic) if right[2] == name[thing]], f"on topic {name[thing]} is missing"
    raise AssertionError(which)


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    "which",
    [
        "read of source",
        "write of dead letters",
        "read of state",
        "write of state",
        "creation of dead letters",
        "creation of state",
    ],
)
def test_a_right_that_is_missing_at_the_start_is_named(scene: Scene, secured: SecuredBroker, which: str) -> None:
    """It ends with 69, and says which right is missing on what, and the command that grants it."""
    taken, told = rights(scene.topic, which)
    secured.allow(*(right for right in needed(scene.topic) if right not in taken))
    end_with_69(scene, told)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("also", [[], ["Describe"]], ids=["unseen", "seen"])
@pytest.mark.parametrize("way", ["earliest", "latest", "new protocol"])
def test_who_may_not_join_the_group_is_told_so(scene: Scene, secured: SecuredBroker, way: str, also: list[str]) -> None:
    """However the group is first spoken to, and whether or not it may be seen."""
    taken, told = rights(scene.topic, "membership")
    secured.allow(*(right for right in needed(scene.topic) if right not in taken))
    for operation in also:
        secured.allow((operation, "group", scene.topic))
    if way == "latest":
        scene.settings |= {"CUSTOMFIT_KAFKA_START": "latest", "CUSTOMFIT_STARTUP_TIMEOUT_SECONDS": "3"}
    elif way == "new protocol":
        scene.properties = {**secured.scram, "group.protocol": "consumer"}
    end_with_69(scene, told)


def end_with_69(scene: Scene, told: str) -> None:
    """Start a member that can't work, and read what it says of it."""
    with scene.member("one") as one:
        code = one.ended()

    assert 69 == code
    assert told in one.log
    assert f"--add --allow-principal User:{USER} " in one.log
    assert "Traceback" not in one.log


@pytest.mark.sampled(1)
@pytest.mark.parametrize("which", ["read of replays", "creation of replays"])
def test_without_the_replays_the_rest_is_read(scene: Scene, secured: SecuredBroker, which: str) -> None:
    """The right is named in a warning, and the service works."""
    taken, told = rights(scene.topic, which)
    secured.allow(*(right for right in needed(scene.topic) if right not in taken))
    produce(scene, 0, 2)
    with scene.member("one").wait_ready() as one:
        scene.wait_committed()
        assert 0 == one.stop()

    assert told in one.log
    check_all_of(scene, 2, 1)


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    "which", ["read of source", "membership", "write of dead letters", "write of state", "read of state"]
)
def test_a_right_taken_away_while_it_runs_costs_time_alone(scene: Scene, secured: SecuredBroker, which: str) -> None:
    """The log and /readyz name it, the process goes on, and when it is granted again everything arrives."""
    secured.allow(*needed(scene.topic))
    taken, told = rights(scene.topic, which)
    scene.properties["topic.metadata.refresh.interval.ms"] = 2000
    scene.produce_rounds(USERS[:5], 0, 2)
    with scene.member("one").wait_ready() as one:
        scene.wait_committed()
        secured.deny(*taken)
        try:
            scene.produce_rounds(USERS[5:], 0, 2)
            produce(scene, 2, 4)
            if which != "read of state":  # it is read at an assignment only
                wait_until(lambda: told in one.log, f"the log to tell; it holds\n{one.log}")
                wait_until(lambda: told in one.get("/readyz")[1], f"/readyz to tell: {one.get('/readyz')}")
        finally:
            secured.allow(*taken)
        scene.wait_committed()
        wait_until(lambda: told not in one.get("/readyz")[1], "/readyz to forget it")
        assert 0 == one.stop()

    scene.check(USERS, 4)
    assert {"garbage 2"} == {(letter.value or b"").decode() for letter in scene.letters()}


def test_receipts_take_two_rights_more_and_nothing_moves_without_them(scene: Scene, secured: SecuredBroker) -> None:
    """To make the topic and to write to it (docs/audit.md). Taken away, offsets wait until it is given back."""
    receipts = f"{scene.topic}.receipts"
    write: Right = ("Write", "topic", receipts)
    secured.allow(*needed(scene.topic))
    scene.settings["CUSTOMFIT_RECEIPT_TOPIC"] = receipts
    scene.properties["topic.metadata.refresh.interval.ms"] = 2000
    end_with_69(scene, f"on topic {receipts}")
    secured.allow(("Create", "topic", receipts), write)
    scene.produce_rounds(USERS, 0, 1)
    with scene.member("two").wait_ready() as two:
        scene.wait_committed()
        secured.deny(write)
        scene.produce_rounds(USERS, 1, 2)
        wait_until(lambda: f"the right to Write on topic {receipts} is missing" in two.get("/readyz")[1], "/readyz")
        assert not scene.outside.all_committed()
        secured.allow(write)
        scene.wait_committed()
        assert 0 == two.stop()

    scene.check(USERS, 2)


def test_check_names_the_missing_right(scene: Scene, secured: SecuredBroker) -> None:
    """`check --connect` finds what `run` would."""
    secured.allow(("Describe", "topic", scene.topic), ("Describe", "group", scene.topic))
    command = ("-m", "consumer", "check", "--connect", "--json")
    with scene.member("check", command=command) as check:
        code = check.ended()

    assert 69 == code
    findings = json.loads(check.log)["findings"]
    told = " ".join(finding["detail"] for finding in findings if not finding["ok"])
    assert f"the right to Read on topic {scene.topic} is missing" in told


def test_check_names_all_missing_rights_at_once(scene: Scene, secured: SecuredBroker) -> None:
    """Also those on topics that `run` is to make. Once they are granted, it says so, and has made nothing."""
    topic = scene.topic
    topics = {"dead-letter": f"{topic}.customfit-dlq", "state": f"{topic}.identified-users"}
    wanted = {
        "Kafka topic": f"the right to Read on topic {topic} is missing",
        "Kafka dead-letter topic": f"the right to Create, Write on topic {topics['dead-letter']} is missing",
        "Kafka state topic": f"the right to Create, Read, Write on topic {topics['state']} is missing",
        "Kafka group": f"the right to Read on group {topic} is missing",
    }
    with scene.member("beside", command=("-c", "pass")) as beside:
        refused = beside.ask("check", "--connect", "--json")
        secured.allow(*needed(topic))
        granted = beside.ask("check", "--connect", "--json")
    findings = {one["what"]: one["detail"] for one in json.loads(refused.stdout)["findings"] if not one["ok"]}
    replays = f"the right to Create, Read on topic {topic}.customfit-replay is missing"

    assert (69, 0) == (refused.returncode, granted.returncode), granted.stdout
    assert set(wanted) == set(findings)
    assert [] == [what for what, told in wanted.items() if told not in findings[what]]
    assert all("--command-config ADMIN.properties --add" in told for told in findings.values())
    assert replays in refused.stdout
    assert f"{topics['state']} does not exist; `run` creates it" in granted.stdout
    assert topics["state"] not in scene.admin.list_topics(timeout=60).topics


def test_commands_name_the_right_that_they_lack(scene: Scene, secured: SecuredBroker) -> None:
    """With exit code 69; what the table of docs/security.md has is enough."""
    topic, state = scene.topic, f"{scene.topic}.identified-users"
    secured.broker.create_topic(state, 2, {"cleanup.policy": "compact"})
    read: list[Right] = [("Read", "topic", topic), ("Read", "topic", state)]
    to_write = f"the right to Write on topic {topic} is missing"
    of_group = f"the right to Describe on group {topic} is missing"
    secured.allow(*read)
    with scene.member("beside", command=("-c", "pass")) as beside:
        for command, told in (
            (("produce", "--events", "3"), to_write),
            (("user", "ann", "--forget"), to_write),
            (("lag",), of_group),
            (("audit", "--from", "-1h", "--to", "now"), of_group),
        ):
            refused = beside.ask(*command)

            assert 69 == refused.returncode, refused.stderr
            assert f"{told}; grant it with: kafka-acls.sh" in refused.stderr
        secured.allow(("Describe", "group", topic))
        refused = beside.ask("pause")
        secured.allow(("Write", "topic", topic), ("Write", "topic", state))
        ended = [beside.ask(*command).returncode for command in (("produce", "--events", "3"), ("pause",), ("resume",))]

    assert 69 == refused.returncode, refused.stderr
    assert f"the right to Write on topic {state} is missing" in refused.stderr
    assert [0, 0, 0] == ended


def test_to_copy_a_state_topic_takes_read_there_and_write_here(scene: Scene, secured: SecuredBroker) -> None:
    """Each right that is missing is named, with exit code 69; what the table of docs/security.md has is enough."""
    there, here = f"{scene.topic}.old", f"{scene.topic}.identified-users"
    secured.broker.create_topic(there, 2, {"cleanup.policy": "compact"})
    secured.allow(("Read", "topic", scene.topic), ("Read", "group", scene.topic))
    rights: list[Right] = [("Read", "topic", there), ("Create", "topic", here), ("Read", "topic", here)]
    with scene.member("beside", command=("-c", "pass")) as beside:
        for right in [*rights, ("Write", "topic", here)]:
            refused = beside.ask("state", "copy", "--from-topic", there, "--yes")
            told = refused.stderr

            assert 69 == refused.returncode, told
            assert "Traceback" not in told
            assert f" on topic {right[2]} is missing" in told
            assert right[0] in told
            secured.allow(right)
        enough = beside.ask("state", "copy", "--from-topic", there, "--yes")

    assert 0 == enough.returncode, enough.stderr
