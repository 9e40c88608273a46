"""Remembers which topics of the source's name were read before, in each partition of the state topic.

When a topic is deleted and made again, its offsets start at 0 again, so an insert_id that is made from an offset would
be that of an older event. A commit can't remember the topic: whoever resets the offsets resets their metadata, too. So
the topic's id is an entry like a user's, at a destination that no events go to:

    key    ["source topic segment-events", "topic-id P2Y6mJ4aQ9OQcWNcJUGD0A", false]
"""

from __future__ import annotations

import sqlite3
import time
from typing import Final

from consumer.sequencing.events import User
from consumer.state.partition import PartitionState, TopicIdWrite
from consumer.state.records import SOURCE_TOPIC, StateKey
from consumer.state.store import Store
from consumer.state.writes import Writes

PREFIX: Final = "topic-id "


class EarlierTopics:
    """Asked once for each partition, when its state is ready."""

    def __init__(self, writes: Writes) -> None:
        self._writes = writes

    def had_other(self, state: PartitionState, store: Store) -> bool:
        """Whether another topic of this name was read before. Notes the present topic's id if it is new."""
        topic_id = state.assignment.offsets.topic_id
        if topic_id is None:
            return False
        key = StateKey(SOURCE_TOPIC + state.partition.topic, User(PREFIX + topic_id))
        known = state.unstored_at(key.destination)
        try:
            known |= store.beginning_with(state.number, key.destination, PREFIX)
        except sqlite3.Error:
            return False  # it is reported when users are looked for
        if key.user.id not in known:
            at_ms = time.time_ns() // 1_000_000
            self._writes.note_topic_id(TopicIdWrite(state, key, at_ms))
        return bool(known - {key.user.id})
