"""Which secrets a process knows, in each form in which a server may say them."""

from __future__ import annotations

import json
from base64 import b64encode

import pytest

from consumer.settings.known_secrets import is_hidden, masker_of, secrets_of
from tests.settings.given_settings import KEY, load


def encoded(text: str) -> str:
    """As `Basic …` has it."""
    return b64encode(text.encode()).decode()


def test_the_api_key_is_known_as_a_header_may_have_it() -> None:
    """Alone, and as the user or the password of HTTP's basic authentication."""
    masker = masker_of(load(), {})

    assert "*** *** *** ***" == masker.text(f"{KEY} {encoded(KEY)} {encoded(f'{KEY}:')} {encoded(f':{KEY}')}")


@pytest.mark.parametrize("variable", ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY"])
@pytest.mark.parametrize("scheme", ["http://", "https://", ""])
def test_the_password_of_a_proxy_is_known(variable: str, scheme: str) -> None:
    """As its URL has it, decoded, and as the header has it; whichever proxy it is, it may answer."""
    masker = masker_of(load(), {variable: f"{scheme}me:p%40ss%2Fw0rd@proxy.example:3128"})

    assert "me *** *** *** proxy.example" == masker.text(
        f"me p%40ss%2Fw0rd p@ss/w0rd {encoded('me:p@ss/w0rd')} proxy.example"
    )


@pytest.mark.parametrize("proxy", ["http://a-key-for-it-1@proxy.example", "http://a-key-for-it-1:@proxy.example:3128"])
def test_where_there_is_no_password_the_user_is_the_secret(proxy: str) -> None:
    """Some proxies and registries take a key in its place."""
    settings = load(schema_registry_url="http://registry", schema_registry_user_info="a-key-for-it-2:")
    masker = masker_of(settings, {"https_proxy": proxy})

    assert "*** ***, *** ***" == masker.text(
        f"a-key-for-it-1 {encoded('a-key-for-it-1:')}, a-key-for-it-2 {encoded('a-key-for-it-2:')}"
    )


@pytest.mark.parametrize("proxy", ["http://proxy.example:3128", "http://[", "", "http://:@a"])
def test_a_proxy_without_a_password_has_no_secret(proxy: str) -> None:
    """Nor one whose URL nobody can read: using it is refused elsewhere."""
    assert secrets_of(load(), {}) == secrets_of(load(), {"https_proxy": proxy})


def test_what_kafka_is_given_is_known() -> None:
    """Passwords of properties, alone and behind their user; what a Java configuration holds between its quotes."""
    jaas = (
        'org.apache.kafka.common.security.plain.PlainLoginModule required username="java" '
        'password="in \\"jaas\\" 1" unused=\'single-pass-2\' ; other.Module required clientSecret=bare-secret-3;'
    )
    properties = {
        "sasl.username": "me",
        "sasl.password": "kafka-pass-0",
        "sasl.jaas.config": jaas,
        "sasl.oauthbearer.client.id": "client",
        "sasl.oauthbearer.client.secret": "oauth-secret-4",
        "ssl.key.password": "key-pass-5",
    }
    masker = masker_of(load(kafka_properties=json.dumps(properties)), {})
    said = [
        "kafka-pass-0",
        encoded("me:kafka-pass-0"),
        'in "jaas" 1',
        encoded('java:in "jaas" 1'),
        jaas,
        encoded("client:oauth-secret-4"),
        "key-pass-5",
        "bare-secret-3",
    ]

    assert ["***"] * len(said) == [masker.text(text) for text in said]
    assert "me java client" == masker.text("me java client")


def test_the_password_of_the_registry_and_the_query_of_the_url_are_known() -> None:
    """A query is shown nowhere, since it may hold a key."""
    settings = load(
        api_url="https://example.com/in?token=some-token-7",
        schema_registry_url="http://registry",
        schema_registry_user_info="reader:registry-pass",
    )

    assert "*** *** https://example.com/in?***" == masker_of(settings, {}).text(
        f"registry-pass {encoded('reader:registry-pass')} https://example.com/in?token=some-token-7"
    )


def test_the_values_of_a_query_are_known_one_by_one() -> None:
    """As a page shows them that lists what it was sent."""
    masker = masker_of(load(api_url="https://example.com/in?v=1&token=some%2Ftoken-7"), {})

    assert '{"v": "1", "token": "***"}' == masker.text('{"v": "1", "token": "some/token-7"}')


@pytest.mark.parametrize("client", ["sasl.oauthbearer.client", "sasl.oauthbearer.client.credentials.client"])
def test_what_asks_for_a_token_is_known_and_shown_without_secrets(client: str) -> None:
    """By either name that librdkafka has for it; the id of a client is no secret."""
    properties = {
        f"{client}.id": "customfit-consumer",
        f"{client}.secret": "oauth-secret-4",
        "sasl.oauthbearer.token.endpoint.url": "https://me:url-pass-5@idp.example:8443/token?key=query-key-6",
    }
    settings = load(kafka_properties=json.dumps(properties))

    assert "*** customfit-consumer *** *** idp.example" == masker_of(settings, {}).text(
        f"{encoded('customfit-consumer:oauth-secret-4')} customfit-consumer url-pass-5 query-key-6 idp.example"
    )
    assert {
        f"{client}.id": "customfit-consumer",
        f"{client}.secret": "***",
        "sasl.oauthbearer.token.endpoint.url": "https://***@idp.example:8443/token?***",
    } == settings.kafka_properties.masked()


@pytest.mark.parametrize(
    ("url", "shown"), [("https://[", "***"), ("https://idp.example/token", "https://idp.example/token"), ("", "")]
)
def test_the_url_of_a_property_is_shown_as_far_as_it_can_be_read(url: str, shown: str) -> None:
    """It is librdkafka's to refuse it."""
    settings = load(kafka_properties=json.dumps({"sasl.oauthbearer.token.endpoint.url": url}))

    assert {"sasl.oauthbearer.token.endpoint.url": shown} == settings.kafka_properties.masked()
    assert secrets_of(load(), {}) == secrets_of(settings, {})


@pytest.mark.parametrize(
    ("secret", "hidden"),
    [
        ("a1!", False),
        ("kafka", False),
        ("secret", False),
        ("9092", False),
        ("1234567", False),
        ("ab12", True),
        ("p@ss", True),
        ("letmein7", True),
        ("password", True),
        ("12345678", True),
        ("x" * 5000, True),
    ],
)
def test_a_short_secret_is_blotted_out_unless_it_is_a_word_or_a_number(secret: str, hidden: bool) -> None:
    """`***:9092` in every line would both spoil the line and tell what the password is."""
    settings = load(kafka_properties=json.dumps({"sasl.password": secret}))

    assert hidden == is_hidden(secret) == (secret in secrets_of(settings, {}))
    assert hidden == ("***:9" == masker_of(settings, {}).text(f"{secret}:9"))
