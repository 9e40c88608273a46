"""`user` against librdkafka's own mock cluster: which ids it takes."""

from __future__ import annotations

import pytest
import typer
from typer.testing import CliRunner, Result

from consumer.cli.user import user


def run(*options: str) -> Result:
    """The command, in this process."""
    app = typer.Typer()
    app.command()(user)
    return CliRunner().invoke(app, list(options))


@pytest.mark.parametrize("options", [[], ["--forget"], ["--forget", "--anonymous"]])
@pytest.mark.parametrize("user_id", ["", "x" * 513, "ü" * 257, "\udcff"], ids=["empty", "long", "bytes", "half a pair"])
def test_an_id_that_the_consumer_refuses_is_refused(user_id: str, options: list[str]) -> None:
    """Nothing is asked or produced: its events are dead letters, so there is nobody to forget."""
    result = run(user_id, *options)

    assert 2 == result.exit_code, result.output
    assert "USER_ID" in result.output
