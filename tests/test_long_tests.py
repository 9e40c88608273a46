"""The sample of long tests that CI runs: each commit its own, the same one for the same commit."""

from __future__ import annotations

from pathlib import Path

from tests.long_tests import MARK, marked, sample

NAMES = [f"tests/test_{number}.py::test_it" for number in range(20)]


def test_the_same_seed_chooses_the_same_tests() -> None:
    """Whatever the order in which they were collected."""
    assert sample(NAMES, 2, "4f1c") == sample(NAMES[::-1], 2, "4f1c")
    assert 2 == len(set(sample(NAMES, 2, "4f1c")))


def test_over_many_commits_each_is_chosen() -> None:
    """None is left out for ever."""
    assert set(NAMES) == {name for seed in range(200) for name in sample(NAMES, 2, str(seed))}


def test_a_sample_larger_than_all_is_all() -> None:
    """There may be fewer long tests than CI has time for."""
    assert sorted(NAMES[:1]) == sample(NAMES[:1], 2, "1")


def test_a_file_with_a_long_test_is_read_and_no_other(tmp_path: Path) -> None:
    """Wherever the marker stands in it."""
    (tmp_path / "test_quick.py").write_text("def test_it(): pass\n")
    (tmp_path / "test_long.py").write_text(f"import pytest\nL = {MARK}\n")

    assert [str(tmp_path / "test_long.py")] == marked(MARK, tmp_path)
