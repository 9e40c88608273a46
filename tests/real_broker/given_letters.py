"""Events that become dead letters, and the commands that show and replay them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from confluent_kafka import Consumer, Message, Producer, TopicPartition
from typer.testing import CliRunner

from consumer.cli import app
from consumer.emulator.server import Emulator
from tests.real_broker.broker import Broker
from tests.real_broker.running_service import Service, wait_until

PARTITIONS = 3
Sent = dict[str, tuple[int, int]]


def environment(settings: dict[str, str], folder: Path) -> dict[str, str]:
    """What service and commands have in common: also where most of what they read is bad."""
    return settings | {"CUSTOMFIT_STATE_DIR": str(folder / "state"), "CUSTOMFIT_DEAD_LETTER_RATIO_MAX": "1"}


def producing_events(broker: Broker, topic: str) -> Callable[..., Sent]:
    """Produce events, keyed by their user; gives each one's partition and offset, by its `properties.n` or value."""
    producer = Producer(
        # Idempotent, because a batch that a new topic's leader refused at first would come behind later ones.
        {
            "bootstrap.servers": broker.bootstrap_servers,
            "partitioner": "murmur2_random",
            "enable.idempotence": True,
        }
    )

    def send(*events: dict[str, Any] | str, key: str | None = None) -> Sent:
        where: Sent = {}
        for event in events:
            value = event if isinstance(event, str) else json.dumps(event)
            name = event if isinstance(event, str) else str(event.get("properties", {}).get("n", ""))

            def note(_error: object, message: Message, name: str = name) -> None:
                where[name] = (message.partition() or 0, message.offset() or 0)

            producer.produce(topic, value, key or cast("dict[str, Any]", event)["userId"], on_delivery=note)
        assert producer.flush(30) == 0
        return where

    return send


def command(settings: Mapping[str, str], *arguments: str) -> subprocess.Popen[str]:
    """Start a command with these settings."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CUSTOMFIT_")}
    return subprocess.Popen(
        [sys.executable, "-m", "consumer", *arguments],
        env={**inherited, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    )


def run(settings: Mapping[str, str], *arguments: str, code: int = 0) -> str:
    """What a command prints, after it ended with this code. In this process: another Python takes a second to start."""
    done = CliRunner().invoke(app(arguments[0]), arguments, env=settings)
    assert code == done.exit_code, (done.stderr, done.exception)
    return done.stdout + (done.stderr if code else "")


def listed(settings: Mapping[str, str], *options: str) -> list[dict[str, Any]]:
    """What `dlq list` shows."""
    return [json.loads(line) for line in run(settings, "dlq", "list", "--json", *options).splitlines()]


def replay(settings: Mapping[str, str], *options: str) -> dict[str, Any]:
    """What `dlq replay` says of itself."""
    said: dict[str, Any] = json.loads(run(settings, "dlq", "replay", "--json", *options))
    return said


def committed_records(broker: Broker, topic: str) -> list[Message]:
    """Every committed record of a topic, partition by partition."""
    consumer = Consumer(
        {
            "bootstrap.servers": broker.bootstrap_servers,
            "group.id": "reader",
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
        }
    )
    partitions = consumer.list_topics(topic, timeout=60).topics[topic].partitions
    consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
    found: list[Message] = []
    ended: set[int | None] = set()
    while len(ended) < len(partitions):
        message = consumer.poll(30)
        assert message is not None
        if message.error() is None:
            found.append(message)
        else:
            ended.add(message.partition())
    consumer.close()
    return sorted(found, key=lambda message: (message.partition(), message.offset()))


def track(user: str, number: int, event: str = "Poison", **more: Any) -> dict[str, Any]:
    """A track; without messageId its insert_id is its place."""
    return {"type": "track", "userId": user, "event": event, "properties": {"n": number}, **more}


def identify(user: str) -> dict[str, Any]:
    """An identify."""
    return {"type": "identify", "userId": user, "messageId": f"identify-{user}"}


def arrived(emulator: Emulator, user: str) -> list[str]:
    """The insert ids of the user's accepted events, in order."""
    return [one for entry in emulator.ledger.entries() if entry.user_id == user for one in entry.insert_ids]


def dead_lettered(service: Service, count: int) -> None:
    """Return when so many events were dead-lettered and all is committed."""
    wait_until(
        lambda: (
            sum(service.json("/status")["events"]["finished"]["dead_lettered"].values()) == count
            and service.caught_up()
        ),
        f"{count} dead letters",
    )
