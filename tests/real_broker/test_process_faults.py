"""What may befall the process itself: signals, limits, its disk, its clock, as the operating system does it."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from consumer.state.store import Store
from tests.real_broker.running_service import Service, wait_until
from tests.real_broker.scene import Scene, partitions_of

USERS = [f"user-{number}" for number in range(100)]


@pytest.fixture
def latency_seconds() -> float:
    """Of the destination."""
    return 0.01


def finish(scene: Scene, member: Service, rounds: int) -> None:
    """All is committed, the member leaves cleanly, everything arrived in order and once."""
    scene.wait_committed()
    assert 0 == member.stop()
    scene.check(USERS, rounds)
    assert [] == scene.twice()


def test_a_second_sigterm_ends_it_at_once(scene: Scene) -> None:
    """The first waits for a request that is never answered; the second ends with 75, and the next start goes on."""
    with scene.member("one").wait_ready() as one:
        scene.emulator.faults.change({"hang": True})
        scene.produce_rounds(USERS, 0, 2)
        wait_until(lambda: one.total("customfit_requests_in_flight") > 0, "a request")
        one.process.send_signal(signal.SIGTERM)
        wait_until(lambda: "stopping" in one.log, "the first signal")
        assert one.process.poll() is None
        assert 75 == one.stop()
        scene.emulator.faults.change({"hang": False})
        one.restart()
        one.wait_ready()
        finish(scene, one, 2)


def test_no_file_descriptor_left(scene: Scene) -> None:
    """While no connection can be opened nothing is lost or dead-lettered; with descriptors again all goes on."""
    with scene.member("one").wait_ready() as one:
        pid = one.process.pid
        soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (len(os.listdir(f"/proc/{pid}/fd")), hard))  # noqa: PTH208
        scene.produce_rounds(USERS, 0, 5)
        wait_until(lambda: "did not accept a request" in one.log or scene.delivered() == 5 * len(USERS), "an effect")
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))
        finish(scene, one, 5)

    assert "Too many open files" in one.log
    assert [] == scene.letters()


def test_a_full_disk_costs_only_the_memory_of_who_is_identified(scene: Scene) -> None:
    """Delivery and commits go on while no file can grow; the metric and the log say so."""
    errors = 'customfit_errors_total{kind="not_stored",stage="state"}'
    with scene.member("one").wait_ready() as one:
        pid = one.process.pid
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (32_768, resource.RLIM_INFINITY))
        scene.produce_rounds(USERS, 0, 5)
        scene.wait_committed()
        wait_until(lambda: one.samples()[errors] > 0, "the store says so")
        assert one.ready()
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        finish(scene, one, 5)

    assert "disk" in one.log


def put_under_proc(scene: Scene, _folder: Path) -> list[Store]:
    """A file system on which nobody, root neither, can make a folder."""
    scene.settings["CUSTOMFIT_STATE_DIR"] = "/proc/no-state-here"
    return []


def lock_by_another(scene: Scene, folder: Path) -> list[Store]:
    """This process has the file open."""
    scene.settings["CUSTOMFIT_STATE_DIR"] = str(folder / "locked")
    return [Store(folder / "locked" / scene.topic, "theirs", "their topic", 1.0, print)]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [(put_under_proc, "can't be made"), (lock_by_another, "in use by another process")],
    ids=["read-only", "locked"],
)
def test_a_state_folder_that_cannot_be_used_is_done_without(
    scene: Scene, tmp_path: Path, spoil: Callable[[Scene, Path], list[Store]], said: str
) -> None:
    """Identified users are kept in memory, or in the next file, and the log says why."""
    theirs = spoil(scene, tmp_path)
    scene.produce_rounds(USERS, 0, 3)
    with scene.member("one").wait_ready() as one:
        finish(scene, one, 3)
    for store in theirs:
        store.close()

    assert said in one.log


JUMPING_CLOCK = """
import datetime, itertools, sys, time
import consumer.loop.pipeline
real, jumps = time.time, itertools.cycle([0, 86_400, -86_400, 3_600_000, -1_700_000_000])
time.time = lambda: real() + next(jumps)
class Jumping(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return datetime.datetime.fromtimestamp(time.time(), tz)
consumer.loop.pipeline.datetime = Jumping
from consumer.cli import main
sys.argv = ["customfit-consumer", "run"]
main()
"""


def test_a_wall_clock_that_jumps_changes_nothing(scene: Scene) -> None:
    """Retries, holds, commits and drains go by the monotonic clock: days forth and back at each look harm nobody."""
    scene.settings = {"CUSTOMFIT_HOLD_SECONDS": "1"}
    scene.emulator.faults.change({"fail_rate": 0.2})
    scene.produce_rounds(USERS, 0, 4)
    scene.produce(*((user, f"garbage of {user}".encode()) for user in USERS[:3]))
    with scene.member("one", command=("-c", JUMPING_CLOCK)).wait_ready() as one:
        finish(scene, one, 4)
        assert "Traceback" not in one.log

    assert 3 == len(scene.letters())


def test_a_member_that_was_frozen_comes_back_to_nothing(scene: Scene) -> None:
    """SIGSTOP for longer than its session, another takes over and finishes; woken, it finds itself out, and rejoins."""
    scene.properties["session.timeout.ms"] = 3000
    scene.produce_rounds(USERS, 0, 20)
    with scene.member("one").wait_ready() as one, scene.member("two").wait_ready() as two:
        wait_until(lambda: len(partitions_of(two)) == 1, "a partition for each")
        one.process.send_signal(signal.SIGSTOP)
        wait_until(lambda: len(partitions_of(two)) == 2, "both for the second")
        scene.wait_committed()
        one.process.send_signal(signal.SIGCONT)
        wait_until(lambda: "partitions lost" in one.log, "the loss")
        scene.produce_rounds(USERS, 20, 25)
        wait_until(lambda: len(partitions_of(one)) == 1, "a partition again")
        scene.wait_committed()
        assert 0 == two.stop()
        assert 0 == one.stop()

    scene.check(USERS, 25)
