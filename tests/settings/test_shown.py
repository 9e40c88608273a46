"""A page shows how a process is set, and nothing that lets anybody in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from consumer.settings import SettingsError, load_settings
from consumer.settings.settings import RULES
from consumer.settings.shown import NOT_SET, as_shown, without_user_info
from consumer.settings.sources import variable

KEY = "0123456789-key"


def shown(**environ: str) -> dict[str, str]:
    """With these settings."""
    return as_shown(load_settings({"CUSTOMFIT_API_KEY": KEY, **environ}))


def test_every_setting_is_there_by_its_variable() -> None:
    """As text; those that are not set say so."""
    found = shown()

    assert {variable(name) for name in RULES} == set(found)
    assert ("256", "localhost:9092", NOT_SET, NOT_SET) == (
        found["CUSTOMFIT_IN_FLIGHT_MAX"],
        found["CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS"],
        found["CUSTOMFIT_SCHEMA_REGISTRY_URL"],
        found["CUSTOMFIT_HTTP_HOSTS"],
    )


def test_no_secret_is_in_it() -> None:
    """Neither the key nor a password, nor what stands in a URL's query or before its @."""
    properties = {
        "security.protocol": "SASL_SSL",
        "sasl.username": "someone",
        "sasl.password": "pa55word",
        "ssl.key.pem": "-----BEGIN",
        "sasl.oauthbearer.token.endpoint.url": "https://me:pa55word@idp.example/token",
        "a.new.property": "pa55word",
        "sasl.pasword": "pa55word",
    }
    found = shown(
        CUSTOMFIT_KAFKA_PROPERTIES=json.dumps(properties),
        CUSTOMFIT_SCHEMA_REGISTRY_URL="https://registry.example/x",
        CUSTOMFIT_SCHEMA_REGISTRY_USER_INFO="me:pa55word",
        CUSTOMFIT_API_URL="https://api.example/v1?token=pa55word",
        CUSTOMFIT_DESTINATION_NAME="https://me:pa55word@api.example/v1",
    )
    text = json.dumps(found)

    assert "***" == found["CUSTOMFIT_API_KEY"] == found["CUSTOMFIT_SCHEMA_REGISTRY_USER_INFO"]
    assert properties.keys() == json.loads(found["CUSTOMFIT_KAFKA_PROPERTIES"]).keys()
    assert {"SASL_SSL", "***"} == set(json.loads(found["CUSTOMFIT_KAFKA_PROPERTIES"]).values())
    assert "https://***@api.example/v1" == found["CUSTOMFIT_DESTINATION_NAME"]
    assert all(secret not in text for secret in (KEY, "pa55word", "BEGIN", "someone"))


@pytest.mark.parametrize(
    ("text", "without"),
    [
        ("http://u:p@host/x", "http://***@host/x"),
        ("http://u:p@q@host/x", "http://***@host/x"),
        ("http://u:p/w@host/x", "http://***@host/x"),
        ("a http://u@one, b https://v:w@two", "a http://***@one, b https://***@two"),
        ("http://host/x", "http://host/x"),
        ("mail me@host", "mail me@host"),
    ],
)
def test_users_and_passwords_of_urls_are_blotted_out(text: str, without: str) -> None:
    """Also where somebody has not percent-encoded them."""
    assert without == without_user_info(text)


@pytest.mark.parametrize("given", ["One, two.example.com.,one", '["one", "Two.example.com"]', "one,two.example.com"])
def test_names_of_hosts_are_a_list(given: str) -> None:
    """With commas between them or as JSON; in lower case, each once."""
    settings = load_settings({"CUSTOMFIT_API_KEY": KEY, "CUSTOMFIT_HTTP_HOSTS": given})

    assert ("one", "two.example.com") == settings.http_hosts
    assert "one,two.example.com" == as_shown(settings)["CUSTOMFIT_HTTP_HOSTS"]


def test_names_of_hosts_may_be_an_array_in_a_file(tmp_path: Path) -> None:
    """As TOML has it."""
    file = tmp_path / "settings.toml"
    file.write_text('http_hosts = ["one", "two"]\n')

    assert ("one", "two") == load_settings({"CUSTOMFIT_API_KEY": KEY}, file).http_hosts


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("https://one", "write it without scheme and port"),
        ("one:9464", "write it without scheme and port"),
        ("one,,two", "no host"),
        ("*.example.com", "not of letters"),
        ("[1]", "holds something else than names"),
        ("[", "is no JSON array"),
        ("", "set but empty"),
        (",".join(f"h{number}" for number in range(101)), "101 names are more than 100"),
    ],
)
def test_what_is_no_name_of_a_host_is_refused(given: str, problem: str) -> None:
    """With what to write."""
    with pytest.raises(SettingsError, match=problem):
        load_settings({"CUSTOMFIT_API_KEY": KEY, "CUSTOMFIT_HTTP_HOSTS": given})
