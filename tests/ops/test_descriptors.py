"""The limit of open files is raised, in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

RAISED = """
import resource
from consumer.ops.descriptors import raise_descriptors
resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
raise_descriptors()
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.parametrize(("soft", "hard"), [(256, 700), (700, 700)])
def test_the_soft_limit_becomes_the_hard_one(soft: int, hard: int) -> None:
    """And the hard one stays."""
    code = RAISED.format(soft=soft, hard=hard)
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert [hard, hard] == [int(limit) for limit in done.stdout.split()]
