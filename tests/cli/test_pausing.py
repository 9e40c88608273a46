"""What `pause` and `offsets` refuse before anything is asked of a broker."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from consumer.cli import app
from consumer.state.pause_record import REASON_CHARACTERS_MAX


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["pause", "--reason", "two\nlines"], "a reason is one line"),
        (["pause", "--reason", "x" * (REASON_CHARACTERS_MAX + 1)], "a reason is one line"),
        (["offsets"], "Missing option '--to'"),
        (["offsets", "--to", "yesterday"], "'yesterday' is no time; write earliest, latest, "),
        (["offsets", "--to", "2026-11-23T10:00:00"], "is no time"),
    ],
)
def test_what_cannot_be_meant_is_refused(arguments: list[str], problem: str) -> None:
    """Exit code 2, with what to write instead; a time without its zone would be another one elsewhere."""
    result = CliRunner(env={"COLUMNS": "300"}).invoke(app(arguments[0]), arguments)

    assert 2 == result.exit_code
    assert problem in result.stderr
