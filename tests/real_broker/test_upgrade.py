"""From the version before to this one and back, one member after the other, under load: what docs/upgrading.md says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Final

import pytest

from consumer.sequencing.dead_letter_headers import BATCH_INDEX, ITEM_INDEX
from consumer.settings.settings import RULES
from consumer.settings.sources import variable
from tests.real_broker import versions
from tests.real_broker.rolled import STUCK, Load, Roll
from tests.real_broker.running_service import Service, wait_until
from tests.real_broker.scene import Scene, event
from tests.real_broker.versions import EARLIER, THIS, Version

MEMBERS: Final = ("a", "b")
EARLY: Final = [STUCK, *(f"early-{number}" for number in range(20))]
LATE: Final = [f"late-{number}" for number in range(10)]
"""They are identified while all members are of this version."""
FORGOTTEN: Final = {"early": "gone-early", "late": "gone-late"}
"""By the members of which version a delete is read; the other one has their next event."""
FORGOTTEN_SENT: Final = {user: [f"{user}-0", f"{user}-1"] for user in FORGOTTEN.values()}
REFUSED_NAME: Final = "Refuse Me"
REFUSED: Final = {f"batch-{phase}": [f"batch-{phase}-0", f"batch-{phase}-2"] for phase in ("early", "late", "back")}
"""Of a batch of three events."""
IGNORED: Final = "is not ours for its offset and is ignored"
"""What the earlier version logs of a commit's metadata that it can't read."""


@pytest.fixture(scope="module", autouse=True)
def _there_is_an_earlier_version() -> None:
    """Skips where the history does not have it."""
    if (problem := versions.missing()) is not None:
        pytest.skip(f"needs the version before: {problem}")
    versions.build()
    assert [] == versions.not_satisfied()


@pytest.fixture
def partitions() -> int:
    """Two for each member."""
    return 4


@pytest.fixture
def load(scene: Scene) -> Iterator[Load]:
    """Stopped at the end, whatever happens."""
    load = Load(scene)
    yield load
    load.stop()


@pytest.fixture
def roll(scene: Scene, load: Load) -> Iterator[Roll]:
    """Its members are ended at the end."""
    with Roll(scene, load) as roll:
        yield roll


@pytest.mark.long
def test_a_group_goes_to_this_version_and_back(scene: Scene, load: Load, roll: Roll) -> None:
    """Nothing is lost, order and identifies first are kept; state, commits and dead letters of either serve the other.

    Sent again is nothing on the way to this version. On the way back it is what was finished behind an event that
    waits, since the earlier version can't read where this one noted it.
    """
    scene.emulator.faults.change({"refuse_names": [REFUSED_NAME], "fail_users_retry_after_seconds": 1})
    load.begin(EARLY)
    for name in MEMBERS:
        roll.start(name, EARLIER)
    roll.wait_delivering()
    scene.produce(*(event(user, 0) for user in FORGOTTEN.values()))
    spoil(scene, "early")
    forget(scene, "early")

    metrics = go_to_this_version(scene, roll)
    load.join(LATE)
    scene.produce(event(FORGOTTEN["early"], 1))
    spoil(scene, "late")
    forget(scene, "late")
    orders = [THIS.ask(roll.members["a"], order).returncode for order in ("pause", "resume")]
    assert [0, 0] == orders, "the earlier version is to meet them in the state topic"
    roll.wait_delivering()
    go_back(scene, load, roll)
    assert metrics <= metric_names(roll.members["a"]), "names that the earlier version has alone"
    scene.produce(event(FORGOTTEN["late"], 1))
    spoil(scene, "back")
    load.stop()
    scene.wait_committed()

    found = {user: list(dict.fromkeys(ids)) for user, ids in scene.sent().items()}
    assert load.sent | FORGOTTEN_SENT | {user: [f"{user}-1"] for user in REFUSED} == found
    assert 0 == scene.emulator.ledger.summary()["identifies_first_violations"]
    assert dict.fromkeys([*REFUSED, *FORGOTTEN.values()], 1) == introductions(scene)
    both_know_users_and_dead_letters_of_both(scene, roll.members["a"])
    assert any(has_left_out_a_record(member) for member in roll.members.values()), "an order to pause"
    assert [0, 0] == [member.stop() for member in roll.members.values()]
    this_version_replays_those_of_both(scene, roll)
    print(f"{len(load.places)} events of the load; accepted once more: {', '.join(roll.again)}")


def test_settings_that_the_earlier_version_refuses_are_named() -> None:
    """Whoever goes back has to remove them, and finds them in docs/upgrading.md."""
    environ = {**os.environ, **EARLIER.environ, **{variable(name): "" for name in RULES}}
    command = [sys.executable, *EARLIER.command("check")]
    done = subprocess.run(command, env=environ, check=False, capture_output=True, text=True)
    page = (versions.ROOT / "docs" / "upgrading.md").read_text(encoding="utf-8")
    [row] = re.findall(r"^\| \*\*settings\*\* \|.*\|(.*)\|$", page, re.MULTILINE)

    assert 78 == done.returncode
    assert set(re.findall(r"`(CUSTOMFIT_\w+)`", row)) == set(re.findall(r"(\w+) \(environment\): no such", done.stderr))


def go_to_this_version(scene: Scene, roll: Roll) -> set[str]:
    """One after the other, while a user's requests fail; gives the names of the earlier version's metrics."""
    assert ("partitions",) == roll.state_files("a")
    metrics = metric_names(roll.members["a"])
    roll.fail_stuck()
    roll.wait_finished_behind("1")
    for name in MEMBERS:
        roll.replace(name, THIS)
    roll.wait_finished_behind("2")

    assert [] == scene.twice()
    assert ("member",) == roll.state_files("a")
    assert metrics <= metric_names(roll.members["a"])
    roll.release_stuck()
    return metrics


def go_back(scene: Scene, load: Load, roll: Roll) -> None:
    """The same to the earlier version: it can't read version 2 of the metadata."""
    roll.fail_stuck()
    partition, offset = roll.wait_finished_behind("2")
    for name in MEMBERS:
        roll.replace(name, EARLIER)
    roll.wait_finished_behind("1")
    roll.release_stuck()
    again = scene.twice()

    assert again
    assert [] == [one for one in again if load.places[one][0] != partition or load.places[one][1] < offset]
    assert {2} == {ids.count(one) for ids in scene.sent().values() for one in set(ids) & set(again)}
    assert any(IGNORED in roll.members[name].log for name in MEMBERS)
    assert ("member", "partitions") == roll.state_files("a")


