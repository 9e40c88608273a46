"""Asks the brokers a few times a second what the group has committed and who has which partition, in its own process.

Lines of commits.jsonl: [asked_at, answered_at, {partition: [offset, metadata]}], only when something has changed.
Lines of owners.jsonl: [asked_at, answered_at, {partition: member}, [members, with partitions or without]]; a partition
that nobody has is left out.

Lines of health.jsonl: [at, slot, word of /readyz, [reasons], customfit_users_retrying or null], of members that answer.

Commits are asked for by a consumer that never joins: AdminClient.list_consumer_group_offsets crashes the process while
a group has no coordinator (librdkafka 2.16, its issue 5040).
"""

from __future__ import annotations

import argparse
import json
import re
import signal
import sys
import threading
import time
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError
from urllib.request import urlopen

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

SAMPLE_SECONDS: Final = 0.2
HEALTH_SECONDS: Final = 1.0
RETRYING: Final = re.compile(r"^customfit_users_retrying (\S+)$", re.MULTILINE)
REQUEST_SECONDS: Final = 2.0
FAILURES_MAX: Final = 20
"""In turn; then a new client asks."""
QUIET: Final = {"reconnect.backoff.max.ms": 300, "log_level": 0}


class Offsets:
    """What a group has committed, and how far the topic goes."""

    def __init__(self, bootstrap_servers: str, group: str, topic: str) -> None:
        self._config = {"bootstrap.servers": bootstrap_servers, "group.id": group, **QUIET}
        self._consumer = Consumer(self._config)
        self._topic = topic
        self._failures = 0

    def _where(self) -> list[TopicPartition]:
        """Every partition; there may be more than before. Raises KafkaException."""
        numbers = self._consumer.list_topics(self._topic, REQUEST_SECONDS).topics[self._topic].partitions
        return [TopicPartition(self._topic, number) for number in sorted(numbers)]

    def committed(self) -> dict[int, list[Any]]:
        """Partition → offset and metadata, where there is a commit; raises KafkaException."""
        try:
            answer = self._consumer.committed(self._where(), REQUEST_SECONDS)
        except KafkaException:
            self._failed()
            raise
        if errors := [where.error for where in answer if where.error is not None]:
            self._failed()
            raise KafkaException(errors[0])
        self._failures = 0
        return {where.partition: [where.offset, where.metadata or ""] for where in answer if where.offset >= 0}

    def _failed(self) -> None:
        """Count; a client was seen that never got an answer again, with the broker long back."""
        self._failures += 1
        if self._failures >= FAILURES_MAX:
            self._failures = 0
            self._consumer.close()
            self._consumer = Consumer(self._config)

    def lag(self) -> int | None:
        """How many records the group has not committed; None where no broker says."""
        try:
            committed = self.committed()
            ends = [self._consumer.get_watermark_offsets(where, REQUEST_SECONDS)[1] for where in self._where()]
        except KafkaException:
            return None
        lag: int = sum(end - committed.get(number, [0])[0] for number, end in enumerate(ends))
        return lag

    def close(self) -> None:
        """Let go."""
        self._consumer.close()


class Owners:
    """Who has which partition of the topic."""

    def __init__(self, bootstrap_servers: str, group: str, topic: str) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._group = group
        self._topic = topic
        self._admin = self._client()

    def _client(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self._bootstrap_servers, **QUIET})

    def members(self) -> tuple[dict[int, str], list[str]]:
        """Partition → client id, and the client ids of all members; raises KafkaException."""
        future = self._admin.describe_consumer_groups([self._group], request_timeout=REQUEST_SECONDS)[self._group]
        try:
            members = future.result(REQUEST_SECONDS + 1).members
        except (KafkaException, TimeoutError) as error:
            # After a restart of the only broker a client never gets an answer to this again (librdkafka 2.16).
            self._admin = self._client()
            raise KafkaException(str(error)) from None
        owners = {
            where.partition: member.client_id
            for member in members
            for where in (member.assignment.topic_partitions if member.assignment else [])
            if where.topic == self._topic
        }
        return owners, sorted(member.client_id for member in members)


def _ask_health(port: int) -> tuple[str, list[str], float | None]:
    """Raises OSError, ValueError."""
    url = f"http://127.0.0.1:{port}"
    try:
        with urlopen(f"{url}/readyz", timeout=HEALTH_SECONDS) as answer:  # noqa: S310  http it is
            page = json.load(answer)
    except HTTPError as error:  # 503 says why
        page = json.load(error)
    with urlopen(f"{url}/metrics", timeout=HEALTH_SECONDS) as answer:  # noqa: S310
        retrying = RETRYING.search(answer.read().decode())
    return page["status"], page["reasons"], float(retrying[1]) if retrying else None


def _sample_health(ports: list[int], path: Path, stopped: threading.Event) -> None:
    with path.open("a", encoding="utf-8") as file:
        while not stopped.wait(HEALTH_SECONDS):
            for slot, port in enumerate(ports):
                try:
                    asked_at, answer = time.time(), _ask_health(port)
                except (OSError, HTTPException, ValueError):
                    continue
                file.write(f"{json.dumps([round(asked_at, 3), f'm{slot}', *answer])}\n")
                file.flush()


def _sample(ask: Callable[[], tuple[Any, ...]], path: Path, stopped: threading.Event, *, only_changes: bool) -> None:
    before = None
    with path.open("a", encoding="utf-8") as file:
        while not stopped.wait(SAMPLE_SECONDS):
            asked_at = time.time()
            try:
                answer = ask()
            except KafkaException:
                continue
            if not only_changes or answer != before:
                line = [round(asked_at, 3), round(time.time(), 3), *answer]
                file.write(f"{json.dumps(line)}\n")
                file.flush()
            before = answer


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


def main() -> int:
    """Sample until SIGTERM."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--group", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--ports", type=_numbers, required=True, help="Of the members' own HTTP servers, by slot.")
    options = parser.parse_args()
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    offsets = Offsets(options.bootstrap, options.group, options.topic)
    owners = Owners(options.bootstrap, options.group, options.topic)
    commits = threading.Thread(
        target=_sample,
        args=(lambda: (offsets.committed(),), options.folder / "commits.jsonl", stopped),
        kwargs={"only_changes": True},
    )
    health = threading.Thread(target=_sample_health, args=(options.ports, options.folder / "health.jsonl", stopped))
    commits.start()
    health.start()
    _sample(owners.members, options.folder / "owners.jsonl", stopped, only_changes=False)
    commits.join()
    health.join()
    offsets.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
