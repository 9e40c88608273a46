"""What may befall the destination: wrong key, wrong address, away, slow, or refusing one user."""

from __future__ import annotations

import time
from typing import Any

from tests.chaos.proxy import Network, Proxies
from tests.operations.places import USERS, Places, going_on, identified, tracks
from tests.operations.watch import Row, Watch
from tests.real_broker.broker import free_ports
from tests.real_broker.running_service import Service, wait_until
from tests.real_broker.scene import event

LAGS = r'customfit_lag_seconds\{.*"segment-events-[0-9]+x"'
ACCEPTS_AGAIN = "the destination accepts events again"


def _cause(name: str) -> str:
    return rf'customfit_degraded\{{cause="{name}"'


def _state(name: str) -> str:
    return rf'customfit_destination_state\{{state="{name}"'


def _while_failing(places: Places, watch: Watch, faults: dict[str, Any], **settings: str) -> Row:
    """The emulator fails so; then no longer."""
    with places.scene() as scene:
        scene.settings |= settings
        with scene.member("one") as one:
            identified(scene, one)
            with going_on(scene):
                watch.begin(one)
                before = {name: getattr(scene.emulator.faults, name) for name in faults}
                scene.emulator.faults.change(faults)
                watch.shown(one)
            scene.emulator.faults.change(before)
            watch.over(one, ACCEPTS_AGAIN, one.caught_up)
    return watch.row


def wrong_key(places: Places) -> Row:
    """Every request gets a 401: the key was revoked, or is another one's."""
    signs = [_cause("destination_stopped"), _state("stopped")]
    watch = places.watch("The API key is wrong: 401 for everybody", signs, "the destination is stopped")
    return _while_failing(places, watch, {"reject_all_keys": True})


def wrong_url(places: Places) -> Row:
    """It starts with a URL where nothing is."""
    signs = [_cause("destination_stopped"), _state("stopped")]
    watch = places.watch("The URL is wrong: 404 for everybody", signs, "the destination is stopped")
    with places.scene() as scene:
        right = dict(scene.settings)
        scene.settings["CUSTOMFIT_API_URL"] = f"{scene.emulator.base_url}/v1/wrong"
        with scene.member("one") as one:
            watch.begin(one)
            scene.produce_rounds([f"user-{number}" for number in range(20)], 0, 2)
            watch.shown(one)
            assert 0 == one.stop()
        scene.settings = right
        with scene.member("two") as two:
            watch.over(two.wait_ready(), "never", two.caught_up)
            watch.ended_by("a restart with the right URL")
    return watch.row


def connection_refused(places: Places) -> Row:
    """Nobody listens there."""
    signs = [_cause("destination_unavailable"), _state("unavailable")]
    watch = places.watch("The destination is down: connections are refused", signs, "the destination is unavailable")
    with places.scene() as scene, Proxies() as proxies:
        [port] = free_ports(1)
        proxy = proxies.open(port, scene.emulator.port)
        scene.settings["CUSTOMFIT_API_URL"] = scene.emulator.url.replace(f":{scene.emulator.port}/", f":{port}/")
        with scene.member("one") as one:
            identified(scene, one)
            watch.begin(one)
            proxies.change(proxy, Network.CUT)
            tracks(scene, rounds=10)
            watch.shown(one)
            proxies.change(proxy, Network.PASS)
            watch.over(one, ACCEPTS_AGAIN, one.caught_up)
    return watch.row


def unavailable(places: Places) -> Row:
    """503 for everybody."""
    signs = [_cause("destination_unavailable"), _state("unavailable")]
    watch = places.watch("The destination answers 503 to everybody", signs, "the destination is unavailable")
    return _while_failing(places, watch, {"fail_rate": 1.0, "fail_status": 503})


def told_to_wait(places: Places) -> Row:
    """503 for everybody, with a time to wait."""
    signs = [_cause("destination_unavailable"), _state("unavailable")]
    watch = places.watch(
        "The destination answers 503 with Retry-After: 20 to everybody", signs, "the destination is unavailable"
    )
    faults = {"fail_rate": 1.0, "fail_status": 503, "fail_retry_after_seconds": 20}
    return _while_failing(places, watch, faults)


def throttled(places: Places) -> Row:
    """429 above a limit that is too low."""
    signs = [_cause("destination_throttled"), _state("throttled")]
    watch = places.watch(
        "The destination answers 429", signs, "the destination is throttled", ["customfit_requests_in_flight_limit$"]
    )
    return _while_failing(places, watch, {"throttle_requests_per_second": 5.0}, CUSTOMFIT_BATCH_EVENTS_MAX="1")


def paused(places: Places) -> Row:
    """Somebody pauses the group by its command, and lets it go on by the other."""
    signs = [_cause("paused"), r'customfit_paused\{reason="command"']
    watch = places.watch("Somebody has paused sending: customfit-consumer pause", signs, "sending is paused", [LAGS])
    with places.scene() as scene, scene.member("one") as one:
        identified(scene, one)
        with going_on(scene):
            watch.begin(one)
            _order(one, "pause", "--reason", "CustomFit is being moved")
            watch.shown(one)
            _order(one, "resume")
        watch.over(one, "sending goes on", one.caught_up)
    return watch.row


