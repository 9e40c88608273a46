"""What a commit remembers of the topics."""

from __future__ import annotations

import pytest

from consumer.rekey.growth import Remembered, made_again, other_counts, remembered


def test_what_is_remembered_is_read_again() -> None:
    """With and without a topic's id."""
    for one in (Remembered(6, "kq2y1kD5Sw-Xb_dDnZbMeQ"), Remembered(300, "")):
        assert one == remembered(str(one))


@pytest.mark.parametrize(
    "text", [None, "", "x", "rekey-1", "rekey-1 target=x source=", "rekey-2 target=6 source=a", "rekey-1 target=6"]
)
def test_what_others_have_written_says_nothing(text: str | None) -> None:
    """Somebody may have set the offsets with Kafka's tools."""
    assert remembered(text) is None


def test_any_other_number_of_partitions_counts() -> None:
    """Partitions are committed at different times."""
    commits = [str(Remembered(6, "")), str(Remembered(8, "")), None]
    assert [6] == other_counts(commits, 8)
    assert [6, 8] == other_counts(commits, 12)
    assert [] == other_counts([str(Remembered(6, "a"))], 6)


def test_offsets_of_an_earlier_topic_are_noticed() -> None:
    """Where the cluster tells ids."""
    commits = {0: str(Remembered(6, "old")), 1: str(Remembered(6, "new")), 2: None, 3: str(Remembered(6, ""))}
    assert [0] == made_again(commits, "new")
    assert [] == made_again(commits, None)
