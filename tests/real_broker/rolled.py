"""A group under load whose members are started again with another version, one after the other."""

from __future__ import annotations

import json
import threading
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final, Self

from tests.real_broker.running_service import Service, wait_until
from tests.real_broker.scene import Scene, event, partitions_of
from tests.real_broker.versions import Version

STUCK: Final = "stuck"
"""Their requests fail for a while, so that what is behind their first event can't be committed."""
ROUND_SECONDS: Final = 0.25
ROUNDS_BETWEEN: Final = 4
"""Delivered with both members at work, before the next one is stopped."""
FINISHED_BEHIND_MIN: Final = 10
OFFSETS_LOOKED_AT: Final = 1000


class Load:
    """A thread that produces rounds of one event of each user until it is stopped; the first is their identify."""

    def __init__(self, scene: Scene) -> None:
        self.sent: dict[str, list[str]] = {}
        """User → insert ids, in order."""
        self.places: dict[str, tuple[int, int]] = {}
        """Insert id → partition and offset."""
        self._scene = scene
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def begin(self, users: list[str]) -> None:
        """Start with one round of these."""
        self.join(users)
        self._round()
        self._thread.start()

    def join(self, users: list[str]) -> None:
        """These have events from the next round on."""
        with self._lock:
            self.sent |= {user: [] for user in users}

    def stop(self) -> None:
        """End with a whole round."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def partition(self, user: str) -> int:
        """Where their events are."""
        return self.places[f"{user}-0"][0]

    def _run(self) -> None:
        while not self._stopping.wait(ROUND_SECONDS):
            self._round()

    def _round(self) -> None:
        with self._lock:
            there = self._scene.produce(*(event(user, len(ids)) for user, ids in self.sent.items()))
            self.places |= {json.loads(value)["messageId"]: place for place, value in there.items()}
            for user, ids in self.sent.items():
                ids.append(f"{user}-{len(ids)}")


class Roll:
    """A group whose members are started again with another version, each with its own state folder."""

    def __init__(self, scene: Scene, load: Load) -> None:
        self.members: dict[str, Service] = {}
        self.again: list[str] = []
        """Each hand-over, and how many events were accepted once more in it."""
        self._scene = scene
        self._load = load
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stack.close()

    def start(self, name: str, version: Version) -> None:
        """Start a member; its state folder is that of the last one of its name."""
        self._scene.settings |= version.environ
        self.members[name] = self._stack.enter_context(self._scene.member(name, command=version.command("run")))

    def replace(self, name: str, version: Version) -> None:
        """Stop it, start it with another version, and wait until all deliver."""
        before = len(self._scene.twice())
        assert 0 == self.members[name].stop(), self.members[name].log
        self.start(name, version)
        self.wait_delivering()
        self.again.append(f"{name} to {version.name}: {len(self._scene.twice()) - before}")

    def wait_delivering(self) -> None:
        """Return when each has partitions and some more rounds have been delivered, but for the user who fails."""
        wait_until(self._is_shared, self._logs)
        fail = self._scene.emulator.faults.fail_users
        goal = {user: len(ids) + ROUNDS_BETWEEN for user, ids in self._load.sent.items() if user not in fail}
        wait_until(partial(self._are_delivered, goal), self._logs)

    def fail_stuck(self) -> None:
        """From now on that user's requests fail."""
        self._scene.emulator.faults.change({"fail_users": [STUCK]})

    def release_stuck(self) -> None:
        """They succeed again; returns when nobody is behind."""
        self._scene.emulator.faults.change({"fail_users": []})
        goal = {user: len(ids) for user, ids in self._load.sent.items()}
        wait_until(partial(self._are_delivered, goal), self._logs)

    def wait_finished_behind(self, version: str) -> tuple[int, int]:
        """Return when metadata of this version says what is finished behind the event that waits; gives its place."""
        number = self._load.partition(STUCK)

        def is_said() -> bool:
            said = self._scene.outside.committed().get(number)
            if said is None or not said.metadata.startswith(version):
                return False
            looked_at = range(said.offset, said.offset + OFFSETS_LOOKED_AT)
            return sum(said.records(offset) for offset in looked_at) >= FINISHED_BEHIND_MIN

        wait_until(is_said, lambda: f"{self._scene.outside.committed()}\n{self._logs()}")
        return number, self._scene.outside.committed()[number].offset

    def state_files(self, name: str) -> tuple[str, ...]:
        """Which files a member has its copy of the state in: one of its own, or one for each partition."""
        names = {file.name for file in Path(self._scene._folder, f"state-{name}").rglob("*.sqlite")}
        own = {one for one in names if one.startswith("identified-users-")}
        return (*(("member",) if own else ()), *(("partitions",) if names - own else ()))

    def _is_shared(self) -> bool:
        members = self.members.values()
        if not all(member.ready() for member in members):
            return False
        owned = [partitions_of(member) for member in members]
        everything = sorted(number for numbers in owned for number in numbers)
        return all(owned) and everything == sorted(self._scene.outside.ends())

    def _are_delivered(self, goal: dict[str, int]) -> bool:
        sent = self._scene.sent()
        return all(len(set(sent.get(user, ()))) >= count for user, count in goal.items())

    def _logs(self) -> str:
        return "\n".join(f"{name}: {member.log[-3000:]}" for name, member in self.members.items())
