"""What /status reads beside the snapshot, of a process that has just started."""

from __future__ import annotations

import time
from collections.abc import Callable

from consumer.kafka.members import Members
from consumer.ops.about import about
from consumer.ops.error_groups import ErrorGroups
from consumer.ops.metrics import Metrics
from consumer.ops.overview import Overview
from consumer.ops.recorder import Recorder
from consumer.ops.snapshot import Snapshot
from consumer.settings import load_settings
from consumer.settings.masking import Masker


def given_overview(metrics: Metrics, snapshot: Callable[[], Snapshot], masker: Masker, **environ: str) -> Overview:
    """Nothing has gone wrong yet; `environ`: settings."""
    settings = load_settings({"CUSTOMFIT_API_KEY": "made-up-key", **environ})
    return Overview(
        about(settings, "here", time.time(), time.monotonic()),
        ErrorGroups(),
        Recorder(snapshot, metrics),
        Members(settings, lambda: ""),
        masker,
    )
