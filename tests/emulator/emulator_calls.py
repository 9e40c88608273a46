"""Requests as the consumer sends them, for the tests of the emulator."""

from __future__ import annotations

import json
from typing import Any

KEY = "a-key-of-the-tests"
TIMESTAMP = "2026-11-23 10:00:00.123Z"


def identify(user: str, **changes: Any) -> dict[str, Any]:
    """An identify of the destination dialect, with traits."""
    user_object = {"user_customer_id": user, "anonymous": False, "properties": {"plan": "pro"}}
    event = {"event_type": "identify", "insert_id": f"identify-{user}", "event_timestamp": TIMESTAMP}
    return {"user": user_object, "events": [{**event, **changes}]}


def introduction(user: str) -> dict[str, Any]:
    """An identify that says only that there is such a user."""
    body = identify(user, insert_id=f"introduction-{user}")
    del body["user"]["properties"]
    return body


def track_event(insert_id: str = "t1", name: str = "Order Completed", **changes: Any) -> dict[str, Any]:
    """The event of a track."""
    return {
        "event_type": "track",
        "event_customer_id": name,
        "properties": {"total": 27.5},
        "insert_id": insert_id,
        "event_timestamp": TIMESTAMP,
        **changes,
    }


def events(user: str, *of: dict[str, Any], anonymous: bool = False) -> dict[str, Any]:
    """A request with these events."""
    return {"user": {"user_customer_id": user, "anonymous": anonymous}, "events": list(of)}


def track(user: str, insert_id: str = "t1", name: str = "Order Completed") -> dict[str, Any]:
    """A request with one track."""
    return events(user, track_event(insert_id, name))


def post(body: dict[str, Any] | bytes, *, key: str = KEY, headers: str = "", path: str = "/v1/cfe") -> bytes:
    """The bytes of a request."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n{headers}Content-Length: {len(content)}"
    return head.encode() + b"\r\n\r\n" + content
