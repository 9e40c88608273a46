"""One topic that can't be described: what is known of the others is used; brokers and clients are made-up ones."""

from __future__ import annotations

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from consumer.kafka.starts import Grant, Starts
from consumer.kafka.topic_ids import Told, TopicIds
from consumer.kafka.watch import Watch
from consumer.ports.inputs import Input, StartPoint, TopicSeen, TopicsSeen
from consumer.sequencing.events import Partition
from tests.settings.given_settings import load

EVENTS, REPLAYS = Partition("segment-events", 0), Partition("replays", 0)
SEEN = TopicSeen("an-id", 1, frozenset())
DENIED = KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)
TIMED_OUT = KafkaError(KafkaError._TIMED_OUT)


def answer(error: KafkaError | None) -> Future[Any]:
    """A broker's, to a question about a topic."""
    future: Future[Any] = Future()
    if error is None:
        future.set_result(SimpleNamespace(topic_id="an-id", partitions=[SimpleNamespace(id=0, leader=None)]))
    else:
        future.set_exception(KafkaException(error))
    return future


def ids(errors: dict[str, KafkaError]) -> TopicIds:
    """Of a cluster that answers so; the other topics are there, without a leader."""
    found = TopicIds(load())
    found._is_off = False
    found._admin = cast(
        "Any",
        SimpleNamespace(
            describe_topics=lambda asked, **_: {name: answer(errors.get(name)) for name in asked.topic_names}
        ),
    )
    return found


def collection(names: list[str]) -> Any:
    """What is asked for, where a test can read it."""
    return SimpleNamespace(topic_names=names)


@pytest.fixture(autouse=True)
def _readable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consumer.kafka.topic_ids.TopicCollection", collection)


def test_each_topic_is_answered_by_itself() -> None:
    """For all three ways of asking."""
    asking = ids({REPLAYS.topic: DENIED})
    both = [EVENTS.topic, REPLAYS.topic]
    told: list[Told[str]] = []
    asking.ask(both, told.append)

    assert [Told({EVENTS.topic: "an-id"}, {REPLAYS.topic: DENIED})] == told
    assert {EVENTS.topic: "an-id"} == asking.within(both, 1)
    assert Told({EVENTS.topic: TopicSeen("an-id", 1, frozenset({0}))}, {REPLAYS.topic: DENIED}) == asking.seen(both, 1)


def test_partitions_of_the_other_topics_start() -> None:
    """And what can't be described is told."""
    found: list[dict[Partition, tuple[Grant, StartPoint]]] = []
    failed: list[tuple[KafkaError, str]] = []
    starts = Starts(load(), lambda new, _: found.append(dict(new)), lambda *what: failed.append(what), lambda _: None)
    starts._ids = ids({REPLAYS.topic: DENIED})
    starts._cluster_id = "a-cluster"
    starts._consumer = cast(
        "Any", SimpleNamespace(committed=lambda asked, **_: [TopicPartition(p.topic, p.partition, 5) for p in asked])
    )
    grant = Grant()
    starts._wanted = {EVENTS: grant, REPLAYS: Grant()}
    starts._round()

    assert [{EVENTS: (grant, StartPoint(5, None, "an-id"))}] == found
    assert [(DENIED, REPLAYS.topic)] == failed
    assert [REPLAYS] == list(starts._wanted)


@pytest.mark.parametrize(
    ("errors", "posted"),
    [
        ([DENIED, None, None], [TopicsSeen({"replays": SEEN, "state": SEEN})]),
        ([DENIED, DENIED, DENIED], [TopicsSeen({})]),
        ([TIMED_OUT, TIMED_OUT, TIMED_OUT], []),
    ],
)
def test_a_broker_that_refuses_is_heard(errors: list[KafkaError | None], posted: list[Input]) -> None:
    """Only one that says nothing is not."""
    heard: list[Input] = []
    watch = Watch(load(state_topic="state"), heard.append)
    topics = dict(zip([EVENTS.topic, "replays", "state"], errors, strict=True))
    told = Told(
        {name: SEEN for name, error in topics.items() if error is None},
        {name: error for name, error in topics.items() if error is not None},
    )
    watch._topics = [EVENTS.topic, "replays"]
    watch._ids = cast("Any", SimpleNamespace(seen=lambda *_: told))
    watch._look_at_topics()

    assert posted == heard


def test_where_topics_have_no_id_none_is_asked_for_by_its_name() -> None:
    """A broker that makes topics as they are asked for would make a deleted one again, with one empty partition."""
    asking = ids({})
    asking._is_off = True
    there = SimpleNamespace(partitions={0: SimpleNamespace(leader=1), 1: SimpleNamespace(leader=-1)})

    def list_topics(topic: str | None = None, **_timeout: float) -> Any:
        assert topic is None
        return SimpleNamespace(topics={EVENTS.topic: there})

    asking._admin = cast("Any", SimpleNamespace(list_topics=list_topics))
    told = asking.seen([EVENTS.topic, "gone"], 1)

    assert TopicSeen(None, 2, frozenset({1})) == told.known[EVENTS.topic]
    assert TopicSeen(None, None, frozenset()) == told.known["gone"]
