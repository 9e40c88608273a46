"""States of a member that somebody may find on its page: one snapshot each, with the 15 minutes that led to it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from consumer.ops.growth_note import Grown
from consumer.ops.partition_view import PartitionView, Waits
from consumer.ops.snapshot import Phase, RateView, Snapshot
from consumer.sequencing.accounting import End, Reason
from consumer.sequencing.events import DeadLetterReason, Partition, User
from consumer.sequencing.gate import State
from consumer.sequencing.pauses import PauseOrder
from consumer.sequencing.stops import StopCause, Stopped
from consumer.sequencing.waiting import Waiting
from tests.ops.given_snapshot import snapshot

TOPIC: Final = "segment-events"
LAST_SECONDS: Final = 900
Values = Mapping[str, float | None]


@dataclass(frozen=True)
class Given:
    """What a page is shown of."""

    snapshot: Snapshot
    errors: Sequence[tuple[str, str, int, str]] = ()
    """Stage, kind, how many, and the text of the last one."""
    trouble_seconds: int = 0
    """For how long it has been like this."""
    client_id: str = "customfit-consumer"
    seconds: Callable[[random.Random, int, int], Values] | None = None
    """The values of one second: how many seconds ago, and since when there is trouble."""


def _view(number: int, lag: int = 0, age_seconds: float = 0.0, **changes: object) -> PartitionView:
    end = 4_180_000 + 1_371 * number
    view = PartitionView(
        partition=Partition(TOPIC, number),
        committed_offset=end - lag,
        position=end,
        end_offset=end,
        unfinished=min(lag, 900),
        oldest_uncommitted_ms=round((time.time() - age_seconds) * 1000) if lag else None,
        identified_users=41_200 + 317 * number,
    )
    return replace(view, **changes)  # type: ignore[arg-type]


def _running(
    views: Sequence[PartitionView], letters: Mapping[tuple[End, Reason], int] = MappingProxyType({}), **changes: object
) -> Snapshot:
    made = replace(
        snapshot(),
        taken_at=time.monotonic(),
        partitions=tuple(views),
        finished={(End.DELIVERED, None): 1_284_211, **letters},
        consumed={"track": 1_200_000, "identify": 84_211},
        unfinished=sum(view.unfinished for view in views),
        destination_seconds=600.0,
        topic_partitions={TOPIC: len(views)},
        buffer_events_limit=30_000,
        last_delivery_at=time.time(),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def _waiting(user: str, number: int, since: float, attempts: int, answer: str) -> Waiting:
    now = time.monotonic()
    place, offset = Partition(TOPIC, number % 12), 4_179_000 + number
    return Waiting("retrying", place, offset, User(user), now - since, attempts, answer, now + 21.0, since, now + 700)


def _values(delivered: float, noise: random.Random, **changes: float | None) -> Values:
    return {
        "delivered_per_second": max(delivered + noise.gauss(0, delivered**0.5), 0.0),
        "latency_p50_seconds": 0.038 + noise.random() * 0.012,
        "latency_p99_seconds": 0.11 + noise.random() * 0.08,
        "lag_events": 20 + noise.random() * 40,
        "lag_seconds": noise.random() * 0.4,
        "dead_letters_per_second": 0.0,
        "retries_per_second": 0.0,
        "requests_in_flight": 14 + noise.random() * 12,
        "held_events": 0.0,
        **changes,
    }


def _well(noise: random.Random, ago: int, _: int) -> Values:
    return _values(420 + 60 * ((ago % 300) / 300), noise)


def _outage(noise: random.Random, ago: int, trouble: int) -> Values:
    if ago > trouble:
        return _well(noise, ago, trouble)
    late = float(trouble - ago)
    return _values(
        0.0,
        noise,
        latency_p50_seconds=None,
        latency_p99_seconds=None,
        lag_events=30 + 430 * late,
        lag_seconds=late,
        retries_per_second=0.4 * noise.random(),
        requests_in_flight=1.0,
    )


def _throttled(noise: random.Random, ago: int, trouble: int) -> Values:
    if ago > trouble:
        return _well(noise, ago, trouble)
    late = float(trouble - ago)
    return _values(
        180,
        noise,
        latency_p99_seconds=1.2 + late / 60,
        lag_events=30 + 240 * late,
        lag_seconds=late * 0.57,
        retries_per_second=2 + noise.random(),
    )


def _one_behind(noise: random.Random, ago: int, trouble: int) -> Values:
    if ago > trouble:
        return _well(noise, ago, trouble)
    late = float(trouble - ago)
    return {**_well(noise, ago, trouble), "lag_events": 30 + 104 * late, "lag_seconds": late}


def _letters(noise: random.Random, ago: int, trouble: int) -> Values:
    now = 160 * noise.random() if ago <= trouble else 0.0
    return {**_one_behind(noise, ago, trouble), "dead_letters_per_second": now}


def _restoring(noise: random.Random, ago: int, trouble: int) -> Values:
    values = {**_outage(noise, ago, trouble), "retries_per_second": 0.0, "requests_in_flight": 0.0}
    return values if ago <= trouble else dict.fromkeys(values)


def all_well() -> Given:
    """Nothing is wrong."""
    replays = replace(_view(0), partition=Partition(f"{TOPIC}.customfit-replay", 0))
    return Given(_running([*(_view(n, 4 + n % 5, 0.2) for n in range(12)), replays], in_flight=17), seconds=_well)


def grown() -> Given:
    """Somebody has added partitions; nothing is wrong."""
    views = [_view(n, 4 + n % 5, 0.2) for n in range(12)]
    rate = RateView(limit=200.0, share=100.0, waiting_seconds=0.0, waited_seconds=0.0)
    return Given(_running(views, grown=Grown(TOPIC, 8, 12, 40.0), rate=rate), seconds=_well)


def wrong_key() -> Given:
    """The destination answers 401 to everybody."""
    stopped = _running(
        [_view(n, 14_800 + 731 * (n % 5), 412.0 + n) for n in range(12)],
        destination_state=State.STOPPED,
        destination_reason="it answered 401; check CUSTOMFIT_API_KEY and CUSTOMFIT_API_AUTH",
        destination_seconds=411.0,
        in_flight=1,
    )
    errors = [("deliver", "401", 61, 'the destination answered 401: {"error": "unknown client key"}')]
    return Given(stopped, errors, 412, seconds=_outage)


def outage() -> Given:
    """The destination can't be reached; some users were being retried when it began."""
    out = _running(
        [_view(n, 9_300 + 977 * (n % 4), 301.0 + n) for n in range(12)],
        destination_state=State.UNAVAILABLE,
        destination_reason="connect_error: [Errno 111] Connection refused",
        destination_closed_seconds=7.0,
        destination_seconds=298.0,
        in_flight=1,
        users_retrying=3,
        waiting=tuple(_waiting(f"user-{n}", n, 301.0 - n, 9, "connect_error") for n in range(3)),
    )
    errors = [
        ("deliver", "connect_error", 42, "connect_error: [Errno 111] Connection refused"),
        ("deliver", "5xx", 7, "503 from the destination: upstream connect error or disconnect/reset before headers"),
    ]
    return Given(out, errors, 301, seconds=_outage)


