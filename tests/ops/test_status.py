"""What /status tells the page: the same first line as /readyz, why things wait, what went wrong, and no secret."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from consumer.kafka.members import Group, Member
from consumer.ops.advice import DO
from consumer.ops.causes import Cause
from consumer.ops.error_groups import TEXT_CHARACTERS_MAX
from consumer.ops.growth_note import SHOWN_SECONDS, Grown
from consumer.ops.health import readiness
from consumer.ops.metrics import Metrics
from consumer.ops.overview import Overview
from consumer.ops.partition_view import PartitionView, Waits
from consumer.ops.snapshot import Phase, RateView, Rest, Snapshot
from consumer.ports.state_figures import StandbyFigures, StateFigures
from consumer.sequencing.accounting import End
from consumer.sequencing.events import DeadLetterReason, Partition, User
from consumer.sequencing.gate import State
from consumer.sequencing.stops import StopCause, Stopped
from consumer.sequencing.waiting import Waiting
from consumer.settings.masking import Masker
from tests.ops.given_overview import given_overview
from tests.ops.given_snapshot import snapshot

WALL = 1_795_428_000.0
NOW = 500.0
ZERO = Partition("segment-events", 0)


def overview(*secrets: str, **environ: str) -> Overview:
    """Of a process that has just started."""
    return given_overview(Metrics(snapshot), snapshot, Masker(secrets), **environ)


def told(of: Snapshot, by: Overview | None = None) -> dict[str, Any]:
    """As the page gets it."""
    shown = (by or overview()).of(replace(of, taken_at=NOW), WALL, NOW, look=False)
    found: dict[str, Any] = json.loads(json.dumps(shown))
    return found


def with_view(**changes: Any) -> Snapshot:
    """One partition, changed so."""
    return replace(snapshot(), partitions=(replace(snapshot().partitions[0], **changes),))


def test_that_the_topic_has_grown_is_said_for_some_minutes() -> None:
    """With what it does to the rate, where there is one."""
    grown = Grown("segment-events", 6, 8, 40.0)
    rate = RateView(limit=100.0, share=50.0, waiting_seconds=0.0, waited_seconds=0.0)
    [note] = told(replace(snapshot(), grown=grown))["notes"]
    [with_rate] = told(replace(snapshot(), grown=grown, rate=rate))["notes"]

    assert note.startswith(
        "segment-events has 8 partitions, 6 before it grew 40 s ago: the group hands the new ones out"
    )
    assert (False, True) == tuple("CUSTOMFIT_REQUESTS_PER_SECOND_MAX" in text for text in (note, with_rate))
    assert [] == told(replace(snapshot(), grown=grown._replace(seconds=SHOWN_SECONDS + 1)))["notes"]
    assert [] == told(snapshot())["notes"]


def test_it_says_how_far_others_are_followed() -> None:
    """And why they are not; nothing where CUSTOMFIT_STANDBY is off."""
    standby = StandbyFigures(2, 7, 40, "s: no broker")

    assert None is told(snapshot())["standby"]
    assert {"partitions": 2, "behind_records": 7, "records": 40, "problem": "s: no broker"} == told(
        replace(snapshot(), state=StateFigures(0, standby))
    )["standby"]


# --- who


def test_it_says_which_program_this_is_and_since_when() -> None:
    """A viewer computes ages from `now`, and not from its own clock."""
    by = overview(CUSTOMFIT_KAFKA_PROPERTIES='{"client.id": "mine"}')
    by = by._replace(about=by.about._replace(started_at=WALL - 12, started_monotonic=NOW - 12))
    shown = told(snapshot(), by)

    assert ("2026-11-23T10:00:00.000+00:00", "2026-11-23T09:59:48.000+00:00", 12.0) == (
        shown["now"],
        shown["started_at"],
        shown["uptime_seconds"],
    )
    assert {"host": "here", "client_id": "mine", "group": "customfit-consumer", "topic": "segment-events"} == shown[
        "member"
    ]
    assert by.about.version == shown["version"]


def test_settings_are_shown_without_what_the_masker_knows() -> None:
    """Also where a secret stands in a setting that is none."""
    shown = told(snapshot(), overview("s3cret-value", CUSTOMFIT_DESTINATION_NAME="app s3cret-value"))

    assert ("***", "app ***") == (
        shown["settings"]["CUSTOMFIT_API_KEY"],
        shown["settings"]["CUSTOMFIT_DESTINATION_NAME"],
    )


# --- the first line


@pytest.mark.parametrize(
    "given",
    [
        replace(snapshot(), destination_state=State.STOPPED, destination_reason="401", kafka_silent_seconds=99.0),
        replace(snapshot(), kafka_silent_seconds=99.0),
        with_view(stopped=Stopped(StopCause.OUT_OF_RANGE, "its offset is gone")),
        with_view(unfinished=1, unmoved_seconds=60.0),
    ],
)
def test_the_first_line_is_the_first_reason_and_what_to_do(given: Snapshot) -> None:
    """The worst cause, in the words of /readyz, with the advice of the runbook."""
    first = told(given)["first"]
    cause = Cause(first["cause"])

    assert readiness(given).reasons[0] == first["text"]
    assert (DO[cause], f"docs/runbook.md#{cause.value}") == (first["do"], first["runbook"])


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (replace(snapshot(), phase=Phase.DRAINING, kafka_silent_seconds=99.0), "draining"),
        (replace(snapshot(), joined=False), "the consumer group has not answered yet"),
        (with_view(restoring=True), "reading the state of segment-events-0"),
        (
            replace(snapshot(), partitions=()),
            "ready: no partition is this member's; it takes over when another one leaves",
        ),
        (snapshot(), "ready: 1 partition, nothing waits"),
        (replace(snapshot(), unfinished=7), "ready: 1 partition, 7 events in hand"),
        (replace(snapshot(), users_retrying=1), "ready: 1 partition, a request of one user is tried again"),
        (
            replace(snapshot(), held_events=5, users_retrying=2),
            "ready: 1 partition, requests of 2 users are tried again, 5 events wait for their users' identify",
        ),
    ],
)
def test_where_nothing_is_wrong_nothing_is_to_be_done(given: Snapshot, text: str) -> None:
    """While it starts, restores or ends, and when all is well."""
    assert {"cause": None, "text": text, "do": "", "runbook": ""} == told(given)["first"]


# --- why


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (snapshot(), ""),
        (with_view(is_ours=False), "it was ours until the group took it away, and may be another member's by now"),
        (with_view(waits=Waits(start_seconds=1.0)), "where it starts is being asked for"),
        (with_view(restoring=True, restore_remaining=70), "its state is being read, 70 records to go"),
        (with_view(waits=Waits(schema=True)), "its next record waits for a schema, or for room in the buffer"),
        (with_view(waits=Waits(share=True)), "it is held to its share, since what it has is not finished"),
        (with_view(end_offset=9, stable_offset=5), "an open transaction keeps 4 offsets from being read"),
        (replace(snapshot(), paused={str(Rest.BUFFER): 1}), "nothing is fetched until there is room in the buffer"),
        (replace(snapshot(), paused={str(Rest.COMMITS): 1}), "nothing is fetched until more is committed"),
        (replace(with_view(unfinished=3), destination_state=State.UNAVAILABLE), "the destination is unavailable"),
        (replace(snapshot(), destination_state=State.STOPPED), ""),
        (replace(with_view(unfinished=3), destination_state=State.THROTTLED), "the destination is throttled"),
        (with_view(waits=Waits(retried_events=3)), "3 events of users whose requests are tried again"),
        (with_view(waits=Waits(held_events=3)), "3 events wait for their users' identify"),
        (
            with_view(waits=Waits(has_leader=False)),
            "segment-events-0 has no leader; it waits alone until a broker leads it",
        ),
        (with_view(stopped=Stopped(StopCause.OUT_OF_RANGE, "its offset is gone")), "its offset is gone"),
        (with_view(unfinished=1, unmoved_seconds=60.0), "no progress for 60 s: 1 events in hand"),
    ],
)
def test_a_partition_says_why_it_waits(given: Snapshot, why: str) -> None:
    """What is wrong with it, else what keeps it; nothing where nothing does."""
    assert why == told(given)["partitions"][0]["why"]


@pytest.mark.parametrize(
    ("waiting", "state", "why"),
    [
        (
            Waiting("held", ZERO, 5, User("ann"), NOW - 5, given_up_at=NOW + 25),
            State.DELIVERING,
            "it waits for its user's identify",
        ),
        (
            Waiting("retrying", ZERO, 5, User("ann"), NOW - 5, 1, "503", NOW + 4),
            State.DELIVERING,
            "its request failed, and is sent again",
        ),
        (
            Waiting("retrying", ZERO, 5, User("ann"), NOW - 5, 3, "503"),
            State.DELIVERING,
            "its request failed; it is being sent again, or waits for its partition",
        ),
        (
            Waiting("retrying", ZERO, 5, User("ann"), NOW - 5, 3, "401", NOW + 4),
            State.STOPPED,
            "nothing is sent while the destination is stopped",
        ),
    ],
)
def test_a_lane_says_why_it_waits(waiting: Waiting, state: State, why: str) -> None:
    """Held, or tried again, without what stands beside it; and no id of its user."""
    shown = told(replace(snapshot(), waiting=(waiting,), destination_state=state))

    assert why == shown["waiting"][0]["why"]
    assert "ann" not in json.dumps(shown)


# --- what went wrong


def test_problems_have_the_last_words_masked_and_then_cut() -> None:
    """The newest first; of a secret that stands where the text is cut off no piece is left."""
    by = overview("s3cret/value-of-many-letters")
    by.errors.note("commit", "failed", "no coordinator", WALL - 5)
    by.errors.note("deliver", "unavailable", "x" * 290 + "s3cret%2fvalue-of-many-letters" + "y" * 999, WALL - 3)
    by.errors.note("deliver", "unavailable", "x" * 290 + "s3cret%2fvalue-of-many-letters" + "y" * 999, WALL - 1)
    newest, other = told(snapshot(), by)["problems"]

    assert {
        "stage": "deliver",
        "kind": "unavailable",
        "count": 2,
        "first": "2026-11-23T09:59:57.000+00:00",
        "last": "2026-11-23T09:59:59.000+00:00",
        "text": "x" * 290 + "***" + "y" * 7,
    } == newest
    assert ("commit", "failed", 1, "no coordinator") == tuple(
        other[name] for name in ("stage", "kind", "count", "text")
    )


def test_dead_letters_come_with_the_command_that_lists_them() -> None:
    """By their count; reasons without any are left out."""
    finished = Counter(snapshot().finished)
    finished[End.DEAD_LETTERED, DeadLetterReason.REFUSED] += 2
    finished[End.DEAD_LETTERED, DeadLetterReason.TOO_LARGE] += 5

    assert [
        {"reason": "too_large", "count": 5, "command": "customfit-consumer dlq list --reason too_large"},
        {"reason": "refused", "count": 2, "command": "customfit-consumer dlq list --reason refused"},
    ] == told(replace(snapshot(), finished=finished))["dead_letters"]


# --- the others


def test_members_are_shown_as_they_were_told_of_last() -> None:
    """Their names are foreign text, so secrets are blotted out of them."""
    by = overview("s3cret-value")
    by.members._group = Group(WALL, "no answer from s3cret-value", (Member("s3cret-value", "10.0.0.1", (ZERO,), True),))

    assert {
        "asked_at": "2026-11-23T10:00:00.000+00:00",
        "problem": "no answer from ***",
        "members": [
            {
                "client_id": "***",
                "host": "10.0.0.1",
                "partitions": [{"topic": "segment-events", "partition": 0}],
                "is_me": True,
            }
        ],
    } == told(snapshot(), by)["members"]


def test_of_why_members_are_not_known_no_piece_of_a_secret_is_left() -> None:
    """Masked, and then cut."""
    by = overview("s3cret-value")
    by.members._group = Group(WALL, "x" * (TEXT_CHARACTERS_MAX - 6) + "s3cret-value", ())
    problem = told(snapshot(), by)["members"]["problem"]

    assert ("***", False) == (problem[-3:], "s3c" in problem)


def test_the_newest_value_of_each_series_is_there() -> None:
    """What the page adds to the history that it has."""
    by = overview()
    by.recorder.note(time.monotonic() + 1, WALL)

    assert by.recorder.newest() == told(snapshot(), by)["now_series"]
    assert 0.0 == by.recorder.newest()["delivered_per_second"]


def test_three_hundred_partitions_are_all_there() -> None:
    """Each with its own reason."""
    views = tuple(
        PartitionView(Partition("segment-events", number), 0, waits=Waits(start_seconds=float(number % 2)))
        for number in range(300)
    )
    shown = told(replace(snapshot(), partitions=views))["partitions"]

    assert ["", "where it starts is being asked for"] * 150 == [one["why"] for one in shown]
