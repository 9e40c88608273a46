"""The sample events: the same for a seed, shaped as SDKs send them, and of every kind."""

from __future__ import annotations

import json
from collections import Counter
from itertools import islice

import pytest

from consumer.demo.samples import GARBAGE, START_SECONDS, encoded_samples, sample_events
from consumer.segment.decoding import DecodingRules, decode
from consumer.sequencing.events import (
    Batch,
    DeadLetterReason,
    Event,
    Kind,
    Partition,
    Record,
    Rejected,
    Skipped,
    SkipReason,
)


def decoded(samples: list[tuple[bytes, bytes]]) -> list[Event | Skipped | Rejected]:
    """What the consumer makes of them; none is a batch."""
    made = [
        decode(Record(Partition("t", 0), n, 0, key, value), DecodingRules()) for n, (key, value) in enumerate(samples)
    ]
    return [one for one in made if not isinstance(one, Batch)]


def test_a_seed_makes_the_same_events() -> None:
    """To the byte; another seed makes others."""
    first, again, other = (list(encoded_samples(20, 200, seed)) for seed in (1, 1, 2))

    assert first == again
    assert not set(first) & set(other)


def test_these_are_the_events_of_seed_one() -> None:
    """Pinned, so that a change of Python or of this file that changes them is noticed."""
    event = next(sample_events(20, 1, 1))

    assert ("identify", "user-000000", "7ed4d57b-1e2f-eb89-414c-343c1027c4d1", "2026-11-23T10:00:00.033Z") == (
        event["type"],
        event["userId"],
        event["messageId"],
        event["timestamp"],
    )


def test_a_short_run_has_all_kinds() -> None:
    """Two hundred events show everything that the consumer tells apart, and nothing that it can't take."""
    events = decoded(list(encoded_samples(20, 200, 1)))
    kinds = {event.kind for event in events if isinstance(event, Event)}
    skipped = {event.reason for event in events if isinstance(event, Skipped)}

    assert {Kind.IDENTIFY, Kind.TRACK, Kind.PAGE, Kind.SCREEN} == kinds
    assert {SkipReason.ANONYMOUS, SkipReason.INTEGRATIONS, SkipReason.UNSUPPORTED} == skipped
    assert not [event for event in events if isinstance(event, Rejected)]


@pytest.mark.parametrize("seed", range(5))
def test_users_come_in_three_sorts(seed: int) -> None:
    """Identified at first sight, only later, or never: the last two are what the consumer is for."""
    kinds: dict[str, list[str]] = {}
    for event in sample_events(100, 20_000, seed, others=False):
        kinds.setdefault(event["userId"], []).append(event["type"])
    first_identify = {user: types.index("identify") if "identify" in types else None for user, types in kinds.items()}
    users = Counter(first_identify.values())

    assert {0: 86, 3: 9, None: 5} == users


def test_users_are_skewed() -> None:
    """A tenth of the users causes about a third of the events; a skew of 1 is even."""

    def of_busiest_tenth(skew: float) -> float:
        counts = Counter(event["userId"] for event in sample_events(100, 20_000, 1, skew=skew, others=False))
        return sum(count for _, count in counts.most_common(10)) / 20_000

    assert 0.28 < of_busiest_tenth(2.0) < 0.36
    assert of_busiest_tenth(1.0) < 0.13


def test_envelopes_are_realistic() -> None:
    """Size, unique message ids, times that go forward with milliseconds, and a library that says who sent it."""
    samples = list(encoded_samples(1_000, 5_000, 1))
    events = [json.loads(value) for _, value in samples]
    times = [event["timestamp"] for event in events]

    assert 500 < sum(len(value) for _, value in samples) / len(samples) < 650
    assert len(events) == len({event["messageId"] for event in events})
    assert times == sorted(times)
    assert all(event["context"]["library"]["name"] for event in events)
    assert {"browser", "mobile", "server"} == {event["channel"] for event in events}


def test_times_start_where_they_are_told_to() -> None:
    """Seconds of unix time; a second's end is not an hour's."""
    events = list(sample_events(10, 200, 1, start_seconds=START_SECONDS + 3599.5))

    assert "2026-11-23T10:59:59" == events[0]["timestamp"][:19]
    assert "2026-11-23T11:00:0" == events[-1]["timestamp"][:18]


def test_audiences_are_chosen_for_this_destination() -> None:
    """Engage blocks all and names the destination; its users are identified already."""
    seen: set[str] = set()
    audiences = []
    for event in sample_events(50, 2_000, 1):
        if "personas" in event["context"]:
            assert event["userId"] in seen
            audiences.append(event)
        elif event["type"] == "identify":
            seen.add(event["userId"])

    assert len(audiences) > 20
    assert {"CustomFit.ai": True, "All": False} == audiences[0]["integrations"]
    assert [audiences[0]["context"]["personas"]["computation_key"]] == list(audiences[0]["traits"])


def test_keys_are_user_ids() -> None:
    """Of an anonymous visitor, the anonymousId."""
    for (key, value), event in zip(encoded_samples(20, 300, 1), sample_events(20, 300, 1), strict=True):
        assert json.loads(value) == event
        assert key.decode() == (event["userId"] or event["anonymousId"])


def test_garbage_trips_nobody() -> None:
    """Each so many-th value is garbage, of each sort in turn, and the consumer has an answer to all of it."""
    samples = list(encoded_samples(20, len(GARBAGE) * 3, 1, garbage_every=3))
    answers = decoded(list(islice(samples, 2, None, 3)))
    reasons = {answer.reason for answer in answers if isinstance(answer, Rejected)}

    assert list(GARBAGE) == [value for _, value in islice(samples, 2, None, 3)]
    assert not [answer for answer in answers if isinstance(answer, Event)]
    assert {DeadLetterReason.UNDECODABLE, DeadLetterReason.INVALID_EVENT} == reasons
