"""Quix Streams with a sink that keeps each user's order: at each checkpoint, users at once, a user's events in turn.

A checkpoint is made after 10,000 events or a second, as this project commits. It has the same HTTP client as this
project, and what waits for a user goes out in one request. Runs in an environment of its own.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import deque
from typing import Any

import uvloop
from pyreqwest.client import Client, ClientBuilder  # type: ignore[import-not-found, unused-ignore]  # not in this project's own
from quixstreams import Application  # type: ignore[import-not-found, unused-ignore]
from quixstreams.sinks.base import BaseSink  # type: ignore[import-not-found, unused-ignore]

from bench.segment_to_customfit import request

CHECKPOINT_EVENTS = 10_000
CHECKPOINT_SECONDS = 1.0
BATCH_EVENTS_MAX = 100

Event = dict[str, Any]


class PerUserSink(BaseSink):  # type: ignore[misc, unused-ignore]
    """Collects events until the checkpoint, then posts them, `in_flight` users at once."""

    def __init__(self, url: str, in_flight: int) -> None:
        super().__init__()
        self._url = url
        self._in_flight = in_flight
        self._loop = uvloop.new_event_loop()
        self._client: Client | None = None
        self._by_user: dict[str, list[Event]] = {}

    def add(self, value: Event, *_record: Any, **_fields: Any) -> None:
        """Take one event."""
        self._by_user.setdefault(value["userId"], []).append(value)

    def flush(self) -> None:
        """Deliver all there is; an error aborts the checkpoint."""
        users = deque(self._by_user.values())
        self._by_user = {}
        self._loop.run_until_complete(self._deliver(users))

    async def _deliver(self, users: deque[list[Event]]) -> None:
        if self._client is None:
            builder = ClientBuilder().max_connections(self._in_flight).error_for_status(enable=True)
            self._client = builder.default_headers({"Authorization": "Bearer benchmark-key"}).build()
        async with asyncio.TaskGroup() as group:
            for _ in range(min(self._in_flight, len(users))):
                group.create_task(self._work(users, self._client))

    async def _work(self, users: deque[list[Event]], client: Client) -> None:
        while users:
            for batch in requests_of(users.popleft()):
                await client.post(self._url).body_bytes(json.dumps(request(batch)).encode()).build().send()


def requests_of(events: list[Event]) -> list[list[Event]]:
    """An identify alone, and the runs between identifies."""
    batches: list[list[Event]] = []
    for event in events:
        last = batches[-1] if batches else []
        if last and "identify" not in (event["type"], last[0]["type"]) and len(last) < BATCH_EVENTS_MAX:
            last.append(event)
        else:
            batches.append([event])
    return batches


def main(bootstrap_servers: str, topic: str, group_id: str, url: str, in_flight: int) -> None:
    """Run until it is stopped."""
    application = Application(
        broker_address=bootstrap_servers,
        consumer_group=group_id,
        auto_offset_reset="earliest",
        commit_interval=CHECKPOINT_SECONDS,
        commit_every=CHECKPOINT_EVENTS,
        loglevel="WARNING",
    )
    events = application.dataframe(application.topic(topic, value_deserializer="json"))
    events.sink(PerUserSink(url, in_flight))
    application.run()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5]))
