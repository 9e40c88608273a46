"""Sends two events with Segment's own SDK, to the forwarder instead of Segment."""

from __future__ import annotations

import os
import sys

from segment import analytics

failed: list[Exception] = []

analytics.write_key = os.environ["SEGMENT_WRITE_KEY"]
analytics.host = os.environ.get("FORWARDER_URL", "http://127.0.0.1:8090")
# The SDK gives a batch up after some 3 min of retries. Where that matters, keep it here and send it later.
analytics.on_error = lambda error, _batch: failed.append(error)

analytics.identify("dia", {"plan": "pro"})
analytics.track("dia", "Order Completed", {"total": 27.5})
analytics.shutdown()  # returns when the forwarder has answered
if failed:
    sys.exit(f"not sent: {failed[0]}")
print("sent 2 events")
