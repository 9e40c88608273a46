"""A member takes over what it has followed: on a real broker, only the tail of the state is read."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Final

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import NewTopic

from consumer.state.records import SOURCE_TOPIC, decode_record
from tests.real_broker.running_service import Service, wait_until
from tests.real_broker.scene import Scene, event, partitions_of
from tests.real_broker.topics import Outside

PARTITIONS: Final = 4
STATE: Final = "{}.identified-users"


@pytest.fixture
def partitions() -> int:
    """Two for each of two members."""
    return PARTITIONS


@pytest.fixture
def latency_seconds() -> float:
    """Many users are identified before anything is looked at."""
    return 0.0


@pytest.fixture
def scene(scene: Scene) -> Scene:
    """All members follow all state."""
    scene.settings["CUSTOMFIT_STANDBY"] = "all"
    return scene


def users(count: int, name: str = "user") -> list[str]:
    """So many."""
    return [f"{name}-{number}" for number in range(count)]


def shared(*members: Service) -> bool:
    """Whether each has its half."""
    half = PARTITIONS // len(members)
    return all(member.ready() and len(partitions_of(member)) == half for member in members)


def has_all(member: Service) -> bool:
    """Whether one has what there is, and all of it is ready."""
    views = member.json("/status")["partitions"]
    return len(partitions_of(member)) == PARTITIONS and not any(view["restoring"] for view in views)


def is_level(member: Service) -> bool:
    """Whether it has all that others have written, as of a look that is younger than what they wrote."""
    return member.sample("customfit_standby_behind_records") == 0


def followed(member: Service) -> float:
    """How many records it has followed so far."""
    return member.sample("customfit_standby_records_total") or 0


def restored(member: Service) -> float:
    """How many records it has read to make its own partitions ready."""
    return member.sample("customfit_restored_records_total") or 0


def state_ends(scene: Scene, numbers: list[int]) -> int:
    """How many records the state topic has in these partitions; nothing compacts it so soon."""
    outside = Outside(scene.bootstrap_servers, STATE.format(scene.topic), f"{scene.topic}-outside", PARTITIONS)
    try:
        return sum(end for number, end in outside.ends().items() if number in numbers)
    finally:
        outside.close()


def wait_level(scene: Scene, member: Service, numbers: list[int], before: tuple[int, float]) -> None:
    """Return when it has followed all that these partitions got since then: their end, and what it had followed."""
    end, had = before
    wait_until(
        lambda: followed(member) - had == state_ends(scene, numbers) - end,
        lambda: f"level: {followed(member)} followed, {had} before, {end} → {state_ends(scene, numbers)}",
    )


@pytest.mark.long
def test_a_member_that_is_killed_is_taken_over_by_reading_the_tail_alone(scene: Scene) -> None:
    """20,000 users: each record is followed or restored, none both; tracks go at once, and nobody is introduced."""
    everybody = users(20_000)
    scene.settings["CUSTOMFIT_STANDBY_RECORDS_PER_SECOND_MAX"] = "500"  # slow, so that there is a tail
    with scene.member("one") as one, scene.member("two") as two:
        wait_until(lambda: shared(one, two), "shared")
        wait_until(lambda: is_level(two), "level")
        theirs = partitions_of(one)
        end, had, read = state_ends(scene, theirs), followed(two), restored(two)
        scene.produce_rounds(everybody, 0, 1)
        scene.wait_committed()
        wait_until(lambda: followed(two) - had >= 1000, "some are followed")
        written = state_ends(scene, theirs) - end
        one.kill()
        wait_until(lambda: has_all(two), lambda: f"taken over: {two.get('/status')}")
        both = followed(two) - had, restored(two) - read
        scene.produce_rounds(everybody, 1, 2)
        scene.wait_committed()

    print(f"{written} records: {both[0]:.0f} were followed, {both[1]:.0f} restored")
    assert written == sum(both)
    assert min(both) > 0
    assert 0 == scene.emulator.ledger.summary()["introductions"]
    assert [] == scene.twice()
    scene.check(everybody, 2)


def test_what_was_followed_to_its_end_is_not_read_again(scene: Scene) -> None:
    """Nothing is restored; a user whom the other member forgot is introduced, and nobody else."""
    everybody = users(200)
    with scene.member("one") as one, scene.member("two") as two:
        wait_until(lambda: shared(one, two), "shared")
        wait_until(lambda: is_level(two), "level")
        theirs = partitions_of(one)
        before, read = (state_ends(scene, theirs), followed(two)), restored(two)
        scene.produce_rounds(everybody, 0, 1)
        scene.wait_committed()
        gone = next(user for user, number in where(scene).items() if number in theirs)
        scene.produce(event(gone, 1, type="delete"))
        scene.wait_committed()
        wait_level(scene, two, theirs, before)
        one.kill()
        wait_until(lambda: has_all(two), lambda: f"taken over: {two.get('/status')}")
        tail = restored(two) - read
        scene.produce_rounds(everybody, 2, 3)
        scene.wait_committed()
        introductions = {entry.user_id for entry in scene.emulator.ledger.entries() if entry.identify == "introduction"}

    assert 0 == tail
    assert {gone} == introductions
    assert [] == scene.twice()


def where(scene: Scene) -> dict[str, int]:
    """In which partition the state topic has each user of whom it has heard."""
    topic = STATE.format(scene.topic)
    properties = {"bootstrap.servers": scene.bootstrap_servers, "group.id": "outside", "log_level": 0}
    reader = Consumer({**properties, "enable.auto.commit": False})
    found: dict[str, int] = {}
    try:
        reader.assign([TopicPartition(topic, number, 0) for number in range(PARTITIONS)])
        for _ in range(state_ends(scene, list(range(PARTITIONS)))):
            message = reader.poll(10)
            assert message is not None
            assert message.error() is None
            (destination, user), _ = decode_record(message.key(), message.value())
            if not destination.startswith(SOURCE_TOPIC):
                found[user.id] = message.partition() or 0
    finally:
        reader.close()
    return found


@pytest.mark.long
def test_partitions_that_go_there_and_back_are_read_once(scene: Scene) -> None:
    """Each time from where the file has followed them, whoever wrote what: the sum is what the topic has."""
    with scene.member("one") as one, scene.member("two") as two:
        wait_until(lambda: shared(one, two), "shared")
        wait_until(lambda: is_level(one) and is_level(two), "level")
        seen = []
        for turn in range(3):
            some = users(100, f"turn-{turn}")
            theirs = partitions_of(two)
            end, had = state_ends(scene, theirs), followed(one) + restored(one)
            scene.produce_rounds(some, 0, 1)
            scene.wait_committed()
            assert 0 == two.stop()
            wait_until(lambda: has_all(one), lambda: f"taken over: {one.get('/status')}")
            written, read = state_ends(scene, theirs) - end, followed(one) + restored(one) - had
            seen.append((written, read))
            scene.produce_rounds(some, 1, 2)
            scene.wait_committed()
            two.restart()
            wait_until(lambda: shared(one, two), "shared again")
            wait_until(lambda: is_level(one) and is_level(two), "level again")
            scene.produce_rounds(some, 2, 3)
            scene.wait_committed()

    print(f"written and read, each turn: {seen}")
    assert [written for written, _ in seen] == [read for _, read in seen]
    assert 0 == scene.emulator.ledger.summary()["introductions"]
    scene.check([user for turn in range(3) for user in users(100, f"turn-{turn}")], 3)


def test_of_a_state_topic_that_was_made_again_nothing_followed_is_believed(scene: Scene) -> None:
    """It is said and counted, readiness is not touched by it; whoever takes over introduces who was known before."""
    everybody = users(60)
    topic = STATE.format(scene.topic)
    with scene.member("one") as one, scene.member("two") as two:
        wait_until(lambda: shared(one, two), "shared")
        wait_until(lambda: is_level(two), "level")
        theirs = partitions_of(one)
        before = state_ends(scene, theirs), followed(two)
        scene.produce_rounds(everybody, 0, 1)
        scene.wait_committed()
        wait_level(scene, two, theirs, before)
        known = {user for user, number in where(scene).items() if number in theirs}
        scene.admin.delete_topics([topic])[topic].result(30)
        wait_until(lambda: topic not in scene.admin.list_topics(timeout=10).topics, "deleted")
        again = NewTopic(topic, PARTITIONS, 1, config={"cleanup.policy": "compact"})
        wait_until(lambda: _made(scene, again), "made again")
        wait_until(lambda: "deleted and made again; nothing more of it is followed" in two.log, "said")
        wait_until(lambda: two.json("/status")["standby"]["partitions"] == 0, "nothing is followed")
        errors = two.sample("customfit_errors_total", stage="state", kind="standby_not_read")
        one.kill()
        wait_until(lambda: has_all(two), lambda: f"taken over: {two.get('/status')}")
        scene.produce_rounds(everybody, 1, 2)
        scene.wait_committed()
        ready = two.readiness()
        introduced = {entry.user_id for entry in scene.emulator.ledger.entries() if entry.identify == "introduction"}

    assert errors is not None
    assert errors >= 1
    assert (200, known) == (ready.status_code, introduced)
    scene.check(everybody, 2)


def _made(scene: Scene, topic: NewTopic) -> bool:
    """Whether the topic could be made; right after its deletion it can't always be."""
    return scene.admin.create_topics([topic])[topic.topic].exception(30) is None


def test_without_it_others_are_not_followed(scene: Scene) -> None:
    """Neither read nor shown: what a member takes over is restored."""
    del scene.settings["CUSTOMFIT_STANDBY"]
    with ExitStack() as stack:
        one = stack.enter_context(scene.member("one"))
        wait_until(lambda: one.ready() and has_all(one), "one has all")  # the other has had none of them, then
        two = stack.enter_context(scene.member("two"))
        wait_until(lambda: shared(one, two), "shared")
        theirs = partitions_of(one)
        scene.produce_rounds(users(50), 0, 1)
        scene.wait_committed()
        written, read = state_ends(scene, theirs), restored(two)
        assert 0 == one.stop()
        wait_until(lambda: has_all(two), lambda: f"taken over: {two.get('/status')}")

        assert written == restored(two) - read
        assert (0, 0) == (followed(two), two.sample("customfit_standby_partitions"))
        assert None is two.json("/status")["standby"]
