"""`produce` against librdkafka's own mock cluster, in this process."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from subprocess import PIPE

import pytest
import typer
from typer.testing import CliRunner, Result

from consumer.avro.reader import single_object_readers
from consumer.avro.schemas import schema_text
from consumer.cli import lines as module
from consumer.cli.lines import key, lines
from consumer.cli.produce import produce
from consumer.cli.produce_format import encoder
from consumer.demo.samples import GARBAGE
from consumer.kafka import client as kafka_client
from tests.fakes.fake_registry import running_registry
from tests.fakes.mock_cluster import Cluster, mock_cluster
from tests.settings.given_settings import load

TOPIC = "segment-events"


@pytest.fixture(scope="module")
def cluster() -> Cluster:
    """A cluster of one broker."""
    return mock_cluster()


@pytest.fixture
def topic(cluster: Cluster) -> str:
    """A topic of this test's own: asking for it makes it."""
    name = f"{TOPIC}-{uuid.uuid4().hex}"
    cluster.keeper.list_topics(name, timeout=60)
    return name


@pytest.fixture(autouse=True)
def environment(cluster: Cluster, topic: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings that the command finds."""
    monkeypatch.setenv("CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS", cluster.servers)
    monkeypatch.setenv("CUSTOMFIT_KAFKA_TOPIC", topic)
    monkeypatch.setenv("CUSTOMFIT_STARTUP_TIMEOUT_SECONDS", "10")


def run(*options: str, stdin: bytes | None = None) -> Result:
    """The command, in this process."""
    app = typer.Typer()
    app.command()(produce)
    return CliRunner().invoke(app, list(options), input=stdin)


def test_samples_arrive_keyed_by_user(cluster: Cluster, topic: str) -> None:
    """Every event is there once, those of a user in one partition and in their order."""
    result = run("--users", "10", "--events", "300", "--seed", "7", "--json")
    records = cluster.records(300, topic)
    partitions: dict[bytes | None, set[int | None]] = {}
    times: dict[bytes | None, list[str]] = {}
    for record in records:
        event = json.loads(record.value() or b"")
        partitions.setdefault(record.key(), set()).add(record.partition())
        times.setdefault(record.key(), []).append(event["timestamp"])
        assert (event["userId"] or event["anonymousId"]).encode() == record.key()

    assert 0 == result.exit_code, result.output
    summary = json.loads(result.stdout)
    assert (topic, 300, 0, 7) == tuple(summary[name] for name in ("topic", "sent", "failed", "seed"))
    assert 300 == len(records)
    assert {1} == {len(where) for where in partitions.values()}
    assert all(seen == sorted(seen) for seen in times.values())


def test_keys_go_where_java_sends_them(cluster: Cluster, topic: str) -> None:
    """murmur2, as Kafka's own clients hash keys; the numbers are those of Java's DefaultPartitioner."""
    users = ["21", "foobar", "a-little-bit-long-string", "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8"]
    hashes = [-973932308, -790332482, -985981536, -58897971]
    run("--file", "-", stdin="\n".join(json.dumps({"type": "track", "userId": user}) for user in users).encode())
    found = {(record.key() or b"").decode(): record.partition() for record in cluster.records(4, topic)}
    count = len(cluster.keeper.list_topics(topic, timeout=60).topics[topic].partitions)

    assert {user: (number & 0x7FFFFFFF) % count for user, number in zip(users, hashes, strict=True)} == found


def test_lines_of_a_file_are_sent_as_they_are(cluster: Cluster, topic: str, tmp_path: Path) -> None:
    """Garbage too, without a key; blank lines are left out, and a last line needs no end."""
    sent = [b'{"userId":"u1", "x" : 1.0}', b"not JSON\r", *(value for value in GARBAGE if value and b"\n" not in value)]
    (tmp_path / "x.jsonl").write_bytes(b"\n\n".join(sent))
    result = run("--file", str(tmp_path / "x.jsonl"))
    records = cluster.records(len(sent), topic)

    assert 0 == result.exit_code, result.output
    assert f"sent {len(sent)} events to {topic}" in result.output
    assert sorted(sent) == sorted(record.value() or b"" for record in records)
    assert {b"u1"} == {record.key() for record in records if (record.value() or b"").startswith(b'{"userId":"u1"')}


DEEP = {"type": "track", "userId": "u1", "event": "E", "properties": {"a": {"b": {"c": {"d": 1}}}}, "integrations": {}}
FLAT = {"type": "identify", "userId": 7, "traits": {"plan": "pro", "seats": 2**53 + 1, "tags": ["a", None]}}
OTHER = {"type": "track", "userId": "u1", "event": "E", "of_another_kind": True}
UNIX = {"type": "track", "userId": "u1", "event": "E", "timestamp": 1700000000}
NUMBERS = b'{"pi":3.14159265358979323846,"n":123456789012345678901}'
LONG = b'{"type":"track","userId":"u1","event":"E","properties":%b}' % NUMBERS


def sent_as(cluster: Cluster, topic: str, *options: str) -> tuple[set[bytes], list[bytes]]:
    """Of an event that fits the maps of the schema, one that nests deeper, one that does not fit, and garbage."""
    given = b"\n".join([*(json.dumps(event).encode() for event in (FLAT, DEEP, OTHER)), b"garbage"])
    result = run("--file", "-", *options, stdin=given)
    assert 0 == result.exit_code, result.output
    values = [record.value() or b"" for record in cluster.records(4, topic)]
    texts = {value for value in values if value[0] in b"g{"}
    return texts, [value for value in values if value not in texts]


def without_nulls(text: bytes) -> dict[str, object]:
    """What is said in it."""
    return {name: value for name, value in json.loads(text).items() if value is not None}


def test_single_objects_say_the_same(cluster: Cluster, topic: str) -> None:
    """An event by our schema stands behind its fingerprint; what does not fit it goes as it is."""
    texts, encoded = sent_as(cluster, topic, "--format", "single-object")
    readers = single_object_readers()
    said = [without_nulls(readers[value[2:10]](value[10:])) for value in encoded]

    assert {b"garbage", json.dumps(OTHER).encode()} == texts
    assert sorted([FLAT, DEEP], key=str) == sorted(said, key=str)


def test_what_avro_would_change_goes_as_it_is_or_as_text() -> None:
    """Seconds since 1970 would be milliseconds, and long numbers doubles."""
    encode = encoder(load(), "single-object")
    encoded = encode(LONG)
    assert encoded is not None
    read = single_object_readers()[encoded[2:10]]

    assert encode(json.dumps(UNIX).encode()) is None
    assert b'"properties":' + NUMBERS in read(encoded[10:])


def test_avro_has_the_id_that_the_registry_gives(cluster: Cluster, topic: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The schema is registered for the topic's values, as Confluent's serializer names them."""
    with running_registry() as registry:
        path = f"/subjects/{topic}-value/versions"
        registry.answers[path] = (200, b'{"id":258}')
        monkeypatch.setenv("CUSTOMFIT_SCHEMA_REGISTRY_URL", registry.url)
        _, encoded = sent_as(cluster, topic, "--format", "avro")

    assert [path] == registry.asked
    assert [{"schema": schema_text("segment_event")}] == registry.posted
    assert [b"\0\0\0\x01\x02"] * 2 == [value[:5] for value in encoded]


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        (None, 78, "--format avro needs CUSTOMFIT_SCHEMA_REGISTRY_URL"),
        ((401, b""), 69, "was answered 401; is CUSTOMFIT_SCHEMA_REGISTRY_USER_INFO right?"),
        ((200, b"[]"), 69, "was answered 200"),
        ((200, b"<html>"), 69, "was answered 200"),
        ((200, b'{"id":4294967296}'), 69, "without an id of four bytes"),
    ],
)
def test_a_registry_that_gives_no_id(
    topic: str, monkeypatch: pytest.MonkeyPatch, answer: tuple[int, bytes] | None, code: int, words: str
) -> None:
    """Nothing is sent, and the message says what to do."""
    with running_registry() as registry:
        if answer is not None:
            registry.answers[f"/subjects/{topic}-value/versions"] = answer
            monkeypatch.setenv("CUSTOMFIT_SCHEMA_REGISTRY_URL", registry.url)
        result = run("--format", "avro")

    assert code == result.exit_code
    assert words in " ".join(result.output.split())


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b'{"userId":"u1","anonymousId":"a1"}', b"u1"),
        (b'{"userId":null,"anonymousId":"a1"}', b"a1"),
        (b'{"userId":"","anonymousId":"a1"}', b"a1"),
        (b'{"userId":42}', b"42"),
        (b'{"userId":0}', b"0"),
        ('{"userId":"é"}'.encode(), "é".encode()),
        (b'{"type":"track"}', None),
        (b'{"userId":{"id":1}}', None),
        (b'{"userId":"u1"', None),
        (b"[" * 100_000, None),
        (b"\xff", None),
    ],
)
def test_a_line_is_keyed_by_its_user(value: bytes, expected: bytes | None) -> None:
    """By userId, else anonymousId, else not at all."""
    assert expected == key(value)