def throttled() -> Given:
    """The destination answers 429."""
    slow = _running(
        [_view(n, 6_100 + 411 * (n % 3), 138.0 + n) for n in range(12)],
        destination_state=State.THROTTLED,
        destination_reason="429",
        destination_closed_seconds=12.0,
        in_flight=4,
    )
    return Given(
        slow, [("deliver", "429", 612, "429 from the destination: rate limit exceeded")], 240, seconds=_throttled
    )


def one_user_stuck() -> Given:
    """One user's requests fail, everybody else is served: no cause, so it is ready."""
    views = [_view(n, 4 + n % 5, 0.2) for n in range(12)]
    views[7] = _view(7, 318, 93.0, waits=Waits(retried_events=12))
    waiting = (_waiting(USER_STUCK, 7, 93.0, 8, "503"),)
    errors = [("deliver", "5xx", 8, "503 from the destination: shard 17 is being moved")]
    return Given(_running(views, users_retrying=1, waiting=waiting, in_flight=16), errors, 93, seconds=_one_behind)


def dead_letter_storm() -> Given:
    """A producer has changed its format: one partition stopped since most of its records would be dead letters."""
    views = [_view(n, 4 + n % 5, 0.2) for n in range(12)]
    reason = (
        "more than 50 % of its last 1,000 records would be dead letters; look at them with `customfit-consumer dlq "
        "list`, then raise CUSTOMFIT_DEAD_LETTER_RATIO_MAX or fix the producer, and restart"
    )
    views[4] = _view(4, 20_411, 170.0, stopped=Stopped(StopCause.DEAD_LETTER_RATIO, reason))
    letters: Mapping[tuple[End, Reason], int] = {
        (End.DEAD_LETTERED, DeadLetterReason.INVALID_EVENT): 4_211,
        (End.DEAD_LETTERED, DeadLetterReason.UNDECODABLE): 611,
        (End.DEAD_LETTERED, DeadLetterReason.REFUSED): 12,
    }
    errors = [
        ("decode", "invalid_event", 4_211, "segment-events-4 @ 4184391: the event has neither userId nor anonymousId"),
        ("decode", "undecodable", 611, "segment-events-4 @ 4184212: no JSON: unexpected end of data at byte 311"),
        ("deliver", "4xx", 12, "422 from the destination: properties.total is not a number"),
    ]
    return Given(_running(views, letters=letters, in_flight=15), errors, 170, seconds=_letters)


