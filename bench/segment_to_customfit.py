"""The mapping as a script would write it: what the Python contenders other than this project send."""

from __future__ import annotations

from typing import Any


def mapped_event(event: dict[str, Any]) -> dict[str, Any]:
    """One Segment event in CustomFit's names."""
    fields = {"insert_id": event["messageId"], "event_timestamp": event["timestamp"].replace("T", " ")}
    if event["type"] == "identify":
        return {"event_type": "identify", **fields}
    properties = event.get("properties", {})
    if event["type"] == "track":
        return {"event_type": "track", "event_customer_id": event["event"], "properties": properties, **fields}
    return {"event_type": f"{event['type']}view", "name": event.get("name"), "properties": properties, **fields}


def request(events: list[dict[str, Any]]) -> dict[str, Any]:
    """One request: events of one user, an identify alone."""
    user: dict[str, Any] = {"user_customer_id": events[0]["userId"], "anonymous": False}
    if events[0]["type"] == "identify":
        user["properties"] = events[0].get("traits", {})
    return {"user": user, "events": [mapped_event(event) for event in events]}
