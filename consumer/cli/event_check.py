"""`check --event`: what the settings make of one event, asked of the code that decides it. Nothing is sent."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from consumer.sequencing.events import Event, Skipped
    from consumer.settings import Settings


def what_becomes_of(given: str, settings: Settings) -> Iterator[tuple[bool, str]]:
    """For the event in a text (`-`: standard input), or each event of a batch: is it one, and what becomes of it."""
    from consumer.segment.decoding import DecodingRules, decode
    from consumer.sequencing.events import Batch, Event, Kind, Partition, Record, Rejected

    text = sys.stdin.buffer.read(settings.record_bytes_max + 1) if given == "-" else os.fsencode(given)
    record = Record(Partition(settings.kafka_topic, 0), 0, int(time.time() * 1000), None, text.strip())
    made = decode(record, settings.fill(DecodingRules, topic_life=""))
    for item in made.items if isinstance(made, Batch) else [made]:
        if isinstance(item, Rejected):
            yield False, f"a dead letter ({item.reason.value}): {item.detail}"
        elif not isinstance(item, Event):
            yield True, f"skipped ({item.reason.value}){_by_which(item, settings)}"
        elif item.kind is Kind.DELETE:
            yield True, "nothing is sent, and its user counts as not identified"
        else:
            yield True, f"sent as {_body(item, settings)}"


def _by_which(skipped: Skipped, settings: Settings) -> str:
    """The rules that have filtered it."""
    from consumer.sequencing.events import SkipReason
    from consumer.settings.name_filter import DENY
    from consumer.settings.sources import variable

    if skipped.reason is not SkipReason.FILTERED or settings.name_filter is None:
        return ""
    denied = [rule for setting, rule in settings.name_filter.matching(skipped.name) if setting == DENY]
    why = ", ".join(map(repr, denied)) + f" of {variable(DENY)}" if denied else "no rule that allows it"
    return f": {skipped.name or ''!r} fits {why}"


def _body(event: Event, settings: Settings) -> str:
    """The request that would be sent if the event went alone, without the paths that must not leave."""
    from consumer.customfit.mapping import request_body
    from consumer.loop.rule_counts import redaction_of
    from consumer.sequencing.assignment import Assignment
    from consumer.sequencing.events import Kind
    from consumer.sequencing.lanes import Delivery, Lane
    from consumer.sequencing.offsets import OffsetTracker
    from consumer.sequencing.rule import DeliveryKind

    lane = Lane(Assignment(event.record.partition, OffsetTracker(0)), event.user, identified=True)
    kind = DeliveryKind.IDENTIFY if event.kind is Kind.IDENTIFY else DeliveryKind.EVENTS
    redaction = redaction_of(settings, lambda _setting, _path: None)
    return request_body(Delivery(lane, kind, [event]), settings.api_dialect, redaction).decode()
