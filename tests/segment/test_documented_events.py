"""Every event of Segment's public documentation: it comes to the end that the specification asks for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest

from consumer.choices import ApiDialect
from consumer.emulator.contract import read_call
from consumer.segment.decoding import DecodingRules
from tests.segment.given_events import body, end, event

# One {"source": page, "event": event} a line; not part of the project, read where it is present.
SAMPLES: Final = Path(__file__).resolve().parents[3] / "shared" / "samples" / "segment_docs.jsonl"

pytestmark = pytest.mark.skipif(not SAMPLES.exists(), reason="the collection of documented events is not here")

SENT_AS: Final = {"identify": "identify", "track": "track", "page": "pageview", "screen": "screenview"}
FORWARD_ALL: Final = DecodingRules(anonymous="forward", integrations="ignore")


def documented() -> list[dict[str, Any]]:
    """All of them."""
    lines = SAMPLES.read_text().splitlines() if SAMPLES.exists() else []
    return [json.loads(line)["event"] for line in lines]


def specified(sample: dict[str, Any], rules: DecodingRules) -> str:
    """The end that Segment's specification and the contract ask for, without a look at how it is decoded."""
    if sample["type"] in ("group", "alias"):
        return "skipped: unsupported"
    if not sample.get("userId") and not sample.get("anonymousId"):
        return "dead letter: invalid_event"
    if not sample.get("userId") and rules.anonymous == "skip":
        return "skipped: anonymous"
    if sample["type"] == "delete":
        return "sent"
    chosen = sample.get("integrations") or {}
    ours = [chosen[name] for name in ("CustomFit.ai", "customfitai") if name in chosen]
    is_engage = bool((sample.get("context") or {}).get("personas"))
    everybody = rules.integrations == "explicit" or is_engage or chosen.get("All", True) is not False
    if rules.integrations != "ignore" and (ours[0] is False if ours else not everybody):
        return "skipped: integrations"
    if sample["type"] == "track" and not sample.get("event"):
        return "dead letter: invalid_event"
    return "sent"


@pytest.mark.parametrize("integrations", ["respect", "explicit", "ignore"])
@pytest.mark.parametrize("anonymous", ["skip", "forward"])
def test_ends(anonymous: Any, integrations: Any) -> None:
    """Under every policy each of them ends as specified, in whichever way it is written."""
    rules = DecodingRules(anonymous, integrations)
    for sample in documented():
        for text in (json.dumps(sample), json.dumps(sample, ensure_ascii=False, indent=2)):
            assert specified(sample, rules) == end(text.encode(), rules), sample


def test_there_are_events_of_every_type() -> None:
    """The collection is what it is taken for: all seven types, and both kinds of ids."""
    samples = documented()

    assert {*SENT_AS, "group", "alias", "delete"} == {sample["type"] for sample in samples}
    assert {"sent", "skipped: anonymous", "skipped: unsupported", "skipped: integrations"} <= {
        specified(sample, DecodingRules()) for sample in samples
    }


@pytest.mark.parametrize("dialect", ["destination", "sdk"])
def test_requests(dialect: ApiDialect) -> None:
    """Each that can be sent becomes a request that keeps the contract and says what the event says."""
    for sample in documented():
        if sample["type"] not in SENT_AS or specified(sample, FORWARD_ALL) != "sent":
            continue
        text = json.dumps(sample).encode()
        call = read_call(body(event(text, FORWARD_ALL), dialect=dialect))

        assert str(sample.get("userId") or sample["anonymousId"]) == call.user_id
        assert (not sample.get("userId")) == call.anonymous
        assert dialect == call.dialect
        is_identify = sample["type"] == "identify"
        payload = sample.get("traits" if is_identify else "properties")
        if not is_identify:
            payload = payload or {}
        assert [payload] == [None if raw is None else json.loads(bytes(raw)) for raw in call.properties], sample
        if dialect == "destination":
            assert (SENT_AS[sample["type"]],) == call.kinds
            name = sample.get("event" if sample["type"] == "track" else "name")
            assert (None if is_identify else name or None,) == call.names
            assert (sample.get("messageId") or "segment-events-3-42",) == call.insert_ids


@pytest.mark.parametrize("dialect", ["destination", "sdk"])
def test_batches(dialect: ApiDialect) -> None:
    """All tracks, pages and screens of one user make one request that keeps the contract, in order."""
    rules = FORWARD_ALL
    samples = [sample for sample in documented() if sample["type"] in ("track", "page", "screen")]
    events = [
        event(json.dumps({**sample, "userId": "u1"}).encode(), rules)
        for sample in samples
        if specified({**sample, "userId": "u1"}, rules) == "sent"
    ]
    call = read_call(body(*events, dialect=dialect))

    assert [one.insert_id for one in events] == list(call.insert_ids)
    assert len(events) == len(call.properties) > 100
