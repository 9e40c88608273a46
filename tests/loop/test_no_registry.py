"""Avro with no schema registry set: the partition waits, unless it is garbage among JSON."""

from __future__ import annotations

import pytest

from consumer.sequencing.events import Partition
from tests.loop.given_way import P0, P1, Way, encoded, track
from tests.segment.given_events import segment


def at_a_loss(way: Way, partition: Partition = P0) -> str:
    """Which record of the partition waits since no registry is set."""
    return way.intake.lacks_registry(way.sequencer.assignments[partition])


def test_avro_without_a_registry_waits() -> None:
    """A missing setting must not spend a topic: nothing is asked, accepted or dead-lettered; other partitions go on."""
    way = Way(has_registry=False)
    way.fetched(encoded(7), track(), encoded(7))
    way.fetched(track(), partition=P1)

    assert ["1/0 e"] == way.sent()
    assert (0, 3, ["rest 0"], []) == (way.position(), way.intake.waiting_records, way.told, way.asked)
    assert ("offset 0 looks like Avro of schema 7", "") == (at_a_loss(way), at_a_loss(way, P1))
    assert ([], []) == (way.rejections, way.sequencer.take_actions())

    way.fetched(track(), end=9)
    way.intake.go_on(0.0)

    assert (0, 4) == (way.position(), way.intake.waiting_records)

    way.intake.let_go(way.sequencer.assignments[P0])

    assert (0, 0, "") == (way.intake.waiting_records, way.intake.waiting_bytes, at_a_loss(way))


def test_a_schema_in_a_header_takes_a_registry_too() -> None:
    """By its id or its GUID."""
    for identifier in (b"\0\0\0\0\7", b"\1" + b"\xab" * 16):
        way = Way(has_registry=False)
        way.fetched(track(), headers=[("__value_schema_id", identifier)])

        assert (0, 1) == (way.position(), way.intake.waiting_records)
        assert at_a_loss(way)


def test_avro_without_a_registry_is_garbage_among_json() -> None:
    """Behind 200 records of JSON it is a dead letter, as any other garbage, and what is behind it goes on."""
    way = Way(has_registry=False)
    way.fetched(*[track()] * 200, encoded(7), track())

    assert ["Avro of schema 7, and CUSTOMFIT_SCHEMA_REGISTRY_URL is not set"] == way.rejections
    assert (201, "", []) == (len(way.sent()), at_a_loss(way), way.told)


def test_avro_without_a_registry_waits_among_the_first_200() -> None:
    """JSON or not: too little is known of the partition. What was in front of it is sent."""
    way = Way(has_registry=False)
    way.fetched(*[track()] * 199, encoded(7), track())

    assert (199, ["rest 0"], []) == (way.position(), way.told, way.rejections)
    assert "offset 199 looks like Avro of schema 7" == at_a_loss(way)


def test_a_topic_that_turns_to_avro_waits() -> None:
    """A producer has a new format: no more of it is spent than may be garbage."""
    way = Way(has_registry=False, dead_letter_ratio_max=0.1)
    way.fetched(*[track()] * 900, *[encoded(7)] * 300)

    assert 100 == len(way.rejections)
    assert (1000, "offset 1000 looks like Avro of schema 7") == (way.position(), at_a_loss(way))
    assert way.sequencer.assignments[P0].stopped is None


@pytest.mark.parametrize("other", [b"garbage", b"\xff", b"[1,", None, b"\0\0"])
def test_what_is_no_json_does_not_make_avro_garbage(other: bytes | None) -> None:
    """Neither garbage nor tombstones say that the topic is JSON."""
    way = Way(has_registry=False, dead_letter_ratio_max=1.0)
    way.fetched(*[other] * 300, encoded(7))

    assert (300, "offset 300 looks like Avro of schema 7") == (way.position(), at_a_loss(way))


@pytest.mark.parametrize("other", [segment(type="group"), b"{}", b'{"batch":[]}', b"[]"])
def test_any_json_makes_avro_garbage(other: bytes) -> None:
    """Also what is skipped, or no event."""
    way = Way(has_registry=False, dead_letter_ratio_max=1.0)
    way.fetched(*[other] * 300, encoded(7), track())

    assert (302, "") == (way.position(), at_a_loss(way))
