"""The rules of settings that most groups do not need. What they are for is off by default."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from consumer.settings.header_names import LIMITS as HEADER_NAMES_LIMITS
from consumer.settings.header_names import header_names
from consumer.settings.values import TOPIC_LIMITS, Rule, decimal, topic_name, yes_or_no

RECEIPT_TOPIC: Final = Rule(
    topic_name,
    None,
    TOPIC_LIMITS,
    "Topic of receipts: one record for each delivered request, so that `audit` can prove what arrived.",
)
REQUESTS_PER_SECOND_MAX: Final = replace(
    decimal(
        "1",
        0,
        1_000_000,
        "requests a second",
        "Most requests that the whole group starts in a second; each member has the share of its partitions.",
        low_excluded=True,
    ),
    default=None,
)
FORWARD_HEADERS: Final = Rule(
    header_names,
    None,
    HEADER_NAMES_LIMITS,
    "Record headers sent as HTTP headers, if a request has one event; names that matter to HTTP are refused.",
)
REKEYED: Final = yes_or_no("Whether `rekey` alone writes the topic: then its headers say where a record came from.")
REKEY_WAIT_SECONDS: Final = decimal(
    "1", 0, 60, "seconds", "How long `rekey` waits for a partition that may still bring an older event."
)