def test_a_line_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not read into memory whole."""
    monkeypatch.setattr(module, "LINE_BYTES_MAX", 10)
    read: Iterator[tuple[bytes | None, bytes]] = lines(BytesIO(b"0123456789\n0123456789a"))

    assert (None, b"0123456789") == next(read)
    with pytest.raises(typer.Exit):
        next(read)


def test_a_new_seed_is_told(cluster: Cluster, topic: str) -> None:
    """So that a run can be made again, with garbage when it is asked for."""
    result = run("--events", "20", "--garbage-every", "5", "--rate", "1000")
    values = [record.value() or b"" for record in cluster.records(20, topic)]

    assert 0 == result.exit_code, result.output
    assert "(seed " in result.output
    assert 4 == len([value for value in values if value in GARBAGE])


def test_options_stand_above_settings(
    cluster: Cluster, topic: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """--topic and --bootstrap-servers, over the environment, over the file."""
    monkeypatch.delenv("CUSTOMFIT_KAFKA_TOPIC")
    monkeypatch.setenv("CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    (tmp_path / "settings.toml").write_text('kafka_topic = "from-the-file"\n')
    result = run(
        *("--config", str(tmp_path / "settings.toml"), "--events", "3", "--json"),
        *("--bootstrap-servers", cluster.servers, "--topic", topic),
    )

    assert (0, topic) == (result.exit_code, json.loads(result.stdout)["topic"])
    assert 3 == len(cluster.records(3, topic))


@pytest.mark.parametrize("option", [(), ("--bootstrap-servers", "127.0.0.1:1")])
def test_no_broker_is_one_line_and_69(option: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """It names what to change: the setting and where it came from, or the option."""
    monkeypatch.setenv("CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    monkeypatch.setenv("CUSTOMFIT_STARTUP_TIMEOUT_SECONDS", "1")
    result = run(*option)

    assert (69, 1) == (result.exit_code, len(result.stderr.splitlines()))
    assert (option[0] if option else "CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS (environment)") in result.stderr
    assert "Connection refused" in result.stderr


def test_no_topic_is_one_line_and_69() -> None:
    """It is not made by asking for it, and the message has the command that makes it."""
    result = run("--topic", "not-there")

    assert (69, 1) == (result.exit_code, len(result.stderr.splitlines()))
    assert "there is no topic 'not-there'" in result.stderr
    assert "--create --topic not-there" in result.stderr


def test_bad_settings_are_78(monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelt setting, and a property that librdkafka does not know."""
    monkeypatch.setenv("CUSTOMFIT_KAFKA_PROPERTIES", '{"no.such.property": 1}')
    unknown_property = run()
    monkeypatch.setenv("CUSTOMFIT_KAFKA_TOPICS", "x")
    misspelt = run()

    assert [78, 78] == [unknown_property.exit_code, misspelt.exit_code]
    assert "CUSTOMFIT_KAFKA_PROPERTIES (environment)" in unknown_property.stderr
    assert "no.such.property" in unknown_property.stderr
    assert "CUSTOMFIT_KAFKA_TOPIC" in misspelt.stderr


