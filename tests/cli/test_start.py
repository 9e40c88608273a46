"""What `run` says when it can't start: one clear message, the right exit code, no traceback."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import cast

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from consumer import __version__
from consumer.kafka.client import is_in_group
from consumer.kafka.group_start import committed_offsets
from tests.settings.given_settings import load

KEY = {"CUSTOMFIT_API_KEY": "a-key-for-starting"}


def run(folder: Path, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """`customfit-consumer run` with this environment, from an empty folder."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CUSTOMFIT_")}
    root = str(Path(__file__).parents[2])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        [sys.executable, "-m", "consumer", "run"],
        check=False,
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=60,
        env={
            **inherited,
            "PYTHONPATH": path,
            "CUSTOMFIT_HTTP_PORT": "0",
            "CUSTOMFIT_STARTUP_TIMEOUT_SECONDS": "1",
            **environ,
        },
    )


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({}, "CUSTOMFIT_API_KEY"),
        ({"CUSTOMFIT_API_KEY": "short"}, "8 characters"),
        ({**KEY, "CUSTOMFIT_KAFKA_TOPICS": "x"}, "CUSTOMFIT_KAFKA_TOPIC"),
        ({**KEY, "CUSTOMFIT_IN_FLIGHT_MAX": "0"}, "CUSTOMFIT_IN_FLIGHT_MAX"),
    ],
    ids=["no key", "short key", "unknown variable", "out of bounds"],
)
def test_bad_settings_end_with_78(tmp_path: Path, environ: dict[str, str], said: str) -> None:
    """One line that names the setting; nothing is started."""
    done = run(tmp_path, environ)

    assert 78 == done.returncode, done.stderr
    assert said in done.stderr
    assert 1 == len(done.stderr.splitlines())
    assert [] == list(tmp_path.iterdir())


def test_an_unreachable_broker_ends_with_69(tmp_path: Path) -> None:
    """The message names the address, the setting and how long it waited."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{closed.getsockname()[1]}"
    done = run(tmp_path, {**KEY, "CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS": address})

    assert 69 == done.returncode, done.stderr
    assert f"no Kafka broker answered at {address} (CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS)" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "environ",
    [
        {"CUSTOMFIT_API_KEY": "canary-of-start"},
        {"https_proxy": "http://me:canary-of-start@127.0.0.1:1"},
        {"HTTP_PROXY": "me:canary%2Dof%2Dstart@127.0.0.1:1"},
        {"CUSTOMFIT_SCHEMA_REGISTRY_USER_INFO": "me:canary-of-start", "CUSTOMFIT_SCHEMA_REGISTRY_URL": "http://r"},
        {"CUSTOMFIT_KAFKA_PROPERTIES": '{"sasl.password": "canary-of-start"}'},
        {"CUSTOMFIT_KAFKA_PROPERTIES": """{"sasl.jaas.config": "x required password='canary-of-start';"}"""},
    ],
    ids=["key", "proxy", "encoded proxy", "registry", "Kafka", "Java"],
)
def test_the_log_knows_every_secret(tmp_path: Path, environ: dict[str, str]) -> None:
    """Whoever says one: here it is the name of the group, which stands in the first line."""
    done = run(tmp_path, {**KEY, "CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", **GROUP, **environ})

    assert "group=***" in done.stderr
    assert "canary" not in done.stderr


GROUP = {"CUSTOMFIT_KAFKA_GROUP_ID": "canary-of-start", "CUSTOMFIT_STATE_TOPIC": "users"}


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_the_first_line_says_what_it_is_and_the_last_how_it_ended(tmp_path: Path, log_format: str) -> None:
    """In the log's own format, however it ends: who reads a log that somebody sent needs no more."""
    broker = {"CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", "CUSTOMFIT_KAFKA_GROUP_ID": "a-group"}
    done = run(tmp_path, {**KEY, **broker, "CUSTOMFIT_LOG_FORMAT": log_format})
    first, *_, last = done.stderr.splitlines()

    for word in ("customfit-consumer starts", __version__, "a-group", "segment-events", "httptools"):
        assert word in first
    assert "ended: no Kafka broker answered at 127.0.0.1:1" in last
    assert re.search(r'exit_code"?[=:]69', last)


def test_a_port_in_use_ends_with_78(tmp_path: Path) -> None:
    """The message names CUSTOMFIT_HTTP_PORT."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = run(tmp_path, {**KEY, "CUSTOMFIT_HTTP_HOST": "127.0.0.1", "CUSTOMFIT_HTTP_PORT": port})

    assert 78 == done.returncode, done.stderr
    assert "CUSTOMFIT_HTTP_PORT" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_engine_that_is_gone_ends_with_78(tmp_path: Path) -> None:
    """`pyreqwest` was one; the message says what does its work, and what to do."""
    done = run(tmp_path, {**KEY, "CUSTOMFIT_HTTP_ENGINE": "pyreqwest"})

    assert 78 == done.returncode, done.stderr
    assert re.search("CUSTOMFIT_HTTP_ENGINE.*pyreqwest is gone: httptools .*; remove the setting", done.stderr)
    assert "Traceback" not in done.stderr


class MovingCoordinator:
    """A consumer whose group's coordinator is elsewhere, so many times that it is asked."""

    def __init__(self, times: int, code: int = KafkaError.NOT_COORDINATOR) -> None:
        self.times = times
        self.code = code

    def committed(self, partitions: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        """Fail, or say 7 of each."""
        assert timeout > 0
        self.times -= 1
        if self.times >= 0:
            raise KafkaException(KafkaError(self.code))
        return [TopicPartition(partition.topic, partition.partition, 7) for partition in partitions]

    def poll(self, timeout: float) -> None:
        """Nothing."""


def test_a_coordinator_that_is_on_its_way_is_waited_for() -> None:
    """The first group of a new cluster is told that it asks the wrong broker; that is no reason not to start."""
    moving = cast("Consumer", MovingCoordinator(2))

    assert {0: 7, 1: 7} == committed_offsets(moving, load(), 2)


@pytest.mark.parametrize("code", [KafkaError.NOT_COORDINATOR, KafkaError.GROUP_AUTHORIZATION_FAILED])
def test_a_coordinator_is_not_waited_for_without_end(code: int) -> None:
    """What does not pass in time, or not by itself, ends the start."""
    moving = cast("Consumer", MovingCoordinator(10**6, code))

    with pytest.raises(KafkaException):
        committed_offsets(moving, load(startup_timeout_seconds="1"), 2)


@pytest.mark.parametrize(
    ("statistics", "is_member"),
    [
        ('{"cgrp": {"state": "up", "stateage": 10000, "join_state": "init"}, "brokers": {}}', True),
        ('{"cgrp": {"state": "up", "stateage": 9999}}', False),
        ('{"cgrp": {"state": "query-coord", "stateage": 60000}}', False),
        ("{}", False),
    ],
)
def test_who_finds_its_coordinator_and_gets_no_partition_is_a_member(statistics: str, *, is_member: bool) -> None:
    """With the new group protocol nothing else says so."""
    assert is_member == is_in_group(statistics)