def both_know_users_and_dead_letters_of_both(scene: Scene, member: Service) -> None:
    """What either has written into the state topic and the dead-letter topic; members are of the earlier version."""
    assert 5 == to_be_replayed(EARLIER, member), "two events of one batch of this version are the same one to it"
    assert 6 == to_be_replayed(THIS, member)
    assert {user: [True, True] for user in ("early-0", "late-0")} == {
        user: [identified(version, member, user) for version in (EARLIER, THIS)] for user in ("early-0", "late-0")
    }
    letters = scene.letters()
    items = Counter(name for letter in letters for name in (BATCH_INDEX, ITEM_INDEX) if name in letter.headers)
    assert {BATCH_INDEX: 4, ITEM_INDEX: 2} == items, "the earlier version wrote whole batches"
    assert 9 == len(letters) == len(listed(THIS, member))
    assert listed(EARLIER, member) == listed(THIS, member)


def this_version_replays_those_of_both(scene: Scene, roll: Roll) -> None:
    """Once more one of its members, on the files that it left; each refused event arrives, and both versions see it."""
    scene.emulator.faults.change({"refuse_names": []})
    roll.start("a", THIS)
    member = roll.members["a"].wait_ready()
    assert ("member",) == roll.state_files("a")
    done = THIS.ask(member, "dlq", "replay", "--reason", "refused", "--json")
    assert 0 == done.returncode, done.stderr
    wait_until(lambda: all(len(scene.sent()[user]) >= 3 for user in REFUSED), "the replays have arrived")
    assert 0 == member.stop()

    assert {user: [f"{user}-1", *ids] for user, ids in REFUSED.items()} == {u: scene.sent()[u] for u in REFUSED}
    assert 3 == len(listed(THIS, member)) == len(listed(EARLIER, member))


def spoil(scene: Scene, phase: str) -> None:
    """Garbage, and a batch of which two events are refused; returns when the three dead letters are there."""
    there = 0 if phase == "early" else len(scene.letters())
    user = f"batch-{phase}"
    items = [
        {"type": "track", "userId": user, "messageId": f"{user}-{number}", "event": name}
        for number, name in enumerate([REFUSED_NAME, "E", REFUSED_NAME])
    ]
    scene.produce((user, b"garbage"), (user, json.dumps({"batch": items}).encode()))
    wait_until(lambda: len(scene.letters()) == there + 3, lambda: f"the letters of {phase}: {scene.letters()}")


def forget(scene: Scene, phase: str) -> None:
    """A delete, as `user --forget` produces it."""
    user = FORGOTTEN[phase]
    scene.produce((user, json.dumps({"type": "delete", "userId": user}).encode()))


def introductions(scene: Scene) -> Counter[str]:
    """User → how many were accepted."""
    return Counter(entry.user_id for entry in scene.emulator.ledger.entries() if entry.identify == "introduction")


def listed(version: Version, member: Service) -> list[tuple[int, int]]:
    """Where the dead letters are that `dlq list` shows."""
    done = version.ask(member, "dlq", "list", "--json")
    assert 0 == done.returncode, done.stderr
    shown = [json.loads(line) for line in done.stdout.splitlines()]
    return [(one["partition"], one["offset"]) for one in shown]


def to_be_replayed(version: Version, member: Service) -> int:
    """How many refused events its `dlq replay` would send."""
    done = version.ask(member, "dlq", "replay", "--reason", "refused", "--dry-run", "--json")
    count: int = json.loads(done.stdout)["to_be_replayed"]["refused"]
    return count


def has_left_out_a_record(member: Service) -> bool:
    """Of the state topic, since it does not know what that is."""
    return any("unknown_record" in sample and value > 0 for sample, value in member.samples().items())


def identified(version: Version, member: Service, user: str) -> bool:
    """What its command `user` says."""
    done = version.ask(member, "user", user, "--json")
    said: bool = json.loads(done.stdout)["identified"]
    return said


def metric_names(member: Service) -> set[str]:
    """Of all it serves."""
    return {sample.partition("{")[0] for sample in member.samples()}
