"""How many unknown users a second the state thread looks up, with so many partitions.

    python -m bench.state_lookups [--partitions 8 256 600] [--seconds 5]

No broker: the state thread of the service, alone, with its file on this machine's disk and 50,000 identified users.
They are asked for as an event of an unknown user asks: first in its own partition, then in all others. Prints a line of
JSON for each number of partitions.
"""

from __future__ import annotations

import argparse
import json
import queue
import tempfile
import time
from collections.abc import Iterator

from consumer.ports.inputs import Input, LookedUp, StateOpened, StateWritten, ThreadEnded
from consumer.sequencing.actions import Remember
from consumer.sequencing.events import Partition, User
from consumer.sequencing.lanes import Lane
from consumer.state.thread import UserStates
from consumer.state.topic import StateTopic
from tests.settings.given_settings import load
from tests.state.given_thread import SOURCE, EmptyTopic, Topic, tenure

KNOWN_USERS = 50_000
BATCH_USERS = 500
PATIENCE_SECONDS = 60.0
SETTLE_SECONDS = 3.0
"""Until the store has what was written."""


def main() -> None:
    """Measure each number of partitions."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--partitions", type=int, nargs="+", default=[8, 256, 600])
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    for partitions in options.partitions:
        with tempfile.TemporaryDirectory() as folder:
            users_per_second = _measure(Running(partitions, folder), partitions, options.seconds)
        print(json.dumps({"partitions": partitions, "unknown_users_per_second": round(users_per_second)}))


class Running(UserStates):
    """The thread, with a topic that acknowledges at once."""

    def __init__(self, partitions: int, folder: str) -> None:
        self.told: queue.SimpleQueue[Input] = queue.SimpleQueue()
        settings = load(kafka_topic=SOURCE, state_dir=folder)
        super().__init__(settings, self.told.put)
        self._restores.reader = EmptyTopic(settings)
        self._writes.writer = Topic(settings, self._on_written)
        self._topic = StateTopic("state", partitions, "topic state of cluster c", 1000.0)
        self._thread.start()

    def end(self) -> None:
        """Close the file, end the thread."""
        self._work.put(self._end)
        self._thread.join()

    def wait_for(self, kind: type[Input], count: int) -> None:
        """Return when so many of them were told; of writes, of so many users."""
        while count > 0:
            item = self.told.get(timeout=PATIENCE_SECONDS)
            if isinstance(item, ThreadEnded) and item.error is not None:
                raise item.error
            if isinstance(item, kind):
                count -= len(item.lanes) if isinstance(item, StateWritten) else 1


def _measure(states: Running, partitions: int, seconds: float) -> float:
    ours = [tenure(Partition(SOURCE, number)) for number in range(partitions)]
    for assignment in ours:
        states.open(assignment)
    states.wait_for(StateOpened, partitions)
    lanes = [Lane(ours[n % partitions], User(f"known-{n}"), identified=True) for n in range(KNOWN_USERS)]
    states.write([Remember(lane) for lane in lanes])
    states.wait_for(StateWritten, KNOWN_USERS)
    time.sleep(SETTLE_SECONDS)
    users, started = 0, time.monotonic()
    for questions in _questions(ours[0].partition):
        states.look_up(questions)
        states.wait_for(LookedUp, 1)
        users += BATCH_USERS
        if time.monotonic() - started > seconds:
            break
    users_per_second = users / (time.monotonic() - started)
    states.end()
    return users_per_second


def _questions(partition: Partition) -> Iterator[dict[Partition, list[User]]]:
    number = 0
    while True:
        yield {partition: [User(f"unknown-{number + n}") for n in range(BATCH_USERS)]}
        number += BATCH_USERS


if __name__ == "__main__":
    main()