def test_properties_of_consumers_are_no_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service's own properties are taken as they are, in silence."""
    monkeypatch.setenv("CUSTOMFIT_KAFKA_PROPERTIES", '{"group.instance.id": "a", "session.timeout.ms": 10000}')
    result = run("--events", "1")

    assert (0, "") == (result.exit_code, result.stderr)


def test_what_is_not_taken_is_counted(topic: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An event above the producer's limit fails alone, and the command says so at the end."""
    config = kafka_client.producer_config
    monkeypatch.setattr(kafka_client, "producer_config", lambda of: {**config(of), "message.max.bytes": 2000})
    (tmp_path / "x.jsonl").write_bytes(b'{"userId":"u1"}\n"' + b"x" * 5000 + b'"\n')
    result = run("--file", str(tmp_path / "x.jsonl"))

    assert 1 == result.exit_code
    assert f"sent 1 events to {topic}" in result.stdout
    assert "1 events were not taken: " in result.stderr


def test_a_missing_file_is_said() -> None:
    """Before anything is sent."""
    result = run("--file", "not-there.jsonl")

    assert 1 == result.exit_code
    assert "not-there.jsonl (--file): No such file or directory" in result.stderr


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="a file that opens and can't be read")
def test_a_file_that_cannot_be_read_is_said() -> None:
    """A disk that fails, or a standard input that is gone."""
    result = run("--file", "/proc/self/mem")

    assert (1, "") == (result.exit_code, result.stdout)
    assert "customfit-consumer: can't be read (--file): Input/output error\n" == result.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("options", [("--events", "1000000", "--rate", "50"), ("--file", "-")])
