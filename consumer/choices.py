"""The words that a setting may have, in one place: settings check against them, and types are made of them. Pure.

The first of each is the default.
"""

from __future__ import annotations

from typing import Literal

ApiAuth = Literal["bearer", "query"]
ApiDialect = Literal["destination", "sdk"]
HttpEngine = Literal["httptools", "httpx"]
KafkaStart = Literal["earliest", "latest"]
Unidentified = Literal["introduce", "dead-letter"]
Anonymous = Literal["skip", "forward"]
Integrations = Literal["respect", "explicit", "ignore"]
ValueFormat = Literal["auto", "json", "avro"]
HttpUsers = Literal["loopback", "off", "all"]
Standby = Literal["off", "all"]
LogLevel = Literal["info", "debug", "warning", "error"]
LogFormat = Literal["text", "json"]
