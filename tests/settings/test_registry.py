"""Settings of the schema registry: its URL, and the password for it."""

from __future__ import annotations

import pytest

from tests.settings.given_settings import KEY, load, problem


def test_the_schema_registry() -> None:
    """Its URL without the last slash, and a password that is never shown."""
    settings = load(schema_registry_url="https://registry.example.com/api/", schema_registry_user_info=f"me:{KEY}")

    assert "https://registry.example.com/api" == settings.schema_registry_url
    assert settings.schema_registry_user_info is not None
    assert f"me:{KEY}" == settings.schema_registry_user_info.reveal()
    assert KEY not in repr(settings)
    assert KEY not in str(settings.describe())
    assert () == settings.warnings


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        (
            "schema_registry_url",
            f"https://me:{KEY}@example.com",
            "put user:password in CUSTOMFIT_SCHEMA_REGISTRY_USER_",
        ),
        ("schema_registry_url", f"https://example.com/?key={KEY}", "has a query"),
        ("schema_registry_url", "example.com", "does not start with https:// or http://"),
        ("schema_registry_user_info", KEY, "not user:password on one line"),
        ("schema_registry_user_info", f":{KEY}", "not user:password on one line"),
        ("schema_registry_user_info", f"me:{KEY}\n", "not user:password on one line"),
        ("value_format", "avor", "did you mean avro?"),
    ],
)
def test_bad_registries(name: str, text: str, words: str) -> None:
    """What is wrong is said without what is secret."""
    message = problem(**{name: text})

    assert words in message
    assert KEY not in message


def test_a_registry_password_in_clear_text() -> None:
    """Is warned of, unless it stays on this machine."""
    for host, count in (("registry.example.com", 1), ("127.0.0.1", 0), ("localhost", 0)):
        settings = load(schema_registry_url=f"http://{host}:8081", schema_registry_user_info="me:secret")

        assert count == len([warning for warning in settings.warnings if "the registry's password" in warning])
