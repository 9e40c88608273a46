"""The verifier's view of commits: none ahead of what has ended, none back, and metadata that claims no more."""

from __future__ import annotations

import base64

from tests.chaos.book import claimed
from tests.chaos.story import Story, runs


def test_a_commit_before_the_end_is_found(story: Story) -> None:
    """A delivery that comes after the commit, or was never answered, does not count; each record counts once."""
    identify, track, other = story.produce("identify"), story.produce("track"), story.produce("track")
    story.accept(identify)
    story.accept(track, answered=False)
    story.commit(3)
    story.accept(track)
    story.accept(other)
    story.commit(3)

    assert {"commit ahead": 2} == story.wrong()


def test_metadata_that_claims_too_much_is_found(story: Story) -> None:
    """What the metadata says is finished must have ended too."""
    identify, one, _ = story.produce("identify"), story.produce("track"), story.produce("track")
    story.accept(identify)
    story.commit(1, runs(1, 1))
    story.accept(one)
    story.commit(2)

    assert {"commit ahead": 1, "stuck": 1} == story.wrong()


def test_a_commit_that_goes_back_is_found(story: Story) -> None:
    """Each step back counts."""
    story.accept(story.produce("identify"))
    story.commit(1)
    story.commit(0)
    story.commit(1)

    assert {"commit back": 1} == story.wrong()


def test_runs_in_metadata_are_read_as_documented() -> None:
    """Unfinished, finished, unfinished, finished from the committed offset on; anything else says nothing."""
    assert [12, 13, 16] == list(claimed(10, runs(2, 2, 2, 1)))
    for text in ("", "2abc", "1!!!", "1" + base64.b64encode(b"0000rubbish").decode()):
        assert [] == list(claimed(10, text))
