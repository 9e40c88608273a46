"""What is written of the snapshot is what the library writes of it, letter by letter, in each format."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
from prometheus_client.exposition import choose_encoder

from consumer.ops import metrics as metrics_module
from consumer.ops.metrics import Metrics
from consumer.ops.snapshot import Snapshot
from consumer.sequencing.events import Partition
from consumer.sequencing.stops import StopCause, Stopped
from tests.ops.given_snapshot import snapshot

PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,*/*;q=0.1"
)
ACCEPTED = {
    "nothing": "",
    "text": "text/plain;version=0.0.4",
    "text 1.0": "text/plain;version=1.0.0;escaping=underscores",
    "OpenMetrics": "application/openmetrics-text; version=1.0.0",
    "Prometheus 3": PROMETHEUS_3,
    "dots in names": "application/openmetrics-text; version=1.0.0; escaping=dots",
    "names as values": "text/plain; version=1.0.0; escaping=values",
}


def odd() -> Snapshot:
    """Large, small, infinite and missing figures, and rules of characters that have to be escaped."""
    base = snapshot()
    (view,) = base.partitions
    views = (
        replace(view, end_offset=12_345_678_901, oldest_uncommitted_ms=1_795_427_999_123, retention_seconds=0.000_01),
        replace(view, partition=Partition("segment-events", 7), end_offset=None),
        replace(view, partition=Partition("other", 10), stopped=Stopped(StopCause.OUT_OF_RANGE, "gone"), is_ours=False),
    )
    rules = {("events_deny", 'a "quoted" \\ rule'): 3, ("events_allow", "of\ntwo lines, ü"): 0}
    return replace(base, partitions=views, rules_matched=rules, held_events=1_000_000, last_delivery_at=1795428000.25)


def ours(body: bytes) -> list[str]:
    """The lines of our own metrics, in their order; those of the process may change between two looks."""
    return [line for line in body.decode().splitlines() if "customfit" in line]


@pytest.mark.parametrize("accept", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_a_scrape_is_what_the_library_writes(accept: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the scraper accepts; also where names would have to be changed for it."""
    still = SimpleNamespace(time=lambda: 1_795_428_000.0, monotonic=lambda: 1_000_000.5)
    monkeypatch.setattr(metrics_module, "time", still)
    shown = odd()
    metrics = Metrics(lambda: shown)
    encoder, content_type = choose_encoder(accept)

    assert (content_type, ours(encoder(metrics.registry))) == (
        (page := metrics.page(accept))[0],
        ours(page[1]),
    )
    assert encoder(metrics.registry).endswith(b"# EOF\n") == page[1].endswith(b"# EOF\n")


def test_all_families_of_the_library_are_on_the_page() -> None:
    """Those of the process and of Python, too, each once."""
    metrics = Metrics(snapshot)
    named = [line.split()[2] for line in metrics.page("")[1].decode().splitlines() if line.startswith("# TYPE ")]

    assert [line.split()[2] for line in metrics.text().splitlines() if line.startswith("# TYPE ")] == named
    assert len(set(named)) == len(named)
