"""The bill of materials (SBOM, CycloneDX): made from the lock, then held against it. It is a result, not committed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from packaging.markers import Marker

from tests.release.packages import ROOT
from tests.release.problem import Problem

LOCK: Final = ROOT / "locks" / "image.lock"
PIN: Final = re.compile(r"^([\w.-]+)==([^\s;\\]+)(?:\s*;\s*([^\\\n]+?))?\s*\\?$", re.MULTILINE)
HASH: Final = re.compile(r"sha256:([0-9a-f]{64})")


def check_bill(bill: Path, lock: Path = LOCK) -> str:
    """One line on what it names. Raises Problem where package, version or hashes differ from the lock's."""
    named = components(json.loads(bill.read_text(encoding="utf-8"))["components"])
    locked = pinned(lock.read_text(encoding="utf-8"))
    if named != locked:
        differ = sorted({name for name in named.keys() | locked.keys() if named.get(name) != locked.get(name)})
        raise Problem(f"the bill of materials and {lock.name} differ in {', '.join(differ)}")
    hashes = sum(len(found) for _, found in locked.values())
    return f"{bill.name}: {len(named)} packages of {lock.name}, {hashes} hashes"


def pinned(lock: str) -> dict[str, tuple[str, frozenset[str]]]:
    """Package → its version and the SHA-256 of each file that may be installed."""
    found: dict[str, tuple[str, frozenset[str]]] = {}
    pins = list(PIN.finditer(lock))
    for pin, following in zip(pins, [*pins[1:], None], strict=True):
        if pin[3] is not None:
            Marker(pin[3])  # a marker that is none would hide the pin
        block = lock[pin.end() : following.start() if following else len(lock)]
        found[pin[1]] = (pin[2], frozenset(HASH.findall(block)))
    return found


def components(listed: Iterable[dict[str, Any]]) -> dict[str, tuple[str, frozenset[str]]]:
    """The same of a bill."""
    return {
        component["name"]: (
            component["version"],
            frozenset(
                one["content"]
                for reference in component.get("externalReferences", ())
                for one in reference.get("hashes", ())
                if one["alg"] == "SHA-256"
            ),
        )
        for component in listed
    }
