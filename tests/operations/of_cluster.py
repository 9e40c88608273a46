"""What may befall the brokers and the group: no leader, no coordinator, nobody there, slow answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from consumer.emulator.server import Emulator, running_emulator
from tests.chaos.cluster import Cluster
from tests.chaos.proxy import Proxies
from tests.operations.places import Places, identified
from tests.operations.watch import Row
from tests.real_broker.leaders import KEPT, LOST
from tests.real_broker.running_service import KEY, wait_until
from tests.real_broker.scene import GroupScene, event
from tests.real_broker.slow_answers import LIST_OFFSETS, OFFSET_FETCH, SlowAnswers

HELD = 1
"""The partition whose leader goes."""
HELD_SECONDS = 25.0
LAGS = r'customfit_lag_events\{.*"segment-events-[0-9]+x"'
LAG = rf'customfit_lag_events\{{partition="{HELD}"'


def _cause(name: str) -> str:
    return rf'customfit_degraded\{{cause="{name}"'


def _go_on(scene: GroupScene, partition: int, of: str) -> Callable[[], bool]:
    """A user of this partition, whose event arrives."""
    scene.produce(event(f"{of}-{partition}", 0), partition=partition)
    return lambda: f"{of}-{partition}" in scene.sent()


def source_leader_goes(places: Places) -> Row:
    """While the partition is read and has a commit."""
    watch = places.watch(
        "A source partition that is read loses its leader", [_cause("leader_missing")], "has no leader", [LAG]
    )
    with places.placed([KEPT, LOST], [KEPT, KEPT]) as scene, scene.member("one") as one:
        identified(scene, one)
        scene.wait_committed()
        watch.begin(one)
        with places.without():
            watch.shown(one, _go_on(scene, 0, "later"))
        watch.over(one, "over: .*no leader", _go_on(scene, HELD, "later"))
    return watch.row


def source_leader_missing(places: Places) -> Row:
    """At the start, of a partition without a commit."""
    watch = places.watch(
        "A source partition without a commit has no leader when the member starts",
        [_cause("leader_missing")],
        "has no leader",
        [r'customfit_partitions_assigned\{.*"segment-events-[0-9]+x"'],
    )
    with places.placed([KEPT, LOST], [KEPT, KEPT]) as scene, ExitStack() as stack:
        with places.without():
            one = stack.enter_context(scene.member("one"))
            watch.begin(one)
            watch.shown(one, _go_on(scene, 0, "first"))
        watch.over(one, "over: .*no leader", _go_on(scene, HELD, "first"))
    return watch.row


def state_leader_goes(places: Places) -> Row:
    """While the partition is read."""
    watch = places.watch("A partition of the state topic loses its leader", [_cause("leader_missing")], "has no leader")
    with places.placed([KEPT, KEPT], [KEPT, LOST]) as scene, scene.member("one") as one:
        identified(scene, one)
        watch.begin(one)
        with places.without():
            scene.produce(*(event(f"new-{number}", 0) for number in range(20)), partition=HELD)
            watch.shown(one, _go_on(scene, 0, "later"))
        watch.over(one, "over: .*no leader", one.caught_up)
    return watch.row


def state_not_replicated(places: Places) -> Row:
    """Of its two replicas one is away, and it wants both."""
    watch = places.watch(
        "The state topic has fewer replicas in sync than its min.insync.replicas",
        [_cause("records_not_written"), LAGS],
        "no state record",
    )
    compacted = {"cleanup.policy": "compact", "min.insync.replicas": "2"}
    with places.placed([KEPT, KEPT], [[KEPT, LOST], [KEPT, LOST]], compacted) as scene, scene.member("one") as one:
        identified(scene, one)
        watch.begin(one)
        with places.without():
            scene.produce(*(event(f"new-{number}", 0) for number in range(20)))
            watch.shown(one)
        watch.over(one, "over: .*no state record", one.caught_up)
    return watch.row


def one_restoring(places: Places) -> Row:
    """The state of one of two partitions can't be read yet."""
    watch = places.watch(
        "The state of one partition can't be read at the start (its partition of the state topic has no leader)",
        [_cause("restoring")],
        "its state is being read",
        [r'customfit_paused\{reason="restoring"'],
    )
    with places.placed([KEPT, KEPT], [KEPT, LOST]) as scene, ExitStack() as stack:
        with places.without():
            one = stack.enter_context(scene.member("one"))
            watch.begin(one)
            watch.shown(one, _go_on(scene, 0, "first"))
        watch.over(one, "over: .*its state is being read", _go_on(scene, HELD, "first"))
    return watch.row


