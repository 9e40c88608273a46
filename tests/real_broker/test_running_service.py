"""What the tests themselves say of a member that crashes; no broker is needed for that."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.real_broker.running_service import Service


def test_a_member_that_crashes_fails_its_test_with_its_last_words(tmp_path: Path) -> None:
    """Which signal it was and where its threads stood: it may not happen again for weeks."""
    told = r"(?s)ended by SIGABRT; the last it printed:\nhere\n.*in its_way\n"
    command = ("-c", "import os\ndef its_way(): os.abort()\nprint('here', flush=True)\nits_way()")
    with Service(tmp_path, {}, command=command) as crashing, pytest.raises(AssertionError, match=told):
        crashing.ended(30)


def test_what_ends_by_itself_or_is_killed_has_its_exit_code(tmp_path: Path) -> None:
    """SIGKILL is the tests' own."""
    with Service(tmp_path, {}, command=("-c", "raise SystemExit(69)")) as ending:
        assert 69 == ending.ended(30)
    with Service(tmp_path, {}, command=("-c", "import time; time.sleep(60)")) as killed:
        killed.process.kill()
        assert -9 == killed.ended(30)
