"""The source topic is deleted and made again, and then an operator does what the members say.

All members are stopped, the group's offsets are reset to the beginning of the new topic, all are started. What lay in
the old topic and was not committed is gone with it, as the operator wants; all of the new one must be delivered.
The steps are taken one after the other while the run goes on; what asks a broker does so in a thread, until it answers.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.chaos import evidence
from tests.chaos.lives import NUMBERS
from tests.chaos.members import Member, Presence
from tests.real_broker import broker

if TYPE_CHECKING:
    from tests.chaos.stage import Stage

NOTICE_SECONDS: Final = 40.0
"""Before the operator acts: members must have noticed, and said so (health.py)."""
TRY_SECONDS: Final = 0.5
RESET: Final = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"


class MadeAgain:
    """One topic deleted and made again; `step` does what can be done now, `done` says whether all is."""

    def __init__(self, stage: Stage, topic: str, group: str, life: int, folder: Path) -> None:
        self.done = False
        self._stage = stage
        self._topic = topic
        self._group = group
        self._life = life
        self._folder = folder
        self._pool = ThreadPoolExecutor(1)
        self._steps = self._all()

    def step(self) -> None:
        """Go on as far as nothing is to be waited for."""
        if next(self._steps, self) is self:
            self.done = True
            self._pool.shutdown()

    def _all(self) -> Iterator[None]:
        stage = self._stage
        yield from self._stop_producer()
        old = self._folder / f"topic-{self._life - 1}.jsonl"
        yield from self._insist(lambda: evidence.write_topic(stage.cluster.bootstrap_servers, self._topic, old))
        stage.tell("deleting", life=self._life)
        yield from self._insist(lambda: stage.cluster.delete_topic(self._topic))
        yield from self._insist(lambda: stage.cluster.make_again(self._topic, stage.partitions))
        stage.tell("made again", life=self._life)
        stage.start_producer((self._life - 1) * NUMBERS)
        until = time.monotonic() + NOTICE_SECONDS
        while time.monotonic() < until:
            yield
        yield from self._stop_members(stage.members)
        stage.tell("resetting", life=self._life)
        yield from self._insist(self._reset)
        topic_id = ""

        def ask_id() -> None:
            nonlocal topic_id
            topic_id = stage.cluster.topic_id(self._topic)

        yield from self._insist(ask_id)
        stage.tell("reset", life=self._life, topic_id=topic_id)
        for member in stage.members:
            member.held = False

    def _stop_producer(self) -> Iterator[None]:
        process = self._stage.producer
        process.terminate()
        while process.poll() is None:
            yield
        self._stage.tell("producer", code=process.returncode)

    def _stop_members(self, members: list[Member]) -> Iterator[None]:
        for member in members:
            member.held = True
            member.leave()
        while any(member.presence is not Presence.ABSENT for member in members):
            for member in members:
                member.leave()  # one that was stopped by a signal, or had not started yet
            yield

    def _insist(self, do: Callable[[], None]) -> Iterator[None]:
        """Do it in the thread, again until it works: brokers may be away."""
        while True:
            doing = self._pool.submit(do)
            while not doing.done():
                yield
            if (error := doing.exception()) is None:
                return
            print(f"          topic.again: once more, {str(error)[:200]}", flush=True)
            until = time.monotonic() + TRY_SECONDS
            while time.monotonic() < until:
                yield

    def _reset(self) -> None:
        """As the message says; not before the group has no members: those killed stay until their session ends."""
        options = ["--bootstrap-server", self._stage.cluster.bootstrap_servers, "--group", self._group]
        options += ["--topic", self._topic, "--reset-offsets", "--to-earliest", "--execute"]
        done = subprocess.run(
            broker._java("-Xmx128m", RESET, *options), check=False, capture_output=True, text=True, timeout=60
        )
        reset = [line for line in done.stdout.splitlines() if line.split()[1:2] == [self._topic]]
        if done.returncode != 0 or len(reset) < self._stage.partitions:
            raise RuntimeError((done.stdout + done.stderr).strip().replace("\n", " "))
