"""Of what is not sent: events that a filter ends, properties that are dropped or hashed."""

from __future__ import annotations

from typing import Final

from tests.edge_faults.fault import EdgeFault

FILTERS: Final = "tests/segment/test_filters.py"
REDACTION: Final = "tests/customfit/test_redaction.py"
FAULTS: Final = (
    EdgeFault(
        "identifies are filtered",
        "consumer/segment/event_of.py",
        "NAMED: Final = (Kind.TRACK,",
        "NAMED: Final = (Kind.IDENTIFY, Kind.TRACK,",
        f"{FILTERS}::test_tracks_pages_and_screens_are_judged_by_their_names",
    ),
    EdgeFault(
        "the short way to an event forgets the filter",
        "consumer/segment/usual_event.py",
        "if rules.name_filter is not None and kind is not Kind.IDENTIFY",
        "if False and rules.name_filter is not None",
        f"{FILTERS}::test_tracks_pages_and_screens_are_judged_by_their_names",
    ),
    EdgeFault(
        "a piece of a rule is found again before the piece in front of it",
        "consumer/settings/name_filter.py",
        "piece.search(name, found.end())",
        "piece.search(name)",
        "tests/settings/test_name_filter.py::test_what_fits",
    ),
    EdgeFault(
        "an escaped key is another key",
        "consumer/customfit/redaction.py",
        "tree.inner.get(text_of(key))",
        "tree.inner.get(key[1:-1].decode())",
        f"{REDACTION}::test_what_is_left_out",
    ),
    EdgeFault(
        "an escape is not looked for",
        "consumer/customfit/redaction.py",
        '[b"\\\\", *sorted(last_keys)]',
        "sorted(last_keys)",
        f"{REDACTION}::test_what_is_left_out",
    ),
    EdgeFault(
        "of a key that is there twice the second stays",
        "consumer/customfit/redaction.py",
        "if isinstance(rule, _Rule) and rule.setting == DROP:",
        "if isinstance(rule, _Rule) and rule.setting == DROP and rule not in self.found:",
        f"{REDACTION}::test_what_is_left_out",
    ),
    EdgeFault(
        "members are sorted as they are written",
        "consumer/customfit/json_spans.py",
        "members.sort()",
        "members.sort(key=lambda member: msgspec.json.encode(member[0]))",
        f"{REDACTION}::test_the_hash_of_an_object_can_be_made_elsewhere",
    ),
    EdgeFault(
        "traits leave whole",
        "consumer/customfit/mapping.py",
        "user.properties = traits if redaction is None else redaction.of(traits)",
        "user.properties = traits",
        f"{REDACTION}::test_every_request_is_cut",
    ),
    EdgeFault(
        "the key of the hashes is shown",
        "consumer/settings/known_secrets.py",
        "        yield settings.properties_hash_key.reveal()",
        "        pass",
        "tests/settings/test_rule_lists.py::test_the_key_is_a_secret",
    ),
)
