"""What the records of a topic that was made again are known by."""

from __future__ import annotations

import json
from pathlib import Path

from tests.chaos.evidence import _all_produced
from tests.chaos.lives import NUMBERS, Life

LATER = [Life(10.0, 20.0, "rXx3fit-aaaaaaaaaaaaaa")]


def known_by(folder: Path, accepted: set[str]) -> list[str]:
    """The insert ids of partition 6, which held one record with a messageId and one without in each of two lives."""
    files = [folder / "topic-1.jsonl", folder / "topic.jsonl"]
    for life, file in enumerate(files):
        first = life * NUMBERS
        lines = [
            [first, 6, 0, "track", "user-1", f"s-{first}", 0, 0, 1.0],
            [first + 1, 6, 1, "track", "user-1", None, 0, 0, 1.0],
        ]
        file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return [record.insert_id for record in _all_produced(files, LATER, accepted)]


def test_after_a_life_that_was_sent_the_topic_s_id_is_wanted(tmp_path: Path) -> None:
    """Else its events would be taken for those of the earlier one."""
    expected = ["s-0", "segment-events-6-1", "s-10000000", "segment-events-6-1@rXx3fit-"]

    assert expected == known_by(tmp_path, {"s-0", "segment-events-6-1"})


def test_after_a_life_of_which_nothing_was_sent_it_may_be_left_out(tmp_path: Path) -> None:
    """The partition was added just before the topic was deleted: nobody had it yet, so no id can be mistaken."""
    expected = ["s-0", "segment-events-6-1", "s-10000000", "segment-events-6-1"]

    assert expected == known_by(tmp_path, {"s-10000000", "segment-events-6-1"})
