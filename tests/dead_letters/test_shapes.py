"""What of a record becomes a dead letter when all of it is more than a broker takes."""

from __future__ import annotations

import pytest

from consumer.dead_letters.letter import RECORD_BYTES_MAX, Shape
from consumer.dead_letters.writer import DeadLetters
from consumer.ports.inputs import DeadLetterFailed, Input
from consumer.sequencing.events import Record
from consumer.settings import load_settings
from tests.segment.given_events import PARTITION


@pytest.mark.parametrize(
    ("key_bytes", "header_bytes", "value_bytes", "shape"),
    [
        (1, 1, RECORD_BYTES_MAX - 2, Shape.WHOLE),
        (1, 1, RECORD_BYTES_MAX - 1, Shape.VALUELESS),
        (RECORD_BYTES_MAX, 0, 1, Shape.VALUELESS),
        (RECORD_BYTES_MAX + 1, 0, 1, Shape.BARE),
        (1, RECORD_BYTES_MAX, 1, Shape.BARE),
    ],
)
def test_what_no_broker_takes_is_not_tried(key_bytes: int, header_bytes: int, value_bytes: int, shape: Shape) -> None:
    """Without its value, or its key and headers too; and that is told. Whole, it would block its partition for ever."""
    posted: list[Input] = []
    letters = DeadLetters(load_settings({"CUSTOMFIT_API_KEY": "not-a-real-key"}), posted.append)
    record = Record(PARTITION, 1, 0, bytes(key_bytes), bytes(value_bytes), [("h", bytes(header_bytes))])

    assert shape is letters._first_shape(record)
    told = [item.kind for item in posted if isinstance(item, DeadLetterFailed)]
    assert ([] if shape is Shape.WHOLE else ["value_omitted"]) == told
