"""What a commit remembers of the topics."""

from __future__ import annotations

import pytest

from consumer.rekey.growth import Remembered, is_known_later, is_later_by, made_again, other_counts, remembered


def test_what_is_remembered_is_read_again() -> None:
    """With and without a topic's id."""
    for one in (Remembered(6, "kq2y1kD5Sw-Xb_dDnZbMeQ"), Remembered(300, ""), Remembered(6, "kq2y1kD5", is_later=True)):
        assert one == remembered(str(one))


@pytest.mark.parametrize(
    "text",
    [
        *(None, "", "x", "rekey-1", "rekey-1 target=x source=", "rekey-2 target=6 source=a", "rekey-1 target=6"),
        "rekey-1 target=6 source=a more",
    ],
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


def test_each_record_says_of_which_topic_it_was() -> None:
    """And whether an earlier topic had its name: only then the id is part of the insert_id."""
    topic_id = "kq2y1kD5Sw-Xb_dDnZbMeQ"
    assert b"kq2y1kD5" == Remembered(6, topic_id).life
    assert b"@kq2y1kD5" == Remembered(6, topic_id, is_later=True).life
    assert b"" == Remembered(6, "").life


def test_the_commits_say_whether_the_source_was_made_again() -> None:
    """Those of this topic alone; one that says it is enough, since an earlier version does not say it."""
    first, later = str(Remembered(6, "new")), str(Remembered(6, "new", is_later=True))
    assert is_known_later([None, first], "new") is False
    assert is_known_later([first, later, None], "new") is True
    assert is_known_later([None, "by a tool", str(Remembered(6, "old"))], "new") is None


def test_without_commits_the_last_records_of_the_target_say_it() -> None:
    """The broker forgets the commits of a deleted topic, and a reset forgets their metadata."""
    source_id = "kq2y1kD5Sw-Xb_dDnZbMeQ"
    assert is_later_by(["other123", None], source_id)
    assert is_later_by(["other123", "@other456"], source_id)
    assert is_later_by(["other123", "@kq2y1kD5"], source_id)
    assert not is_later_by(["kq2y1kD5", None], source_id), "the offsets of the same topic were reset"
    assert not is_later_by([None], source_id), "an earlier version has written it: its insert_ids stay"
    assert is_later_by([], source_id), "all that was written is too old to be kept"
