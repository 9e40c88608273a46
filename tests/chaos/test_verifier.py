"""The verifier of the chaos harness accounts for every record: lost, stuck, never produced, or wrongly dead."""

from __future__ import annotations

from typing import Any

import pytest

from tests.chaos.evidence import Acknowledged
from tests.chaos.records import What
from tests.chaos.report import table
from tests.chaos.story import Story


def test_a_run_as_it_should_be_is_accepted(story: Story) -> None:
    """All kinds of records end as they must, and nothing is found."""
    identify, track, page = story.produce("identify"), story.produce("track"), story.produce("page")
    story.produce("skipped")
    garbage, refused = story.produce("rejected"), story.produce("refused")
    story.produce("delete")
    stranger = story.produce("screen", "bob")
    story.accept(identify)
    story.accept(track, page)
    story.introduce(stranger)
    story.accept(stranger)
    story.dead_letter(garbage, "invalid_event")
    story.dead_letter(refused, "refused")
    story.commit(8)
    verdict = story.verdict()

    assert [] == verdict.findings
    assert (8, 4, 1, 0) == (verdict.records, verdict.requests, verdict.introductions, verdict.duplicates)


@pytest.mark.parametrize("what", ["identify", "track", "rejected", "refused"])
def test_a_record_below_the_commit_that_never_ended_is_lost(story: Story, what: What) -> None:
    """A committed record that is neither delivered nor dead-lettered is lost, and was committed too early."""
    story.produce(what)
    story.commit(1)

    assert {"lost": 1, "commit ahead": 1} == story.wrong()


def test_a_record_that_is_not_committed_is_stuck_and_not_lost(story: Story) -> None:
    """Above the committed offset a record is unfinished business."""
    story.accept(story.produce("identify"))
    story.produce("track")
    story.commit(1)

    assert {"stuck": 1} == story.wrong()


@pytest.mark.parametrize(
    "changes",
    [{"insert_ids": ("made-up",)}, {"user": "bob"}, {"digests": (8,)}, {"is_identify": False}],
    ids=["never produced", "of another user", "altered", "of another type"],
)
def test_what_was_never_produced_like_that_is_a_phantom(story: Story, changes: dict[str, Any]) -> None:
    """An event must arrive as it was produced."""
    identify = story.produce("identify")
    story.accept(identify)
    story.accept(identify, **changes)
    story.commit(1)

    assert 1 == story.wrong()["phantom"]


@pytest.mark.parametrize("what", ["skipped", "rejected", "refused", "delete"])
def test_a_record_that_is_not_to_be_sent_is_a_phantom(story: Story, what: What) -> None:
    """Skipped, rejected and refused records never count as delivered."""
    record = story.produce(what)
    story.accept(record, is_identify=True)

    assert 1 == story.wrong()["phantom"]


def test_an_introduction_has_no_properties(story: Story) -> None:
    """Any could overwrite newer traits."""
    track = story.produce("track")
    story.accept(track, is_identify=True, insert_ids=(f"introduction-{track.insert_id}",), digests=(7,))
    story.accept(track)
    story.commit(1)

    assert {"phantom": 1} == story.wrong()


def test_a_dead_letter_without_cause_is_found(story: Story) -> None:
    """Valid events are no dead letters, and dead letters are what they were, with the reason that fits."""
    identify, garbage, other = story.produce("identify"), story.produce("rejected"), story.produce("rejected")
    story.accept(identify)
    story.dead_letter(identify, "refused")
    story.dead_letter(garbage, "undecodable", checksum=1)
    story.dead_letter(other, "undecodable")
    story.dead_letter(other, "gave_up")
    story.commit(3)

    assert {"wrong dead letter": 3} == story.wrong()


def test_what_is_refused_since_its_user_fails_is_a_dead_letter_by_right(story: Story) -> None:
    """And what comes behind it overtakes nothing; without such a refusal it would be lost, and wrongly dead."""
    identify, one, two = story.produce("identify"), story.produce("track"), story.produce("track")
    story.accept(identify)
    story.fail(one, two, status=400)
    story.fail(one, status=400)
    story.dead_letter(one, "refused")
    story.accept(two)
    story.commit(3)

    assert {} == story.wrong()

    story.evidence.alone.clear()

    assert {"lost": 1, "wrong dead letter": 1, "reorder": 1, "commit ahead": 1} == story.wrong()


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
def test_what_fails_with_its_user_for_a_while_is_no_dead_letter(story: Story, status: int) -> None:
    """It is to be sent again."""
    identify = story.produce("identify")
    story.fail(identify, status=status)
    story.dead_letter(identify, "refused")
    story.commit(1)

    assert {"lost": 1, "wrong dead letter": 1, "commit ahead": 1} == story.wrong()


def test_what_went_with_a_deleted_topic_is_nobodys_fault_and_all_of_the_new_one_must_come(story: Story) -> None:
    """What was committed of the old one must have come, too; offsets begin again."""
    first, _gone = story.produce("identify"), story.produce("track")
    story.accept(first)
    story.commit(1)
    story.make_again()
    new = story.produce("track")
    story.accept(new)
    story.commit(1)

    assert {} == story.wrong()

    story.commit(2)
    story.produce("track")

    assert {"lost": 1, "commit ahead": 1} == story.wrong()


def test_what_was_committed_and_not_delivered_of_a_deleted_topic_is_lost(story: Story) -> None:
    """As of any other."""
    story.produce("identify")
    story.commit(1)
    story.make_again()

    assert {"lost": 1, "commit ahead": 1} == story.wrong()


def test_an_acknowledged_record_that_is_not_in_the_topic_is_kafkas_fault(story: Story) -> None:
    """Then the rest of the verdict means little."""
    story.evidence.acknowledged.append(Acknowledged(1, 0, 0, 70))

    assert {"kafka": 1} == story.wrong()


def test_an_acknowledgement_without_an_offset_is_looked_for_by_its_number(story: Story) -> None:
    """A second try was told that the first had arrived; it may have arrived in a topic that was deleted just then."""
    track = story.produce("identify")
    story.accept(track)
    story.commit(1)
    last = story.evidence.acknowledged.pop()
    story.evidence.acknowledged.append(last._replace(offset=None))

    assert {} == story.wrong()

    story.evidence.acknowledged.append(last._replace(number=99, offset=None))

    assert {"kafka": 1} == story.wrong()

    story.make_again()

    assert {} == story.wrong()


def test_a_row_has_a_cell_for_each_heading(story: Story) -> None:
    """The table is Markdown with as many cells in each row."""
    heading, line, row = table([story.verdict()]).splitlines()

    assert heading.count("|") == line.count("|") == row.count("|")
