"""What may befall members: one or all are killed, one is frozen, its disk is full; and what looks bad and is well."""

from __future__ import annotations

import resource
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, Final

from confluent_kafka import Producer

from tests.operations.faulty_member import TO_HANG, TO_HANG_THE_DISK
from tests.operations.places import USERS, Places, going_on, identified
from tests.operations.watch import Row
from tests.real_broker.running_service import Service, wait_until
from tests.real_broker.scene import GroupScene, Scene, event, partitions_of

STORED_BYTES_MAX: Final = 32_768
"""Less than the local copy of the state already has."""
SOON: Final[Mapping[str, Any]] = {"session_timeout_ms": 3_000, "heartbeat_interval_ms": 500}
"""In place of 45 s, for which a killed member's partitions are nobody else's, nor its own when it is back."""
FAULTY: Final = ("-m", "tests.operations.faulty_member", "run")
"""A member whose loop or disk can be made to hang."""
AGO_SECONDS: Final = 10 * 3600
BACKLOG_EVENTS: Final = 40_000


@contextmanager
def _two(places: Places) -> Iterator[tuple[Scene, Service, Service]]:
    """Two members with two of four partitions each."""
    with places.scene(partitions=4) as scene, ExitStack() as stack:
        one, two = (stack.enter_context(scene.member(name, **SOON)) for name in ("one", "two"))
        members = [one, two]
        wait_until(
            lambda: [2, 2] == [len(partitions_of(member)) for member in members if member.ready()], "a share each", 120
        )
        wait_until(lambda: _assigned(members, scene) == 4, "the gauges say so")
        yield scene, one, two


def member_killed(places: Places) -> Row:
    """One of two: until its session ends nobody reads its partitions."""
    watch = places.watch("One of two members is killed, until its session ends", [], None)
    with _two(places) as (scene, one, two):
        watch.begin(one)
        two.kill()
        there_are = one.sample("customfit_topic_partitions", topic=scene.topic)
        figures = (
            f"`sum(customfit_partitions_assigned)` {_assigned([one], scene):g} below "
            f"`max(customfit_topic_partitions)` {there_are:g}"
        )
        watch.shown(one)
        watch.figures(figures)
        wait_until(lambda: _assigned([one], scene) == 4, "all are the other's")
        two.restart()
        watch.over(one, "partitions assigned", lambda: _assigned([one, two], scene) == 4)
    return watch.row


def member_stopped(places: Places) -> Row:
    """One of two is frozen for longer than its session, as by SIGSTOP or a debugger; then it goes on."""
    watch = places.watch("One of two members is frozen (SIGSTOP)", [], None)
    with _two(places) as (scene, one, two), going_on(scene):
        watch.begin(one)
        two.process.send_signal(signal.SIGSTOP)
        try:
            wait_until(lambda: _assigned([one], scene) == 4, "its partitions are the other's")
            watch.shown(one)
        finally:
            two.process.send_signal(signal.SIGCONT)
        watch.over(
            one, "partitions revoked", lambda: two.get("/readyz")[0] == 200 and _assigned([one, two], scene) == 4
        )
        watch.ended_by("SIGCONT: it finds itself out of the group, and gets a share again")
    return watch.row


def all_members_killed(places: Places) -> Row:
    """The only one."""
    watch = places.watch("The only member is killed", [], None)
    with places.scene() as scene, scene.member("one", **SOON) as one:
        identified(scene, one)
        watch.begin(one)
        one.kill()
        watch.gone(one)
        one.restart()
        watch.over(one.wait_ready(), "partitions assigned", one.caught_up)
        watch.ended_by("a restart")
    return watch.row


