"""`user` against librdkafka's own mock cluster: which ids it takes, what it says of them, and what it ends with."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable

import pytest
import typer
from typer.testing import CliRunner, Result

from consumer.cli.user import user
from consumer.ops.pseudonyms import Pseudonyms
from consumer.sequencing.events import User
from consumer.state.records import StateKey, encode_key, encode_value
from tests.fakes.mock_cluster import Cluster, mock_cluster

HERE = "https://api.customfit.ai/v1/cfe"
ELSEWHERE = "eu"
NAMES = Pseudonyms("customfit-consumer", HERE)
Record = Callable[..., None]


@pytest.fixture(scope="module")
def cluster() -> Cluster:
    """A cluster of one broker."""
    return mock_cluster()


@pytest.fixture
def record(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Record:
    """Write into this test's own state topic that a user is identified at a destination, or forgotten there."""
    topic = f"state-{uuid.uuid4().hex}"
    cluster.keeper.list_topics(topic, timeout=60)
    monkeypatch.setenv("CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS", cluster.servers)
    monkeypatch.setenv("CUSTOMFIT_STATE_TOPIC", topic)
    monkeypatch.setenv("CUSTOMFIT_STARTUP_TIMEOUT_SECONDS", "10")

    def write(destination: str, user_id: str = "ann", partition: int = 0, *, forgotten: bool = False) -> None:
        key = StateKey(destination, User(user_id))
        value = None if forgotten else encode_value(key, 1_795_428_000_456)
        at_ms = 1_795_428_000_456
        cluster.keeper.produce(topic, value, encode_key(key), partition=partition, timestamp=at_ms)
        assert cluster.keeper.flush(10) == 0

    return write


def run(*options: str) -> Result:
    """The command, in this process."""
    app = typer.Typer()
    app.command()(user)
    return CliRunner().invoke(app, list(options))


@pytest.mark.parametrize("options", [[], ["--forget"], ["--forget", "--anonymous"]])
@pytest.mark.parametrize("user_id", ["", "x" * 513, "ü" * 257, "\udcff"], ids=["empty", "long", "bytes", "half a pair"])
def test_an_id_that_the_consumer_refuses_is_refused(user_id: str, options: list[str]) -> None:
    """Nothing is asked or produced: its events are dead letters, so there is nobody to forget."""
    result = run(user_id, *options)

    assert 2 == result.exit_code, result.output
    assert "USER_ID" in result.output


def test_identified_is_0_and_not_is_1(record: Record) -> None:
    """At the destination of the settings; a user whose id ends like the other's is another."""
    record(HERE)
    record(HERE, "bob")
    record(HERE, "bob", forgotten=True)
    record(HERE, 'x","ann')
    ann, bob, cid = run("ann"), run("bob"), run("cid")

    assert [0, 1, 1] == [ann.exit_code, bob.exit_code, cid.exit_code]
    expected = f"ann is identified at {HERE}\n  by an event of partition 0, since 2026-11-23T10:00:00Z\n"
    assert ann.stdout.startswith(expected + f"on pages and in the log they are called {NAMES.of(User('ann'))}\n")
    assert f"bob is not identified at {HERE}\n  forgotten by a delete of partition 0 at" in bob.stdout
    assert cid.stdout.startswith(f"cid is not identified at {HERE}\non pages")


def test_every_destination_is_looked_at(record: Record) -> None:
    """Who asks with other settings than the service has learns where the user is, and which setting to look at."""
    record(ELSEWHERE)
    record("us", forgotten=True)
    record("source topic segment-events", "topic-id ann")
    result, as_json = run("ann"), run("ann", "--json")

    assert (1, 1) == (result.exit_code, as_json.exit_code)
    assert f"ann is not identified at {HERE}" == result.stdout.splitlines()[0]
    assert f"ann is identified at {ELSEWHERE}\n" in result.stdout
    assert "ann is not identified at us\n" in result.stdout
    assert "\nCUSTOMFIT_DESTINATION_NAME (default, from CUSTOMFIT_API_URL) is" in result.stdout
    said = json.loads(as_json.stdout)
    assert (False, HERE) == (said["identified"], said["destination"])
    assert {HERE: False, ELSEWHERE: True, "us": False} == {
        name: known["identified"] for name, known in said["destinations"].items()
    }
    assert "source topic" not in run("topic-id ann").stdout


def test_what_cannot_be_told_is_69(record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the state topic, and without a broker."""
    record(HERE)
    monkeypatch.setenv("CUSTOMFIT_STATE_TOPIC", "not-there")
    no_topic = run("ann")
    monkeypatch.setenv("CUSTOMFIT_STARTUP_TIMEOUT_SECONDS", "1")
    monkeypatch.setenv("CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    no_broker = run("ann")

    assert (69, 69) == (no_topic.exit_code, no_broker.exit_code)
