"""What to do about each cause is declared once, and the runbook says the same."""

from __future__ import annotations

import re

import pytest

from consumer.ops.advice import DO, DO_WHEN_STUCK, RUNBOOK_WHEN_STUCK, runbook
from consumer.ops.causes import Cause
from tests.deploy.rules import RUNBOOK, sections


@pytest.mark.parametrize("cause", Cause)
def test_the_runbook_says_what_the_page_says(cause: Cause) -> None:
    """Word for word, but for line breaks and the marks around code; and it stands where the page says."""
    section = " ".join(sections()[cause.value].replace("`", "").split())

    assert f"**Do first.** {DO[cause]} [Alert]" in section
    assert f"docs/{RUNBOOK.name}#{cause.value}" == runbook(cause)


@pytest.mark.parametrize("cause", Cause)
def test_advice_is_one_sentence_for_a_terminal_line_or_two(cause: Cause) -> None:
    """With an end, without markup."""
    assert re.fullmatch(r"[A-Z][^`*\n]{20,180}\.", DO[cause])


def test_a_loop_that_hangs_has_a_section_too() -> None:
    """With the same sentence, where the page says."""
    section = " ".join(sections()["stuck"].replace("`", "").split())

    assert f"**Do first.** {DO_WHEN_STUCK} [Alert]" in section
    assert f"docs/{RUNBOOK.name}#stuck" == RUNBOOK_WHEN_STUCK