def loop_hangs(places: Places) -> Row:
    """Its loop stands still; its other threads go on, so that the group leaves it its partitions."""
    watch = places.watch("The loop of a member hangs", ["customfit_loop_silent_seconds"], "the loop has not turned")
    with places.scene() as scene, scene.member("one", command=FAULTY) as one:
        identified(scene, one)
        with going_on(scene):
            watch.begin(one)
            one.process.send_signal(TO_HANG)
            watch.shown(one, lambda: one.readiness().status == "stuck")
            one.process.send_signal(TO_HANG)
        watch.over(one, ".", one.caught_up)
        watch.ended_by("it turned again by itself (WARNING the loop turns again); if it does not, a restart")
    return watch.row


def disk_hangs(places: Places) -> Row:
    """The local store does not answer who is identified: what nobody has thought of is named all the same."""
    watch = places.watch(
        "The disk under the local store hangs", [r'customfit_degraded\{cause="no_progress"'], "no progress"
    )
    with places.scene() as scene, scene.member("one", command=FAULTY) as one:
        identified(scene, one)
        watch.begin(one)
        one.process.send_signal(TO_HANG_THE_DISK)
        scene.produce_rounds([f"new-{number}" for number in range(10)], 1, 3)  # an identify would not wait for it
        watch.shown(one)
        one.process.send_signal(TO_HANG_THE_DISK)
        watch.over(one, "over: .*no progress", one.caught_up)
    return watch.row


def disk_full(places: Places) -> Row:
    """No file of the state can grow, while new users are identified."""
    watch = places.watch("The disk is full", [r'customfit_errors_total\{kind="not_stored"'], "disk")
    with places.scene() as scene, scene.member("one") as one:
        identified(scene, one)
        watch.begin(one)
        _, hard = resource.prlimit(one.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(one.process.pid, resource.RLIMIT_FSIZE, (STORED_BYTES_MAX, hard))
        scene.produce_rounds([f"new-{number}" for number in range(500)], 0, 1)
        watch.shown(one)
        resource.prlimit(one.process.pid, resource.RLIMIT_FSIZE, (hard, hard))
        watch.over(one, ".", one.caught_up)
        watch.ended_by("space: what was not stored is written then")
    return watch.row


def all_well(places: Places) -> Row:
    """Traffic, and nothing else."""
    watch = places.watch("Nothing is wrong", [], None)
    with places.scene() as scene, scene.member("one") as one:
        identified(scene, one)
        with going_on(scene):
            watch.begin(one)
            watch.shown(one)
        watch.over(one, ".", one.caught_up)
        watch.ended_by("nothing had to end")
    return watch.row


def backfill(places: Places) -> Row:
    """A first start at the beginning of a topic that holds ten hours."""
    watch = places.watch("A new group reads ten hours of events from the beginning", [r"customfit_lag_seconds\{"], None)
    with places.scene() as scene:
        _produce_backlog(scene)
        scene.settings |= {"CUSTOMFIT_IN_FLIGHT_MAX": "16", "CUSTOMFIT_BATCH_EVENTS_MAX": "1"}
        scene.emulator.faults.change({"latency_seconds": 0.02})
        with scene.member("one") as one:
            watch.begin(one)
            watch.shown(one)
            watch.over(one, ".", one.caught_up)
            watch.ended_by("nothing: the lag falls to 0")
    return watch.row


def _produce_backlog(scene: GroupScene) -> None:
    """Records as old as their place in the ten hours before now says."""
    producer = Producer({"bootstrap.servers": scene.bootstrap_servers, "linger.ms": 50, "log_level": 0})
    began = time.time() - AGO_SECONDS
    for number in range(BACKLOG_EVENTS):
        user, value = event(USERS[number % len(USERS)], number // len(USERS))
        at = began + AGO_SECONDS * number / BACKLOG_EVENTS
        producer.produce(scene.topic, value, user, timestamp=int(at * 1000))
        if number % 1000 == 0:
            producer.poll(0)
    assert 0 == producer.flush(60)


def _assigned(services: list[Service], scene: GroupScene) -> float:
    return sum(one.sample("customfit_partitions_assigned", topic=scene.topic) or 0.0 for one in services)
