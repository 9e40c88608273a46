"""The order of the packages is kept by import-linter: who breaks it is told so (contracts in pyproject.toml)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[1]
LINT: Final = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A copy of the package and its contracts."""
    shutil.copytree(ROOT / "consumer", tmp_path / "consumer", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def broken(house: Path) -> list[str]:
    """The names of the contracts that are broken."""
    command = [sys.executable, "-c", LINT, "--no-cache", "--no-logo"]
    # Without COLUMNS a long name is told in two lines.
    environ = os.environ | {"PYTHONPATH": str(house), "COLUMNS": "200"}
    done = subprocess.run(command, cwd=house, env=environ, check=False, capture_output=True, text=True)
    lines = done.stdout.splitlines()
    assert any(line.endswith(" KEPT") for line in lines), done.stdout + done.stderr
    names = [line.removesuffix(" BROKEN") for line in lines if line.endswith(" BROKEN")]
    assert (done.returncode != 0) is bool(names)
    return names


def contract(beginning: str) -> dict[str, list[str]]:
    """The one whose name begins so."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    (found,) = (one for one in contracts if one["name"].startswith(beginning))
    return dict(found)


def replace(file: Path, old: str, new: str) -> None:
    """What stands in the file once becomes something else."""
    text = file.read_text(encoding="utf-8")
    assert 1 == text.count(old)
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_the_house_as_it_is_keeps_every_contract(house: Path) -> None:
    """Else what follows proves nothing."""
    assert [] == broken(house)


@pytest.mark.parametrize(
    ("above", "below"),
    [("loop", "state | dead_letters | receipts | ops"), ("settings", "sequencing"), ("cli", "demo")],
)
def test_two_layers_that_are_swapped_break_the_order(house: Path, above: str, below: str) -> None:
    """At the top, in the middle and at the bottom: each imports what stands below it, so no two may change places."""
    replace(house / "pyproject.toml", f'  "{above}",\n  "{below}",\n', f'  "{below}",\n  "{above}",\n')

    assert ["Layers: each imports only what stands below it"] == broken(house)


def test_a_clock_in_the_core_breaks_its_purity(house: Path) -> None:
    """What decides gets `now` from those who ask it."""
    replace(house / "consumer/sequencing/lanes.py", "from itertools import", "import time\nfrom itertools import")

    assert ["What decides does no input or output and asks nobody for the time"] == broken(house)


def test_an_emulator_that_borrows_from_the_consumer_breaks_its_contract(house: Path) -> None:
    """It is the judge."""
    with (house / "consumer/emulator/contract.py").open("a", encoding="utf-8") as file:
        file.write("\nfrom consumer.segment import timestamps\n")

    assert ["The emulator judges the consumer, so it shares nothing with it"] == broken(house)


def test_no_part_of_the_consumer_is_missing_among_what_the_emulator_may_not_import() -> None:
    """A new package would be open to it: the order of the layers allows it all that lies below."""
    parts = {path.stem for path in (ROOT / "consumer").iterdir() if path.is_dir() or path.suffix == ".py"}
    own = parts - {"__init__", "__main__", "__pycache__", "emulator"}

    assert {f"consumer.{part}" for part in own} == set(contract("The emulator judges")["forbidden_modules"])


def test_what_calls_itself_pure_is_under_the_contract_of_purity() -> None:
    """By its own name or its package's; a module that imports something impure of ours is found only so."""
    held = tuple(contract("What decides")["source_modules"])
    files = [path for path in (ROOT / "consumer").rglob("*.py") if "Pure." in path.read_text(encoding="utf-8")[:300]]
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in files]

    assert len(names) > 40
    assert [] == [name for name in names if not f"{name}.".startswith(tuple(f"{one}." for one in held))]


def test_a_loop_that_speaks_to_kafka_itself_breaks_the_edges_contract(house: Path) -> None:
    """It says what is wanted, and kafka/ does it."""
    with (house / "consumer/loop/intake.py").open("a", encoding="utf-8") as file:
        file.write("\nimport confluent_kafka\n")

    assert ["Only the edges of Kafka speak to Kafka"] == broken(house)


def test_a_package_that_has_no_place_in_the_order_breaks_it(house: Path) -> None:
    """A new room is given one."""
    (house / "consumer/attic").mkdir()
    (house / "consumer/attic/__init__.py").write_text('"""What has no place."""\n', encoding="utf-8")

    assert ["Layers: each imports only what stands below it"] == broken(house)
