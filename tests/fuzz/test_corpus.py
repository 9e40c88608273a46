"""The inputs that the fuzzer found worth keeping, each once: `make fuzz` looks for more."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from consumer.sequencing.events import Decoded, Event
from tests.fuzz import target

CORPUS: Final = sorted((Path(__file__).parent / "corpus").iterdir())


@pytest.mark.parametrize("file", CORPUS, ids=lambda file: file.name)
def test_an_input_of_the_corpus_comes_to_its_end(file: Path) -> None:
    """As documented, and what would be sent is JSON."""
    target.check(file.read_bytes())


def test_every_end_of_a_record_is_in_the_corpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Events of each kind, records that are skipped and refused, batches, Avro with and without its schema."""
    met = set[str]()
    check_end = target._check_end

    def noting(item: Decoded) -> None:
        met.add(f"{type(item).__name__} {item.kind.value if isinstance(item, Event) else item.reason.value}")
        check_end(item)

    monkeypatch.setattr(target, "_check_end", noting)
    for file in CORPUS:
        target.check(file.read_bytes())

    expected = {"Event identify", "Event track", "Event page", "Event screen", "Event delete", "Skipped unknown_type"}
    expected |= {"Skipped anonymous", "Skipped integrations", "Rejected undecodable", "Rejected invalid_event"}
    assert set() == expected - met