def test_an_interrupted_run_says_what_was_sent(
    cluster: Cluster, topic: str, number: signal.Signals, options: tuple[str, ...]
) -> None:
    """Ctrl-C between events, in the middle of waiting for Kafka or for a line, is an end like any other."""
    arguments = [sys.executable, "-m", "consumer", "produce", *options]
    with subprocess.Popen(arguments, stdin=PIPE, stdout=PIPE, stderr=PIPE, text=True) as process:
        assert process.stdin is not None
        process.stdin.write('{"userId":"u1"}\n')
        process.stdin.flush()
        first = cluster.records(1, topic)
        process.send_signal(number)
        output, errors = process.communicate(timeout=60)

    assert first
    assert 1 == process.returncode
    assert re.fullmatch(rf"sent [1-9]\d* events to {topic} in .*\n", output)
    assert "customfit-consumer: interrupted; what is counted as sent was acknowledged\n" == errors


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--topic", "a b", "is not a name that Kafka takes for a topic"),
        ("--topic", "", "set but empty"),
        ("--topic", "the-state", "the same topic as --topic"),
        ("--bootstrap-servers", "no spaces:1", "is not a broker address"),
        ("--bootstrap-servers", "", "set but empty"),
    ],
)
def test_an_option_is_checked_as_its_setting_is(
    option: str, value: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line that names the option, before anything is asked."""
    monkeypatch.setenv("CUSTOMFIT_STATE_TOPIC", "the-state")
    result = run(option, value)

    assert (78, 1) == (result.exit_code, len(result.stderr.splitlines()))
    assert option in result.stderr
    assert words in result.stderr
