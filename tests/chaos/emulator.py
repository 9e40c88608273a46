"""The emulator in a process of its own, that knows who sends, and can let single users fail.

Lines of senders.jsonl, one for each accepted request: [sequence, sender, arrived_at, [checksum of the traits or
properties of each event]]; written before the answer. The sender is the first part of the path that a member posts to.
Lines of alone.jsonl, one for each request that failed because of its user: [at, sender, user, status, [insert ids]].
`POST /users` with {user: status} says who fails with what from now on.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import time
from pathlib import Path
from typing import Any, Final

import msgspec

from consumer.emulator.contract import ContractError, read_call
from consumer.emulator.faults import Faults
from consumer.emulator.http import Reply, Silence
from consumer.emulator.ledger import Ledger
from consumer.emulator.request import Request
from consumer.emulator.server import Emulator
from tests.chaos.records import REFUSED_NAME, digest

RETRY_AFTER: Final = {429: b"Retry-After: 2\r\n", 503: b"Retry-After: 60\r\n"}


class AttributingEmulator(Emulator):
    """Knows its senders."""

    def __init__(self, senders: Path, **options: Any) -> None:
        super().__init__(**options)
        self._senders = senders.open("a", encoding="utf-8")
        self._alone = senders.with_name("alone.jsonl").open("a", encoding="utf-8")
        self._failing: dict[str, int] = {}
        """User → status."""
        self._arrived_at: dict[int, float] = {}
        self._routes["/users"] = {"POST": self._post_users}

    def _post_users(self, request: Request) -> Reply:
        self._failing = msgspec.json.decode(request.body, type=dict[str, int])
        return Reply(200, b"{}")

    def delay_seconds(self, request: Request) -> float:
        """Called once for each request, as soon as all of it is here."""
        self._arrived_at[id(request)] = time.time()
        return super().delay_seconds(request)

    def answer(self, request: Request, *, connected: bool) -> Reply | Silence:
        """Decide, and write down who asked."""
        arrived_at = self._arrived_at.pop(id(request))
        if self._failing and (failure := self._fails_alone(request)) is not None:
            return failure
        before = self.ledger.sequence
        reply = super().answer(request, connected=connected)
        if self.ledger.sequence > before:
            sender = request.head.path.split("/")[1]
            digests = [digest(None if raw is None else bytes(raw)) for raw in read_call(request.body).properties]
            line = [self.ledger.sequence, sender, round(arrived_at, 3), digests]
            self._senders.write(f"{json.dumps(line)}\n")
            self._senders.flush()
        return reply

    def _fails_alone(self, request: Request) -> Reply | None:
        try:
            call = read_call(request.body)
        except ContractError:
            return None
        status = self._failing.get(call.user_id)
        if status is None:
            return None
        sender = request.head.path.split("/")[1]
        line = [round(time.time(), 3), sender, call.user_id, status, call.insert_ids]
        self._alone.write(f"{json.dumps(line)}\n")
        self._alone.flush()
        self.ledger.refuse(status)
        return Reply(status, b'{"status":"error","reason":"this user fails on purpose"}', RETRY_AFTER.get(status, b""))


async def _serve(server: Emulator, port: int) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await server.start("127.0.0.1", port)
    await stopped.wait()
    await server.stop()


def main() -> int:
    """Serve until SIGTERM; prints its summary."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--ledger", type=Path, required=True)
    parser.add_argument("--senders", type=Path, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--latency", type=float, required=True, help="Seconds, and up to as much again.")
    options = parser.parse_args()
    faults = Faults(
        latency_seconds=options.latency, latency_jitter_seconds=options.latency, refuse_names=[REFUSED_NAME]
    )
    ledger = Ledger(file=options.ledger)
    server = AttributingEmulator(options.senders, faults=faults, ledger=ledger, seed=options.seed)
    asyncio.run(_serve(server, options.port))
    ledger.close()
    print(msgspec.json.encode(ledger.summary()).decode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
