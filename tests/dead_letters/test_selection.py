"""Which dead letters are meant, and in which order they go."""

from __future__ import annotations

import random
from typing import Any, Final

import pytest

from consumer.avro.reader import single_object_readers
from consumer.dead_letters.selection import (
    RUN_GAP_MAX,
    DeadLetter,
    Filters,
    Run,
    Selection,
    TooMany,
    batches,
    read_dead_letter,
    replayable,
    runs,
)
from consumer.sequencing.dead_letter_headers import Receipt, dead_letter_receipt
from consumer.sequencing.events import Headers, Partition, Record
from tests.segment.given_events import segment, single_object

LETTERS_MAX: Final = 1000
FAILED: Final = "2026-11-23T10:00:00.123Z"
FAILED_MS: Final = 1_795_428_000_123


def record(
    offset: int,
    origin: int,
    value: bytes | None = b"garbage",
    *,
    partition: int = 0,
    replays: int = 0,
    key: bytes | None = b"u1",
    **headers: str,
) -> Record:
    """A dead letter at `offset` of a record that lay at `origin`."""
    said = {
        "__connect.errors.topic": "events",
        "__connect.errors.partition": str(partition),
        "__connect.errors.offset": str(origin),
        "customfit.reason": "refused",
        "customfit.failed_at": FAILED,
        **headers,
    }
    if replays:
        said["customfit.replays"] = str(replays)
    pairs: Headers = [(name, text.encode()) for name, text in said.items()]
    return Record(Partition("dlq", partition), offset, 1000 + origin, key, value, pairs)


def letter(*args: Any, **named: Any) -> DeadLetter:
    """The same as what is kept of it."""
    read = read_dead_letter(record(*args, **named), single_object_readers())
    assert read is not None
    return read


def receipt(dead_letter: Record) -> Receipt:
    """Its receipt."""
    found = dead_letter_receipt(dead_letter)
    assert found is not None
    return found


def selected(*records: Record, filters: Filters | None = None) -> Selection:
    """A selection that has seen these."""
    selection = Selection(filters or Filters(), LETTERS_MAX, {})
    for one in records:
        selection.add(one)
    return selection


def origins(letters: list[DeadLetter]) -> list[int]:
    """Where they lay at first."""
    return [one.receipt.origin.offset for one in letters]


def test_a_dead_letter_says_what_it_is() -> None:
    """Its reason, when, whose and of which type; a status where there was one."""
    value = segment(type="page", userId="ann")
    read = letter(7, 42, value, **{"customfit.http.status": "422", "__connect.errors.exception.message": "HTTP 422"})

    assert ("refused", "422", "HTTP 422", FAILED_MS) == (read.reason, read.status, read.detail, read.failed_at_ms)
    assert ("page", "ann", len(value)) == (read.type, read.user, read.size_bytes)
    assert (0, 7, "events-0-42") == (read.partition, read.offset, str(read.receipt.origin))


def test_an_event_that_can_t_be_read_is_its_key_s() -> None:
    """Whose it is says the record's key, and it is no identify."""
    assert ("undecodable", "u1", False) == (
        letter(0, 0).type,
        letter(0, 0).user,
        letter(0, 0).is_identify,
    )
    assert letter(0, 0, key=None).user is None


@pytest.mark.parametrize(
    "value",
    [
        segment(type="identify"),
        segment(type="identify", traits=[1]),
        segment(type="identify", userId=None, anonymousId="a1"),
        segment(type="identify", integrations={"All": False}),
        segment(type="identify", traits={"a": "x" * 2_000_000}),
    ],
    ids=["plain", "invalid", "anonymous", "switched off", "large"],
)
def test_every_identify_is_one(value: bytes) -> None:
    """Whatever else is wrong with it and whatever `run` does with it: its traits could overwrite newer ones."""
    assert letter(0, 0, value).is_identify


def test_records_of_others_are_counted() -> None:
    """What has no origin is no dead letter; Kafka Connect's has no reason of ours."""
    selection = selected(
        Record(Partition("dlq", 0), 0, 0, None, b"x"), Record(Partition("dlq", 0), 1, 0, None, b"x", [])
    )
    connect = letter(0, 0, **{"customfit.reason": "", "customfit.failed_at": "yesterday"})

    assert (2, []) == (selection.foreign, selection.pending)
    assert ("unknown", 1000) == (connect.reason, connect.failed_at_ms)


@pytest.mark.parametrize(
    ("filters", "matches"),
    [
        (Filters(), True),
        (Filters(reasons=frozenset({"refused", "gave_up"})), True),
        (Filters(reasons=frozenset({"gave_up"})), False),
        (Filters(user="u1"), True),
        (Filters(user="u2"), False),
        (Filters(since_ms=FAILED_MS), True),
        (Filters(since_ms=FAILED_MS + 1), False),
        (Filters(until_ms=FAILED_MS), False),
        (Filters(until_ms=FAILED_MS + 1), True),
        (Filters(frozenset({"refused"}), "u1", FAILED_MS, FAILED_MS), False),
    ],
)
def test_filters(filters: Filters, matches: bool) -> None:
    """All of them must hold; times are when it became a dead letter, since included and until not."""
    assert matches == bool(selected(record(0, 0), filters=filters).pending)


