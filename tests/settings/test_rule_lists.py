"""CUSTOMFIT_EVENTS_ALLOW, _DENY, CUSTOMFIT_PROPERTIES_DROP, _HASH: which lists they take, and which they refuse."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from consumer.settings.known_secrets import masker_of
from consumer.settings.rule_lists import CHARACTERS_MAX, RULES_MAX
from tests.settings.given_settings import load, problem, problems, written

LISTS = ("events_allow", "events_deny", "properties_drop", "properties_hash")
HASH_KEY = "0123456789abcdef"


def test_all_is_sent_by_default() -> None:
    """Off is None: what is off costs one look."""
    assert [None] * 4 == [getattr(load(), name) for name in LISTS]
    assert None is load().name_filter


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "is empty; name something, or remove it"),
        ("Order Completed", "is no JSON array"),
        ('"a"', "is no array of texts"),
        ("{}", "is no array of texts"),
        ('["a", 1]', "is no array of texts"),
        ("[" * 100_000, "is no JSON array"),
        ('["a", "b", "a"]', "'a' is there twice"),
        ('["a", ""]', "holds an empty text"),
        (r'["a\n"]', "holds what can't be seen"),
        (r'["a\\b"]', "has a backslash before something else than"),
        (r'["a\\"]', "has a backslash before something else than"),
        (json.dumps(["a" * (CHARACTERS_MAX + 1)]), f"has {CHARACTERS_MAX + 1} characters"),
        (json.dumps([f"a{number}" for number in range(RULES_MAX + 1)]), f"has {RULES_MAX + 1} rules"),
    ],
)
def test_what_is_no_list_of_rules_is_refused(name: str, text: str, message: str) -> None:
    """With what to do; an array in which nothing stands says nothing, least of all that nothing is to be sent."""
    more = {"properties_hash_key": HASH_KEY} if name == "properties_hash" else {}

    assert message in problem(**{name: text}, **more)


def test_limits_are_within() -> None:
    """As many rules as are allowed, each as long as is allowed."""
    rules = [f"{number:0{CHARACTERS_MAX}}" for number in range(RULES_MAX)]
    allow = load(events_allow=json.dumps(rules)).events_allow

    assert allow is not None
    assert tuple(rules) == allow.texts


def test_a_file_may_have_an_array(tmp_path: Path) -> None:
    """TOML has arrays; it is shown as it may be given in a variable."""
    toml = written(tmp_path / "c.toml", "events_deny = ['Ü, *', 'a\\?']\nproperties_drop = ['e.mail']")
    shown = load({}, toml).describe()

    assert (r'["Ü, *", "a\\?"]', '["e.mail"]') == (shown["events_deny"], shown["properties_drop"])
    assert (
        shown == load(events_deny=str(shown["events_deny"]), properties_drop=str(shown["properties_drop"])).describe()
    )


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("$.a.b", "begins with $"),
        ("a..b", "has a key without a character"),
        (".a", "has a key without a character"),
        ("a.", "has a key without a character"),
    ],
)
def test_a_path_that_finds_nothing_is_refused(path: str, message: str) -> None:
    """What would leave in silence what is to stay."""
    assert message in problem(properties_drop=json.dumps([path]))


@pytest.mark.parametrize("path", ["$email", "$", "a b", "a*", "items[]x", "traits", r"a\.b", r"a\\b"])
def test_any_key_can_be_named(path: str) -> None:
    """Dollars, blanks and stars are what they are; a dot has a backslash before it."""
    settings = load(properties_drop=json.dumps([path]))

    assert settings.properties_drop is not None
    assert [(path.replace("\\", "", 1),)] == [one.keys for one in settings.properties_drop]
    assert () == settings.warnings


@pytest.mark.parametrize(
    "path", ["traits.email", "properties.email", "context.ip", "products[].sku", "products[0].sku"]
)
def test_a_path_that_may_be_meant_otherwise_has_a_warning(path: str) -> None:
    """It could be right, so it is taken."""
    [warning] = load(properties_drop=json.dumps([path])).warnings

    assert warning.startswith(f"CUSTOMFIT_PROPERTIES_DROP (environment): '{path}': a path ")


def test_a_path_within_another_is_refused() -> None:
    """In one list or in both: it could never be found."""
    own = problem(properties_drop='["b", "a.b", "a"]')
    both = problems(properties_drop='["a", "b.c"]', properties_hash='["a", "b", "bc"]', properties_hash_key=HASH_KEY)
    dropped, hashed = "CUSTOMFIT_PROPERTIES_DROP (environment)", "CUSTOMFIT_PROPERTIES_HASH (environment)"

    assert f"{dropped}: 'a.b' lies within 'a'; remove it" == own
    assert [
        f"{hashed}: 'a' lies within 'a' of {dropped}; remove it",
        f"{dropped}: 'b.c' lies within 'b' of {hashed}; remove it",
    ] == both


def test_hashes_need_a_key() -> None:
    """Without one anybody could try all addresses; a key without hashes is a sign that a setting is missing."""
    [unused] = load(properties_hash_key=HASH_KEY).warnings

    assert "CUSTOMFIT_PROPERTIES_HASH (environment): a key is needed" in problem(properties_hash='["email"]')
    assert unused.startswith("CUSTOMFIT_PROPERTIES_HASH_KEY (environment): nothing is hashed with it")


@pytest.mark.parametrize("key", ["short", "a" * 15, "a" * 4097, "two\nlines of a key", ""])
def test_a_key_that_is_none_is_refused_and_not_shown(key: str, tmp_path: Path) -> None:
    """Its file may hold anything."""
    [message] = problems(properties_hash='["a"]', properties_hash_key_file=str(written(tmp_path / "key", key)))

    assert not key or key not in message


def test_the_key_is_a_secret(tmp_path: Path) -> None:
    """It is read from its file, and blotted out wherever it is said."""
    file = written(tmp_path / "key", f"{HASH_KEY}\n")
    settings = load(properties_hash='["a"]', properties_hash_key_file=str(file))

    assert settings.properties_hash_key is not None
    assert HASH_KEY == settings.properties_hash_key.reveal()
    assert "***" == settings.describe()["properties_hash_key"]
    assert "it said ***" == masker_of(settings, {}).text(f"it said {HASH_KEY}")
