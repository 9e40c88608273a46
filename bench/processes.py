"""A process and its children, as /proc sees them."""

from __future__ import annotations

import os
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and its living children, to 10 ms."""
    return sum(_cpu_seconds(one) for one in _tree(pid))


def thread_cpu_seconds(pid: int) -> dict[tuple[int, str], float]:
    """The same for each living thread of one process, by its number and name."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return {
        (int(thread.name), (thread / "comm").read_text().strip()): _stat_seconds(thread / "stat") for thread in threads
    }


def peak_memory_mb(pid: int) -> float:
    """The most resident memory each of them ever had, added up."""
    return sum(_peak_memory_mb(one) for one in _tree(pid))


def _tree(pid: int) -> list[int]:
    found = [pid]
    for one in found:
        try:
            tasks = list(Path(f"/proc/{one}/task").iterdir())
            found += [int(child) for task in tasks for child in (task / "children").read_text().split()]
        except OSError:
            continue  # it ended meanwhile
    return found


def _cpu_seconds(pid: int) -> float:
    return _stat_seconds(Path(f"/proc/{pid}/stat"))


def _stat_seconds(stat: Path) -> float:
    try:
        fields = stat.read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


def _peak_memory_mb(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024 / 1e6
