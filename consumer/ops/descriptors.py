"""How many files and connections the process may have open."""

from __future__ import annotations

import contextlib
import resource
from typing import Final

DESCRIPTORS_MAX: Final = 65_536
"""More is never needed, and with a limit of a thousand million some libraries get slow."""


def raise_descriptors() -> None:
    """Raise the soft limit, which is often 1,024, as far as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS_MAX if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS_MAX)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # then it stays as it is
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
