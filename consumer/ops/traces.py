"""What a log line says of the record or request that it is about: its place and its trace. Pure.

The trace is in the record's header `traceparent` (W3C Trace Context). It is looked up when a line is written, so it
costs nothing for events without a line.
"""

from __future__ import annotations

import re
from typing import Final

from consumer.sequencing.events import Headers, Record
from consumer.sequencing.lanes import Delivery

TRACEPARENT: Final = "traceparent"
_WELL_FORMED: Final = re.compile(
    rb"(?!ff)[0-9a-f]{2}-(?!0{32})(?P<trace>[0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?P<more>-[!-~]*)?"
)
_VERSION_0: Final = b"00-"
_BYTES_MAX: Final = 512


def trace_id(headers: Headers | None) -> str | None:
    """The 32 hexadecimal digits; None: there is no `traceparent`, or the last one is not valid.

    Later versions of the header may have more fields behind those of the first version.
    """
    value = dict(headers).get(TRACEPARENT) if headers else None
    if value is None or len(value) > _BYTES_MAX:
        return None
    found = _WELL_FORMED.fullmatch(value)
    if found is None or (found["more"] is not None and value.startswith(_VERSION_0)):
        return None
    return found["trace"].decode()


def place_of(about: Record | Delivery | None) -> dict[str, object]:
    """The place, as fields of a line.

    If a request has several events: that of the first, and no trace, since each has its own.

    An introduction counts as a request of the one event behind it.
    """
    if about is None:
        return {}
    record = about if isinstance(about, Record) else about.events[0].record
    is_one = isinstance(about, Record) or len(about.events) == 1
    return {
        "topic": record.partition.topic,
        "partition": record.partition.number,
        "offset": record.offset,
        "item": record.item_index,
        "trace_id": trace_id(record.headers) if is_one else None,
    }
