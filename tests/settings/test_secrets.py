"""Settings: no secret is shown, and one that would travel in clear text is warned of."""

from __future__ import annotations

import copy
import json
import pickle
from dataclasses import replace

import pytest

from consumer.settings import Secret
from tests.settings.given_settings import KEY, load


@pytest.mark.parametrize(
    ("url", "warned"),
    [
        ("http://example.com/in", True),
        ("http://10.0.0.1:8080/in", True),
        ("http://localhost.example.com/in", True),
        ("http://localhost:8080/in", False),
        ("http://127.0.0.1:8080/in", False),
        ("http://[::1]:8080/in", False),
        ("https://example.com/in", False),
    ],
)
def test_warns_of_a_key_in_clear_text(url: str, warned: bool) -> None:
    """Plain HTTP to another machine is allowed, but said."""
    warnings = load(api_url=url).warnings

    assert warned == any(text.startswith("CUSTOMFIT_API_URL (environment): the API key travels") for text in warnings)
    assert warned == bool(warnings)


@pytest.mark.parametrize(("protocol", "warned"), [("sasl_plaintext", True), ("SASL_SSL", False)])
def test_warns_of_a_kafka_password_in_clear_text(protocol: str, warned: bool) -> None:
    """SASL PLAIN without TLS is allowed, but said."""
    properties = {"security.protocol": protocol, "sasl.mechanism": "plain", "sasl.password": "canary-password"}
    warnings = load(kafka_properties=json.dumps(properties)).warnings

    assert warned == bool(warnings)
    assert "canary-password" not in str(warnings)


def test_secret_shows_itself_to_nobody() -> None:
    """Neither printing, formatting, copying nor pickling gives the text away."""
    secret = Secret(KEY)

    assert ["***", "***", "***", "***  "] == [repr(secret), str(secret), f"{secret}", f"{secret:5}"]
    assert KEY == copy.deepcopy(secret).reveal()
    assert Secret(KEY) == secret
    assert hash(Secret(KEY)) == hash(secret)
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(AttributeError):
        secret._text = "x"


SECRET_PROPERTIES = (
    "sasl.password",
    "sasl.pasword",  # a typing error must not show it either
    "ssl.key.password",
    "ssl.key.pem",
    "ssl.keystore.password",
    "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.config",
    "sasl.jaas.config",
    "sasl.oauthbearer.assertion.private.key.passphrase",
    "my.secret",
)


def test_settings_show_no_secret() -> None:
    """The canaries are in no way of printing settings, and every other property can be read."""
    properties = {name: f"canary-{index}" for index, name in enumerate(SECRET_PROPERTIES)}
    shown = {"sasl.username": "me", "ssl.ca.location": "/ca.pem", "client.rack": "a"}
    settings = load(kafka_properties=json.dumps(properties | shown), api_url=f"https://example.com/?other={KEY}")
    printed = [
        repr(settings),
        str(settings),
        f"{settings}",
        json.dumps(settings.describe()),
        repr(settings.kafka_properties),
        repr(replace(settings, log_level="debug")),
        repr(settings.origins),
    ]

    assert not [text for text in printed if "canary" in text]
    assert shown | dict.fromkeys(SECRET_PROPERTIES, "***") == settings.describe()["kafka_properties"]
    assert "https://example.com/?***" == settings.describe()["api_url"]
    assert "canary-0" == settings.kafka_properties["sasl.password"]