def test_the_order_is_that_of_the_origin() -> None:
    """However the dead letters lie, each partition's go in the order in which they were produced."""
    shuffled = random.Random(1).sample(range(300), 300)
    pending = selected(
        *(record(offset, origin, partition=origin % 3) for offset, origin in enumerate(shuffled))
    ).pending

    for number in range(3):
        own = [one for one in pending if one.receipt.origin.partition.number == number]
        assert list(range(number, 300, 3)) == origins(own)


def test_what_failed_again_comes_in_its_first_place() -> None:
    """A dead letter of a replay lies at the end and goes before later records of its origin."""
    selection = selected(record(0, 5), record(1, 7), record(2, 5, replays=1))
    selection.note_replayed(receipt(record(0, 5)))

    assert [(5, 1), (7, 0)] == [(one.receipt.origin.offset, one.receipt.replays) for one in selection.pending]


def test_replayed_ones_are_done() -> None:
    """A receipt takes its dead letter out, and a second dead letter of the same failure with it."""
    selection = selected(record(0, 5), record(1, 6), record(2, 5))
    before = (origins(selection.pending), origins(selection.all))
    for _ in range(2):
        selection.note_replayed(receipt(record(0, 5)))

    assert ([5, 6], [5, 6, 5]) == before
    assert ([6], [6], [5, 5]) == (origins(selection.pending), origins(selection.all), origins(selection.replayed))


def test_a_selection_has_a_limit() -> None:
    """One more than the limit is refused; what does not match does not count."""
    selection = Selection(Filters(user="u1"), 2, {})
    for offset in range(5):
        selection.add(record(offset, offset, key=b"u2"))
    selection.add(record(5, 5))
    selection.add(record(6, 6))

    with pytest.raises(TooMany):
        selection.add(record(7, 7))


def test_identifies_need_to_be_asked_for() -> None:
    """And what has lost its value can't be replayed at all."""
    letters = [
        letter(0, 0, segment()),
        letter(1, 1, segment(type="identify")),
        letter(2, 2, None, **{"customfit.value_omitted": "9"}),
    ]
    chosen, left = replayable(letters, identifies=False)
    all_chosen, all_left = replayable(letters, identifies=True)

    assert ([0], {"identify": 1, "value_omitted": 1, "batch_omitted": 0}) == (origins(chosen), left)
    assert ([0, 1], {"identify": 0, "value_omitted": 1, "batch_omitted": 0}) == (origins(all_chosen), all_left)


def test_batches_keep_order_and_limits() -> None:
    """No batch is larger than either limit, but for a record that is so alone."""
    letters = [letter(n, n, b"x" * size) for n, size in enumerate([10, 10, 10, 100, 10, 60, 30, 1])]

    assert [[0, 1, 2], [3], [4, 5, 6], [7]] == [origins(batch) for batch in batches(letters, 3, 100)]
    assert [] == list(batches([], 3, 100))


def test_runs_join_what_lies_close() -> None:
    """Over a small gap it is read on, behind a large one again; partitions are read one by one."""
    far = RUN_GAP_MAX + 100
    letters = [letter(offset, 0) for offset in (far, 3, 90, 4)]
    letters.append(letter(1, 0, partition=1))

    assert [Run(0, 3, 90), Run(0, far + 0, far), Run(1, 1, 1)] == runs(letters)
    assert [] == runs([])


AVRO_IDENTIFY = {"type": "identify", "userId": "ann", "traits": {"plan": "pro"}}
BY_THE_REGISTRY = b"\x00\x00\x00\x00\x07"


@pytest.mark.parametrize(
    ("value", "reason", "expected"),
    [
        (single_object(AVRO_IDENTIFY), "refused", ("identify", "ann", True)),
        (single_object({"type": "track", "userId": "ann", "event": "E"}), "refused", ("track", "ann", False)),
        (single_object(AVRO_IDENTIFY)[:-3], "undecodable", ("undecodable", "u1", False)),
        (BY_THE_REGISTRY + b"\x0alias", "refused", ("unread", "u1", True)),
        (BY_THE_REGISTRY + b"\x0alias", "undecodable", ("unread", "u1", True)),
        (BY_THE_REGISTRY + segment(type="identify", userId="ann"), "refused", ("identify", "ann", True)),
    ],
)
def test_whose_event_it_is_in_avro(value: bytes, reason: str, expected: tuple[str, str, bool]) -> None:
    """Single objects are read; what takes the registry may be an identify, also one whose schema was not there."""
    found = letter(0, 0, value, **{"customfit.reason": reason})

    assert expected == (found.type, found.user, found.is_identify)
