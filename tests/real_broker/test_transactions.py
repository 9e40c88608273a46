"""A producer's transaction that hangs: what waits behind it is lag, and the program says what it waits for."""

from __future__ import annotations

from confluent_kafka import Producer

from tests.real_broker.running_service import Service, wait_until
from tests.real_broker.scene import Scene, event

OPEN = 50
BEHIND = 500


def gauge(service: Service, scene: Scene, name: str, partition: int = 0) -> float | None:
    """One of the gauges of a partition."""
    return service.sample(f"customfit_{name}", topic=scene.topic, partition=partition)


def test_what_an_open_transaction_holds_back_is_lag_and_is_named(scene: Scene) -> None:
    """Lag counts to the high watermark, as kafka-consumer-groups does; after 10 s the partition says why it waits."""
    sender = Producer(
        {"bootstrap.servers": scene.bootstrap_servers, "transactional.id": f"{scene.topic}-hanging", "log_level": 0}
    )
    sender.init_transactions(30)
    with scene.member("one").wait_ready() as one:
        scene.produce(event("ann", 0), partition=0)
        scene.wait_committed()
        sender.begin_transaction()
        for number in range(OPEN):
            sender.produce(scene.topic, event("open", number)[1], "open", partition=0)
        assert 0 == sender.flush(30)
        scene.produce(*(event("behind", number) for number in range(BEHIND)), partition=0)
        scene.produce(event("other", 0), partition=1)
        wait_until(lambda: "other" in scene.sent(), "the other partition goes on")
        held = float(OPEN + BEHIND)
        wait_until(
            lambda: gauge(one, scene, "lag_events") == held,
            lambda: f"a lag of {held}; it is {gauge(one, scene, 'lag_events')}, {one.readiness()}",
            20,
        )
        wait_until(lambda: gauge(one, scene, "blocked_by_transaction_events") == held, "what is held back")
        assert 0.0 == gauge(one, scene, "blocked_by_transaction_events", 1)
        assert gauge(one, scene, "lag_seconds") is not None
        wait_until(
            lambda: one.readiness()[:2] == (200, "degraded") and f"{scene.topic}-0" in one.readiness().reasons,
            lambda: f"after 10 s it says so; {one.readiness()}",
            30,
        )
        assert f"{scene.topic}-1" not in one.readiness().reasons
        sender.commit_transaction(30)
        wait_until(lambda: len(scene.sent().get("behind", ())) == BEHIND, "what was behind it")
        wait_until(lambda: gauge(one, scene, "lag_events") == 0, "no lag")
        wait_until(lambda: gauge(one, scene, "blocked_by_transaction_events") == 0, "nothing held back")
        wait_until(lambda: one.readiness().status == "ready", lambda: f"ready; {one.readiness()}")
        assert 0 == one.stop()

    sent = scene.sent()
    assert [f"open-{number}" for number in range(OPEN)] == sent["open"]
    assert [f"behind-{number}" for number in range(BEHIND)] == sent["behind"]