def all_restoring(places: Places) -> Row:
    """The state of every partition of a member can't be read yet."""
    watch = places.watch(
        "The state of all partitions of a member is still being read",
        [_cause("restoring")],
        "its state is being read",
        [r'customfit_paused\{reason="restoring"'],
    )
    with places.placed([KEPT], [LOST]) as scene, ExitStack() as stack:
        with places.without():
            one = stack.enter_context(scene.member("one"))
            watch.begin(one)
            watch.shown(one)
        watch.over(one, "over: .*its state is being read", _go_on(scene, 0, "first"))
    return watch.row


def coordinator_gone(places: Places) -> Row:
    """The broker of the group's offsets goes, the one of the topics stays."""
    watch = places.watch(
        "The group's coordinator is gone, the topics are there",
        [_cause("group_silent")],
        "the group (has not accepted|took)",
        [LAGS],
    )
    with places.placed([LOST, LOST], [LOST, LOST]) as scene, scene.member("one") as one:
        identified(scene, one)
        watch.begin(one)
        with places.without(KEPT):
            scene.produce(*(event(f"new-{number}", 0) for number in range(20)))
            watch.shown(one)
        watch.over(one, "(no event waits for the group|over: the group)", one.caught_up)
    return watch.row


def kafka_gone(places: Places) -> Row:
    """The broker is killed, with events that wait."""
    watch = places.watch("Kafka is gone", [_cause("kafka_unreachable")], "nothing was heard", [LAGS])
    with places.scene() as scene, scene.member("one") as one:
        identified(scene, one)
        watch.begin(one)
        scene.emulator.faults.change({"hang": True})
        scene.produce(event("ann", 0), partition=0)
        wait_until(lambda: one.total("customfit_lag_events") == 1, "an event that waits")
        scene.emulator.faults.change({"hang": False})
        scene.broker.kill()
        try:
            watch.shown(one)
        finally:
            scene.broker.restart()
        watch.over(one, "over: .*nothing was heard", one.caught_up)
    return watch.row


def start_unknown(places: Places) -> Row:
    """The answer with the group's commits takes long."""
    watch = places.watch(
        "Nobody answers where a partition starts",
        [_cause("start_unknown")],
        "where it starts",
        [LAGS],
    )
    with _answers_slow(places, frozenset({OFFSET_FETCH})) as (scene, proxy):
        proxy.is_on = True
        with scene.member("one") as one:
            watch.begin(one)
            watch.shown(one)
            proxy.is_on = False
            watch.over(one, "over: .*where it starts", _go_on(scene, 0, "first"))
    return watch.row


def end_unknown(places: Places) -> Row:
    """The answers with the ends of the logs take longer than they are waited for."""
    watch = places.watch("Nobody answers where the logs end", [_cause("end_unknown")], "where its log ends", [LAGS])
    with _answers_slow(places, frozenset({LIST_OFFSETS})) as (scene, proxy), scene.member("one") as one:
        identified(scene, one)
        watch.begin(one)
        proxy.is_on = True
        watch.shown(one)
        proxy.is_on = False
        watch.over(one, "over: .*where its log ends", one.caught_up)
    return watch.row


class Switched(SlowAnswers):
    """Holds every answer of the kinds while it is on."""

    is_on = False

    def _is_to_be_held(self, request: bytes) -> bool:
        kinds = set(self._kinds)
        is_held = super()._is_to_be_held(request)
        self._kinds = kinds
        return is_held and self.is_on


@contextmanager
def _answers_slow(places: Places, kinds: frozenset[int]) -> Iterator[tuple[GroupScene, Switched]]:
    """A broker whose answers of these kinds take long while the proxy before it is told so."""
    topic = places.new_topic()
    folder = places.folder / topic
    folder.mkdir()
    cluster = Cluster(folder, nodes=1, members=1)
    try:
        cluster.start()
        [node] = cluster.nodes
        proxy = Switched(node.ports.proxies[0], node.ports.members[0], kinds, HELD_SECONDS)
        with Proxies() as proxies, running_emulator(Emulator(keys=frozenset({KEY}))) as emulator:
            proxies.add(proxy)
            cluster.create_topic(topic, 2)
            scene = GroupScene(cluster.bootstrap_servers, topic, emulator, folder, 2)
            scene.properties = {}
            scene.on_start = places.started
            scene.settings["CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS"] = cluster.member_bootstrap_servers(0)
            yield scene, proxy
            scene.outside.close()
    finally:
        cluster.stop()