def _order(one: Service, *command: str) -> None:
    done = one.ask(*command, LOGNAME="ann")
    assert done.returncode == 0, done.stderr


def never_answers(places: Places) -> Row:
    """It takes requests and says nothing."""
    signs = [_cause("destination_unavailable"), _state("unavailable")]
    watch = places.watch("The destination takes requests and never answers", signs, "the destination is unavailable")
    return _while_failing(places, watch, {"hang": True})


def slow_answers(places: Places) -> Row:
    """Each answer takes longer than the time after which a partition that does not move is named."""
    signs = [_cause("destination_slow")]
    watch = places.watch(
        "Each answer takes 25 s, and CUSTOMFIT_REQUEST_TIMEOUT_SECONDS is 60",
        signs,
        "the destination is slow",
        ["customfit_requests_in_flight$", "customfit_oldest_unfinished_seconds"],
    )
    with places.scene() as scene:
        scene.settings["CUSTOMFIT_REQUEST_TIMEOUT_SECONDS"] = "60"
        with scene.member("one") as one:
            identified(scene, one)
            watch.begin(one)
            scene.emulator.faults.change({"latency_seconds": 25})
            tracks(scene)
            watch.shown(one)
            scene.emulator.faults.change({"latency_seconds": 0})
            watch.over(one, "over: .*the destination is slow", one.caught_up)
    return watch.row


def _one_user(places: Places, watch: Watch, faults: dict[str, Any]) -> Row:
    """One user's requests fail, everybody else's are accepted all the time; then the user's, too."""
    with places.scene(partitions=1) as scene, scene.member("one") as one:
        identified(scene, one)
        scene.produce(event("bad", 0))
        wait_until(one.caught_up, "the one who will fail is identified")
        watch.begin(one)
        with going_on(scene):
            scene.emulator.faults.change({"fail_users": ["bad"], **faults})
            scene.produce(event("bad", 1))
            watch.shown(one)
        scene.emulator.faults.change({"fail_users": []})
        watch.over(one, "waits no longer", lambda: one.caught_up() and one.sample("customfit_users_retrying") == 0)
        watch.ended_by("nothing: `customfit_users_retrying` is 0 again")
    return watch.row


def one_user_unavailable(places: Places) -> Row:
    """A 503 with Retry-After: 60 to one user."""
    watch = places.watch("One user gets 503 with Retry-After: 60", ["customfit_users_retrying"], "waits: .*last answer")
    return _one_user(places, watch, {"fail_users_status": 503, "fail_users_retry_after_seconds": 60})


def one_user_refused(places: Places) -> Row:
    """A 401 to one user."""
    watch = places.watch("One user gets 401", ["customfit_users_retrying"], "waits: .*last answer")
    return _one_user(places, watch, {"fail_users_status": 401})


def dead_letter_storm(places: Places) -> Row:
    """A producer has begun to send events that are refused: a fifth of all."""
    watch = places.watch(
        "A fifth of the events are refused and become dead letters",
        [r'customfit_events_finished_total\{outcome="dead_lettered",reason="refused"'],
        "it goes to",
    )
    with places.scene() as scene, scene.member("one") as one:
        identified(scene, one)
        scene.emulator.faults.change({"refuse_names": ["bad"]})
        with going_on(scene):
            watch.begin(one)
            for number in range(50):
                scene.produce(*(event(user, 10_000 + number, event="bad") for user in USERS[:4]))
                time.sleep(0.1)
            watch.shown(one)
        watch.over(one, ".", one.caught_up)
        watch.ended_by("nothing: the producer sends none any longer")
    return watch.row


def held(places: Places) -> Row:
    """Events of users whose identify is late, with CUSTOMFIT_HOLD_SECONDS."""
    watch = places.watch("Events are held for their users' identify", ["customfit_held_users"], None)
    with places.scene() as scene:
        scene.settings["CUSTOMFIT_HOLD_SECONDS"] = "300"
        with scene.member("one") as one:
            identified(scene, one)
            with going_on(scene):
                watch.begin(one)
                scene.produce(*(event(f"new-{number}", 1) for number in range(10)))
                watch.shown(one)
            scene.produce(*(event(f"new-{number}", 0) for number in range(10)))
            watch.over(one, ".", lambda: one.caught_up() and one.sample("customfit_held_users") == 0)
            watch.ended_by("their identifies")
    return watch.row


def destination_slow(places: Places) -> Row:
    """It accepts all, and each answer takes so long that more arrives than it takes."""
    watch = places.watch(
        "Each answer takes 3 s, and more arrives than is answered",
        [_cause("destination_slow")],
        "the destination is slow",
        ["customfit_requests_in_flight$", "customfit_requests_in_flight_limit$", LAGS],
    )
    with places.scene() as scene:
        scene.settings |= {"CUSTOMFIT_IN_FLIGHT_MAX": "2", "CUSTOMFIT_BATCH_EVENTS_MAX": "20"}
        with scene.member("one") as one:
            identified(scene, one)
            with going_on(scene):
                watch.begin(one)
                scene.emulator.faults.change({"latency_seconds": 3})
                watch.shown(one)
            scene.emulator.faults.change({"latency_seconds": 0})
            watch.over(one, "over: the destination is slow", one.caught_up)
    return watch.row
