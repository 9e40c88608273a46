"""What a measurement ran on: without it a figure says nothing."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


def describe() -> dict[str, Any]:
    """Machine, versions, commit, and how busy it was at the start."""
    return {
        "cpu": _first(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text()),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(int(_first(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())) / 2**20, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "java": _first(r'version "([^"]+)"', _output("java", "-version")),
        "go": _first(r"go version go(\S+)", _output("go", "version")),
        "packages": {name: version(name) for name in ("confluent-kafka", "httpx", "msgspec", "httptools", "uvloop")},
        "commit": _output("git", "rev-parse", "--short", "HEAD").strip(),
        "changed_since_commit": bool(_output("git", "status", "--porcelain", "--", "consumer").strip()),
        "load_average": os.getloadavg()[0],
    }


def _first(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    return found[1].strip() if found else "unknown"


def _output(*command: str) -> str:
    try:
        done = subprocess.run(
            command, check=False, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
    except OSError:
        return ""
    return done.stdout if done.returncode == 0 else ""
