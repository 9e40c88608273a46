"""What is said of a user: one sentence for whatever they wait for, and why there may be more that nobody has read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from consumer.ops.partition_view import PartitionView, Waits
from consumer.ops.snapshot import RateView, Snapshot
from consumer.ops.user_answer import Found, user_answer
from consumer.sequencing.events import Partition, User
from consumer.sequencing.pauses import PauseOrder
from consumer.sequencing.stops import StopCause, Stopped
from consumer.sequencing.user_waits import UserWaits, Why
from tests.ops.given_snapshot import snapshot

HERE = "https://api.customfit.ai/v1/cfe"
PARTITION = Partition("segment-events", 1)
WALL, NOW = 1_795_428_000.0, 100.0


def waits(why: Why, **changes: Any) -> UserWaits:
    """An identify of ann that waits."""
    one = UserWaits(
        PARTITION, User("ann"), why, False, True, request="identify", offset=7, request_events=1, since=90.0
    )
    return replace(one, **changes)


def answer(*of: UserWaits, shown: Snapshot | None = None, **changes: Any) -> dict[str, Any]:
    """What is said of them."""
    found = Found("9ebb7c63b02b", "customfit-consumer", HERE, of, **changes)
    return user_answer(found, shown or replace(snapshot(), rate=RateView(120.0, 38.0, 1.0, 1.0)), WALL, NOW)


SENTENCES = [
    (
        waits(Why.PARTITION_STOPPED, reason="too many dead letters; raise the limit"),
        "the partition has stopped: too many dead letters; raise the limit",
    ),
    (waits(Why.GIVEN_BACK), "the partition is being given back; its next owner goes on"),
    (waits(Why.LOOK_UP), "the stored state is being asked whether they are identified"),
    (
        waits(Why.HOLD, next_try_at=112.0, events_behind=3),
        "held until an identify of theirs comes, for another 12 s at most; 3 events behind it",
    ),
    (waits(Why.IN_FLIGHT), "their identify is under way"),
    (waits(Why.IN_FLIGHT, request="events", request_events=3), "a request with 3 events is under way"),
    (
        waits(Why.IN_FLIGHT, request="introduction", request_events=0, events_behind=1),
        "an identify with nothing but their id is under way; 1 event behind it",
    ),
    (
        waits(Why.IN_FLIGHT, attempts=1, last_answer="503", first_failed_at=97.0, given_up_at=900.0),
        "their identify is under way; 1 attempt in 3 s, last answer 503; given up in 800 s if others go on succeeding",
    ),
    (
        waits(Why.EARLIER_REQUEST),
        "a request sent before the partition went and came back is not answered yet",
    ),
    (
        waits(Why.DESTINATION_STOPPED, reason="it answered 401; check the key", next_try_at=102.0),
        "the destination is stopped: it answered 401; check the key; the next try, theirs or another user's, is in 2 s",
    ),
    (waits(Why.DESTINATION_UNAVAILABLE, reason="503"), "the destination is unavailable: 503"),
    (
        waits(Why.DESTINATION_THROTTLED, reason="it answered 429", next_try_at=161.0, events_behind=1),
        "the destination is throttled: it answered 429; nothing is sent for another 61 s; 1 event behind it",
    ),
    (
        waits(Why.DESTINATION_THROTTLED, reason="it answered 429"),
        "the destination is throttled: it answered 429; fewer requests are sent at once",
    ),
    (
        waits(Why.RETRY, attempts=4, last_answer="500", first_failed_at=80.0, next_try_at=104.0),
        "their identify is tried again in 4 s; 4 attempts in 20 s, last answer 500",
    ),
    (waits(Why.GROUP_SILENT), "the group has yet to accept a commit of the partition"),
    (
        waits(Why.COMMITS),
        "nothing more is sent until a commit, or what is being written, is acknowledged",
    ),
    (waits(Why.PAUSED), "whether sending is paused is being read from the state topic"),
    (waits(Why.QUEUED), "it is not their turn yet: 0 requests are in flight"),
    (
        waits(Why.RATE),
        (
            "it is not their turn yet: your own limit of 120 requests/s (CUSTOMFIT_REQUESTS_PER_SECOND_MAX) "
            "is used up; 38 of them are this member's"
        ),
    ),
    (
        waits(Why.RECORD, request="", offset=None, request_events=0),
        "all of theirs is answered; the state topic has yet to acknowledge what is known of them",
    ),
]


@pytest.mark.parametrize(("one", "text"), SENTENCES)
def test_each_reason_has_its_sentence(one: UserWaits, text: str) -> None:
    """With the attempt, the last answer, the next try and what is behind, where there are any."""
    assert text == answer(one)["waits"][0]["text"]


def test_who_has_paused_sending_is_said() -> None:
    """Since when, and why: that is whom to ask."""
    shown = replace(snapshot(), pause=PauseOrder(True, "ann@laptop", 0, "a test"))
    sentence = "sending is paused by ann@laptop since 1970-01-01T00:00:00.000+00:00 because: a test"

    assert sentence == answer(waits(Why.PAUSED), shown=shown)["waits"][0]["text"]


def test_every_reason_is_tried() -> None:
    """A new one needs a sentence, and a line above."""
    assert set(Why) == {one.why for one, _ in SENTENCES}


def test_the_group_s_own_words_are_used_where_there_are_any() -> None:
    """As readiness has them."""
    shown = replace(snapshot(), group_problem="the group has not accepted a commit for 40 s")

    assert (
        "the group has not accepted a commit for 40 s"
        == answer(waits(Why.GROUP_SILENT), shown=shown)["waits"][0]["text"]
    )


def test_times_are_those_of_the_wall() -> None:
    """Who looks at another machine can count from `now`."""
    said = answer(waits(Why.RETRY, first_failed_at=95.0, next_try_at=104.0, given_up_at=1000.0))
    (one,) = said["waits"]

    assert "2026-11-23T10:00:00.000+00:00" == said["now"]
    assert ("2026-11-23T09:59:50.000+00:00", "2026-11-23T09:59:55.000+00:00") == (one["fetched"], one["first_failed"])
    assert ("2026-11-23T10:00:04.000+00:00", "2026-11-23T10:15:00.000+00:00") == (one["next_try"], one["given_up"])


def test_the_first_line_counts_all_their_events() -> None:
    """In all partitions; one that is sent counts until it is answered."""
    assert "5 events of theirs wait here" == answer(waits(Why.HOLD, events_behind=3), waits(Why.RETRY))["text"]
    assert "1 event of theirs waits here" == answer(waits(Why.RETRY))["text"]


def test_what_is_answered_and_not_recorded_is_not_called_no_events() -> None:
    """`0 events wait` would read as if something were wrong with the count."""
    said = answer(waits(Why.RECORD, request="", request_events=0, unrecorded_events=2))

    assert "all of theirs here is answered, and waits to be recorded" == said["text"]


def test_nothing_of_theirs_is_here_is_said() -> None:
    """Of whom nothing is known, and of whom it is."""
    assert ("nothing of theirs is here", False, None, None) == _told(answer())
    assert ("nothing of theirs is here", False, True, None) == _told(answer(is_known=True))


def _told(said: dict[str, Any]) -> tuple[object, ...]:
    return said["text"], said["here"], said["identified"], said["recorded"]


def test_whether_they_are_identified_is_said_where_it_is_known() -> None:
    """By a lane; by the stored state; of whom was not looked up, only by the stored state."""
    assert answer(waits(Why.RETRY))["identified"] is False
    assert answer(waits(Why.RECORD, identified=True, is_recorded=False))["identified"] is True
    assert answer(waits(Why.RECORD, identified=True, is_recorded=False))["recorded"] is False
    assert answer(waits(Why.LOOK_UP, identified=None))["identified"] is None
    assert answer(waits(Why.IN_FLIGHT, identified=None))["identified"] is None
    assert answer(waits(Why.IN_FLIGHT, identified=None), identified_at={HERE: {0: 1}})["identified"] is True
    assert answer(waits(Why.IN_FLIGHT, identified=None), identified_at={})["identified"] is False
    assert answer(waits(Why.IN_FLIGHT, identified=None))["waits"][0]["identified"] is None
    assert answer(waits(Why.HOLD), identified_at={"elsewhere": {0: 1}})["identified"] is False


def test_since_when_they_are_identified_is_said_for_each_destination() -> None:
    """And by an event of which partition."""
    at_ms = 1_795_428_000_456
    said = answer(waits(Why.RETRY), identified_at={HERE: {0: at_ms}, "eu": {3: at_ms, 1: at_ms}})

    at = "2026-11-23T10:00:00.456+00:00"
    assert {HERE: {"0": at}, "eu": {"1": at, "3": at}} == said["identified_at"]


@pytest.mark.parametrize(
    ("changes", "why", "text"),
    [
        (
            {"stopped": Stopped(StopCause.OUT_OF_RANGE, "offset 7 is not in the log")},
            "partition_stopped",
            "it has stopped: offset 7 is not in the log",
        ),
        ({"waits": Waits(has_leader=False)}, "leader_missing", "it has no leader"),
        ({"committed_offset": None}, "start_unknown", "where it starts is being asked for"),
        ({"restoring": True, "restore_remaining": 7}, "restoring", "its state is being read, 7 records to go"),
        (
            {"waits": Waits(schema=True)},
            "schema",
            "its next record waits for a schema, or for room in the buffer; the registry: no answer",
        ),
        (
            {"waits": Waits(registry_not_set="offset 3 looks like Avro of schema 1")},
            "registry_not_set",
            "offset 3 looks like Avro of schema 1, and no schema registry is set",
        ),
        ({"position": 4, "end_offset": 9}, "behind", "5 records are to be read, when there is room in the buffer"),
        (
            {"position": 4, "end_offset": 9, "waits": Waits(share=True)},
            "behind",
            "5 records are to be read, when what it has in hand is finished",
        ),
        (
            {"position": 4, "end_offset": 9, "stable_offset": 4},
            "transaction_open",
            "an open transaction keeps 5 offsets from being read",
        ),
        ({"end_offset": None}, "end_unknown", "where it ends is being asked for, so there may be more to read"),
        (
            {"waits": Waits(end_seconds=20.0)},
            "end_unknown",
            "where it ends is being asked for, so there may be more to read",
        ),
    ],
)
def test_partitions_that_are_not_read_to_their_end_are_named(changes: dict[str, Any], why: str, text: str) -> None:
    """Events of whomever may lie there, and nobody can tell yet whose they are."""
    view = replace(PartitionView(PARTITION, 0, position=9, end_offset=9), **changes)
    shown = replace(snapshot(), partitions=(view,), registry_problem="no answer", paused={"buffer": 1})
    said = answer(shown=shown)

    assert [{"topic": "segment-events", "partition": 1, "why": why, "text": text}] == said["unread"]
    assert (
        "nothing of theirs is here, as far as it is read; records that are not read yet may be theirs" == said["text"]
    )


def test_while_kafka_is_silent_nobody_says_that_all_is_read() -> None:
    """The end is the last one known, and what came since is not seen."""
    view = PartitionView(PARTITION, 9, position=9, end_offset=9)
    said = answer(shown=replace(snapshot(), partitions=(view,), kafka_silent_seconds=40.0))

    assert ["kafka_unreachable"] == [one["why"] for one in said["unread"]]
    assert "as far as it is read" in said["text"]


def test_what_is_another_member_s_or_read_to_its_end_is_not_named() -> None:
    """A partition that went, and one without a lag."""
    views = (
        PartitionView(PARTITION, 0, position=0, end_offset=9, is_ours=False),
        PartitionView(PARTITION, 9, position=9, end_offset=9),
    )

    assert [] == answer(shown=replace(snapshot(), partitions=views))["unread"]


def test_no_id_is_in_an_answer() -> None:
    """Of any of the reasons."""
    said = answer(*(waits(why, reason="r") for why in Why), identified_at={HERE: {0: 1}})

    assert "ann" not in str(said).replace("another", "").replace("transaction", "")


def test_the_docs_explain_every_reason() -> None:
    """What `why` may be, in the table of docs/operations.md."""
    text = (Path(__file__).resolve().parents[2] / "docs" / "operations.md").read_text()
    section = text.partition("\n## Why is a user waiting\n")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]

    assert {why.value for why in Why} == {word for row in rows for word in row.split("`")[1::2]}
