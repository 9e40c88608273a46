"""A service with filters and paths that must not leave: what the destination is sent, and what stays in the topics."""

from __future__ import annotations

import json
from pathlib import Path

from consumer.emulator.server import running_emulator
from tests.real_broker.listening import Listening
from tests.real_broker.scene import Scene

EMAIL = "ann@example.com"
HASH_KEY = "a key of some length"


def test_what_must_not_leave_stays_in_the_topics(scene: Scene, tmp_path: Path) -> None:
    """Of a refused event too: no request has it, and its dead letter is the record as it was produced."""
    key_file = tmp_path / "hash-key"
    key_file.write_text(f"{HASH_KEY}\n", encoding="utf-8")
    hidden = (
        rb'{"total":1.10,"p":[{"e\u006dail":"ann\u0040example.com","n":1e5}],"email":"'
        + EMAIL.encode()
        + b'" , "z":"\\u00e9"}'
    )
    base = b'{"type":"track","userId":"ann","messageId":"%s","event":"%s","properties":%s}'
    records = [
        (
            "ann",
            b'{"type":"identify","userId":"ann","traits":{"email":"%s","phone":"7","plan":"pro"}}' % EMAIL.encode(),
        ),
        ("ann", base % (b"1", b"Order 1", hidden)),
        ("ann", base % (b"2", b"Other", hidden)),
        ("ann", b'{"batch":[%s,%s]}' % (base % (b"3", b"Order 3", b"{}"), base % (b"4", b"Order Test", b"{}"))),
        ("ann", base % (b"5", b"Order Poison", hidden)),
    ]
    with running_emulator(Listening()) as emulator:
        assert isinstance(emulator, Listening)
        emulator.faults.change({"refuse_names": ["Order Poison"]})
        scene.settings = {
            "CUSTOMFIT_API_URL": emulator.url,
            "CUSTOMFIT_EVENTS_ALLOW": '["Order *"]',
            "CUSTOMFIT_EVENTS_DENY": '["*Test"]',
            "CUSTOMFIT_PROPERTIES_DROP": '["email", "p.email"]',
            "CUSTOMFIT_PROPERTIES_HASH": '["phone"]',
            "CUSTOMFIT_PROPERTIES_HASH_KEY_FILE": str(key_file),
        }
        scene.produce(*records)
        with scene.member("one").wait_ready() as one:
            scene.wait_committed()
            filtered = one.json("/status")["events"]["finished"]["skipped"]["filtered"]
            rules = {rule["rule"]: rule["matched"] for rule in one.json("/status")["rules"]}
            assert 0 == one.stop()
        names = [name for entry in emulator.ledger.entries() for name in entry.names if name is not None]
    sent = b"\n".join(emulator.bodies)
    [letter] = scene.letters()

    assert ["Order 1", "Order 3"] == names
    assert 2 == filtered
    assert b'"properties":{"total":1.10,"p":[{"n":1e5}] , "z":"\\u00e9"}' in sent
    assert [] == [word for word in (b"email", b"example", b"u0040", b"Other", b"Test") if word in sent]
    assert {"phone", "plan"} == json.loads(emulator.bodies[0])["user"]["properties"].keys()
    assert (records[-1][1], "refused") == (letter.value, letter.reason)
    assert 0 not in [rules[rule] for rule in ("Order *", "*Test", "email", "p.email", "phone")]
    assert HASH_KEY not in one.log