def partition_stopped() -> Given:
    """The committed offset of one of 300 partitions is not in the log any longer; another one has no leader."""
    views = [_view(n, 1 + n % 5, 0.1) for n in range(300)]
    reason = (
        "its committed offset 4180020 is not in the log, which begins at 4190000: 9980 records were deleted unread; "
        "stop all members, set the offset with kafka-consumer-groups.sh, start them again"
    )
    views[217] = _view(217, 31_000, 7_410.0, stopped=Stopped(StopCause.OUT_OF_RANGE, reason))
    views[40] = _view(40, 210, 48.0, waits=Waits(has_leader=False))
    return Given(_running(views, in_flight=22), [("kafka", "partition", 1, reason)], 300, seconds=_one_behind)


def restoring() -> Given:
    """Just started: the state of its partitions is being read."""
    waits = Waits(restoring_seconds=4.0)
    views = [
        _view(n, 2_100 + n, 31.0, restoring=True, restore_remaining=max(41_000 - 9_000 * n, 0), waits=waits)
        for n in range(4)
    ]
    return Given(_running(views), trouble_seconds=31, seconds=_restoring)


def paused() -> Given:
    """Somebody has paused sending for the whole group, ten minutes ago."""
    order = PauseOrder(True, "ann@laptop", round(time.time() * 1000) - 600_000, "CustomFit is being moved")
    views = [_view(n, 4_000 + 170 * n, 600.0, unmoved_seconds=600.0) for n in range(12)]
    return Given(_running(views, pause=order, unpaused_seconds=0.0), trouble_seconds=600, seconds=_outage)


def draining() -> Given:
    """It has been told to stop."""
    views = [_view(n, 140 + n, 1.0) for n in range(12)]
    return Given(_running(views, phase=Phase.DRAINING, in_flight=9), seconds=_well)


USER_STUCK: Final = "ann@example.com"
HOSTILE: Final = '"><script>document.title="owned"</script><img src=x onerror=alert(1)>\u202e\u0000{{7*7}}</td>'


def hostile() -> Given:
    """Everything that others name has markup in it."""
    views = [_view(0, 12, 3.0, stopped=Stopped(StopCause.UNREADABLE_BATCH, HOSTILE))]
    views.append(replace(_view(1, 5, 1.0), partition=Partition(HOSTILE, 1)))
    waiting = (_waiting(HOSTILE, 0, 12.0, 3, HOSTILE),)
    made = _running(
        views,
        destination_state=State.UNAVAILABLE,
        destination_reason=HOSTILE,
        kafka_silent_seconds=40.0,
        kafka_problem=HOSTILE,
        waiting=waiting,
        users_retrying=1,
    )
    return Given(made, [("deliver", "5xx", 3, HOSTILE), ("kafka", "error", 1, HOSTILE)], 40, HOSTILE, _outage)


STATES: Final[Mapping[str, Callable[[], Given]]] = {
    made.__name__: made
    for made in (
        wrong_key,
        outage,
        throttled,
        one_user_stuck,
        dead_letter_storm,
        partition_stopped,
        restoring,
        paused,
        all_well,
        grown,
        draining,
    )
}
