"""A snapshot of a healthy, idle member with one partition."""

from __future__ import annotations

import time

from consumer.ops.partition_view import PartitionView
from consumer.ops.snapshot import Phase, Snapshot
from consumer.sequencing.accounting import Account
from consumer.sequencing.events import Partition
from consumer.sequencing.gate import State


def snapshot() -> Snapshot:
    """Nothing has happened yet, with one partition and one rule of what is not sent."""
    account = Account()
    view = PartitionView(
        partition=Partition("segment-events", 0),
        committed_offset=0,
        position=0,
        end_offset=0,
    )
    return Snapshot(
        taken_at=time.monotonic(),
        phase=Phase.RUNNING,
        joined=True,
        partitions=(view,),
        consumed=account.consumed,
        finished=account.finished,
        unfinished=0,
        introductions=0,
        holds_cut_short=0,
        held_events=0,
        held_users=0,
        in_flight=0,
        in_flight_limit=256,
        destination_state=State.DELIVERING,
        destination_reason="",
        source_topic="segment-events",
        topic_partitions={"segment-events": 1},
        rules_matched={("events_deny", "*Test"): 0},
    )
