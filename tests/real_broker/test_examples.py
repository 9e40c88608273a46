"""examples/ as their README starts them: what the programs send arrives at a member that runs as its unit says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import pytest

from consumer.emulator.server import Emulator
from tests.deploy.tools import ROOT
from tests.examples.unit import FOLDER, arguments, environment
from tests.real_broker.broker import Broker, free_ports
from tests.real_broker.running_service import KEY, Service, wait_until
from tests.real_broker.topics import records

README: Final = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")
PROGRAMS: Final = re.findall(r"^\.venv/bin/python (\S+)$", README, re.MULTILINE)
FORWARDER: Final = "examples/segment_sdk/forwarder.py"
SDK: Final = "examples/segment_sdk/app.py"
WRITE_KEY: Final = "any-word"
BASIC: Final = "Basic YW55LXdvcmQ6"
"""The write key as SDKs send it: before a colon, in base64."""


@pytest.fixture
def terminal(settings: dict[str, str]) -> dict[str, str]:
    """The environment in which the programs are started."""
    [port] = free_ports(1)
    return {
        **os.environ,
        "KAFKA_BOOTSTRAP_SERVERS": settings["CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS"],
        "KAFKA_TOPIC": settings["CUSTOMFIT_KAFKA_TOPIC"],
        "SEGMENT_WRITE_KEY": WRITE_KEY,
        "PORT": str(port),
        "FORWARDER_URL": f"http://127.0.0.1:{port}",
    }


def send(program: str, terminal: dict[str, str]) -> None:
    """Run an example to its end."""
    done = subprocess.run(
        [sys.executable, program], cwd=ROOT, env=terminal, check=False, capture_output=True, text=True, timeout=60
    )
    assert (0, "") == (done.returncode, done.stderr)


@contextmanager
def forwarding(terminal: dict[str, str]) -> Iterator[HTTPConnection]:
    """A way to the running forwarder."""
    command = [sys.executable, FORWARDER]
    with subprocess.Popen(command, cwd=ROOT, env=terminal, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert "SDKs may post" in process.stdout.readline()
            yield HTTPConnection("127.0.0.1", int(terminal["PORT"]), timeout=60)
        finally:
            process.kill()


def batch(*events: dict[str, Any]) -> str:
    """What an SDK posts."""
    return json.dumps({"batch": events, "sentAt": "2026-11-23T10:00:00Z", "writeKey": WRITE_KEY})


def lying_in(broker: Broker, topic: str) -> list[tuple[bytes | None, dict[str, Any]]]:
    """Each record's key and event."""
    found = records(broker.bootstrap_servers, topic)
    return [(key, json.loads(value or b"null")) for key, value in found]


def post(way: HTTPConnection, body: str, authorization: str = BASIC) -> int:
    """The status that the forwarder answers."""
    way.request("POST", "/v1/batch", body, {"Authorization": authorization})
    with way.getresponse() as response:
        response.read()
        return response.status


@contextmanager
def member(settings: dict[str, str], folder: Path) -> Iterator[Service]:
    """As the unit starts it, but that Kafka, CustomFit and the port are those of the test."""
    config = folder / "consumer.toml"
    text = (FOLDER / "consumer.toml").read_text(encoding="utf-8")
    for name in ("kafka_bootstrap_servers", "kafka_topic", "kafka_group_id"):
        text, found = re.subn(f'(?m)^{name} = ".*"$', f'{name} = "{settings[f"CUSTOMFIT_{name.upper()}"]}"', text)
        assert 1 == found
    config.write_text(text, encoding="utf-8")
    (folder / "api-key").write_text(f"{KEY}\n", encoding="utf-8")
    given = dict(environment(9464, folder, folder))
    del given["CUSTOMFIT_HTTP_PORT"]
    given["CUSTOMFIT_API_URL"] = settings["CUSTOMFIT_API_URL"]
    command = ["-m", "consumer", *(str(config) if word.startswith("/etc/") else word for word in arguments())]
    with Service(folder, given, command=command, without=["CUSTOMFIT_API_KEY"]) as service:
        yield service.wait_ready()


def test_what_the_programs_send_arrives(
    terminal: dict[str, str], settings: dict[str, str], emulator: Emulator, tmp_path: Path
) -> None:
    """All that the README starts; each user's identify first, and then the rest in order."""
    assert {FORWARDER, SDK} < set(PROGRAMS)
    with member(settings, tmp_path) as service:
        for program in set(PROGRAMS) - {FORWARDER, SDK}:
            send(program, terminal)
        wait_until(lambda: emulator.ledger.summary()["events"] >= 8, "eight events")
        assert 0 == service.stop()
    arrived: dict[str, list[str]] = {}
    for entry in emulator.ledger.entries():
        arrived.setdefault(entry.user_id, []).extend(
            name or kind for kind, name in zip(entry.kinds, entry.names, strict=True)
        )

    assert {
        "ann": ["identify", "Signed Up", "Order Completed"],
        "bob": ["identify", "Signed Up", "Order Completed"],
        "cem": ["identify", "Order Completed"],
    } == arrived


@pytest.mark.skipif(find_spec("segment") is None, reason="Segment's SDK is not installed: make venv")
def test_what_segment_s_own_sdk_sends_lies_in_the_topic(
    terminal: dict[str, str], broker: Broker, topic_name: str
) -> None:
    """When its program ends, which is when the forwarder has answered; keyed by the user, and as the SDK made it."""
    with forwarding(terminal):
        send(SDK, terminal)
    identify, track = lying_in(broker, topic_name)

    assert [(b"dia", "identify"), (b"dia", "track")] == [(key, event["type"]) for key, event in (identify, track)]
    assert {"plan": "pro"} == identify[1]["traits"]
    assert {"total": 27.5} == track[1]["properties"]
    assert identify[1]["messageId"] != track[1]["messageId"]
    assert {"sentAt", "timestamp", "context"} <= set(track[1])


def test_the_forwarder_answers_200_for_what_kafka_has_and_for_nothing_else(
    terminal: dict[str, str], broker: Broker, topic_name: str
) -> None:
    """An SDK sends again after 503. Who has no user yet is keyed by the anonymous id."""
    narrow = f"{topic_name}-narrow"
    broker.create_topic(narrow, 2, {"max.message.bytes": "1000"})
    track = {"type": "track", "event": "Signed Up", "anonymousId": "a1", "userId": None}
    huge = {"type": "track", "event": "x" * 2000, "userId": "ann"}  # for the other partition
    with forwarding({**terminal, "KAFKA_TOPIC": narrow}) as way:
        answers = {
            "taken": post(way, batch(track)),
            "one of two refused by Kafka": post(way, batch(huge, track)),
            "another key": post(way, batch(track), "Basic b3RoZXI6"),
            "no JSON": post(way, "garbage"),
            "no batch": post(way, json.dumps([track])),
            "too large": post(way, "x" * 1_000_001),
        }

    assert {
        "taken": 200,
        "one of two refused by Kafka": 503,
        "another key": 401,
        "no JSON": 400,
        "no batch": 400,
        "too large": 413,
    } == answers
    assert [b"a1", b"a1"] == [key for key, _ in lying_in(broker, narrow)]
