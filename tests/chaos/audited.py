"""`audit` at the end of a run: it must find something lost exactly where the verifier does.

The verifier has its evidence from outside: what was produced, and what became of each kind of record. `audit` has only
what an operator has: the emulator's ledger, and once more the receipts alone, where the members write some.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

AUDITS: Final = {"ledger": "audit.json", "receipts": "audit-by-receipts.json"}
RECEIPTS: Final = "CUSTOMFIT_RECEIPT_TOPIC"


def write_audits(environ: Mapping[str, str], ledger: Path, folder: Path) -> None:
    """Run it, with these settings, and keep what it says."""
    without = {name: value for name, value in environ.items() if name != RECEIPTS}
    _write(without, ["--ledger", str(ledger)], folder / AUDITS["ledger"])
    if RECEIPTS in environ:
        _write(environ, [], folder / AUDITS["receipts"])


def _write(environ: Mapping[str, str], options: list[str], file: Path) -> None:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CUSTOMFIT_")}
    command = [sys.executable, "-m", "consumer", "audit", "--json", "--from", "0", "--to", "now", *options]
    done = subprocess.run(command, env={**inherited, **environ}, check=False, capture_output=True, text=True)
    said = json.loads(done.stdout) if done.stdout else {"error": done.stderr}
    file.write_text(json.dumps({"exit_code": done.returncode, **said}, indent=2), encoding="utf-8")


def disagreements(folder: Path, lost: int, *, sees_all: bool) -> Iterator[str]:
    """What audits say otherwise than the verifier, which has found so many records lost.

    They don't see all where the topic was deleted: what was lost of the one before is not in the topic any more. Each
    of them has seen all records that are in the topic now, and where nothing is lost each of these has ended.
    """
    records = len((folder / "topic.jsonl").read_text(encoding="utf-8").splitlines())
    for by, said in _audits(folder):
        if "gaps" not in said:
            yield f"audit by {by} ended with {said['exit_code']}: {said.get('error')}"
            continue
        if records != said["records"]:
            yield f"audit by {by} has seen {said['records']} records, and there are {records}"
        if not lost and said["events"]["outstanding"]:
            yield f"audit by {by} has {said['events']['outstanding']} events outstanding, and the lag is 0"
        if bool(said["gaps"]) is not bool(lost) and (said["gaps"] or sees_all):
            yield f"audit by {by} finds {said['gaps']} gaps ({said['gap_runs'][:5]}), the verifier {lost} lost records"


def told(folder: Path) -> Iterator[str]:
    """What they say, in a line each."""
    for by, said in _audits(folder):
        events = ", ".join(f"{count} {end}" for end, count in said.get("events", {}).items() if count)
        yield f"audit by {by}: {said.get('records')} records, {events}, {said.get('gaps')} gaps"


def _audits(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for by, name in AUDITS.items():
        if (folder / name).exists():
            yield by, json.loads((folder / name).read_text(encoding="utf-8"))
