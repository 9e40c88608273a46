"""What may be a host, in every setting that names one."""

from __future__ import annotations

import pytest

from consumer.customfit.engine import EngineUnavailable
from consumer.customfit.opening import open_engine
from consumer.settings import SettingsError, load_settings
from consumer.settings.hosts import host_problem
from tests.settings.given_settings import KEY

GOOD = [
    "localhost",
    "kafka",
    "customfit_kafka_1",
    "api.customfit.ai",
    "api.customfit.ai.",
    "xn--bcher-kva.example",
    "XN--BCHER-KVA.example",
    "127.0.0.1",
    "0.0.0.0",  # noqa: S104  as an address, nothing is bound
    "a" * 63,
    ".".join(["a" * 49] * 5),
    "3com.example",
]
BAD = {
    "registry..svc": "two dots",
    ".svc": "two dots",
    "a" * 64: "longer than 63",
    ".".join(["a" * 50] * 5): "longer than 253",
    "xn--": "stands for nothing",
    "xn--a": "stands for nothing",
    "xn--99999999999": "stands for nothing",
    "-a.example": "at an end",
    "a-.example": "at an end",
    "bücher.example": "xn--",
    "a\u0001b": "letters, digits",
    "a b": "letters, digits",
    "1.2.3": "IPv4",
    "999.1.1.1": "IPv4",
    "example.42": "IPv4",
}


@pytest.mark.parametrize("host", [*GOOD, "::1", "fe80::1%eth0"])
def test_a_host(host: str) -> None:
    """Names of containers and encoded ones among them."""
    assert host_problem(host) is None


@pytest.mark.parametrize(("host", "words"), [*BAD.items(), ("1::2::3", "IPv6"), ("", "no host")])
def test_no_host(host: str, words: str) -> None:
    """It says what is wrong."""
    assert words in (host_problem(host) or "")


def settings_with(host: str, setting: str, form: str) -> None:
    """Load them."""
    load_settings({"CUSTOMFIT_API_KEY": KEY, setting: form.format(host)})


SETTINGS = [
    ("CUSTOMFIT_API_URL", "https://{}/v1/cfe"),
    ("CUSTOMFIT_SCHEMA_REGISTRY_URL", "http://{}:8081"),
    ("CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS", "kafka:9092,{}:9092"),
    ("CUSTOMFIT_HTTP_HOST", "{}"),
]


@pytest.mark.parametrize(("setting", "form"), SETTINGS)
@pytest.mark.parametrize("host", GOOD)
def test_every_setting_takes_a_host(host: str, setting: str, form: str) -> None:
    """The same ones."""
    settings_with(host, setting, form)


@pytest.mark.parametrize(("setting", "form"), SETTINGS)
@pytest.mark.parametrize("host", BAD)
def test_every_setting_refuses_what_is_no_host(host: str, setting: str, form: str) -> None:
    """Before any library is given it."""
    with pytest.raises(SettingsError, match=setting):
        settings_with(host, setting, form)


@pytest.mark.parametrize(
    ("proxy", "words"),
    [("http://proxy..svc:3128", "with a host"), ("socks5://127.0.0.1:1080", "SOCKS proxies are not")],
)
async def test_a_proxy_that_cannot_be(proxy: str, words: str) -> None:
    """It says what is supported."""
    with pytest.raises(EngineUnavailable, match=words):
        open_engine(load_settings({"CUSTOMFIT_API_KEY": KEY}), {"HTTPS_PROXY": proxy})


@pytest.mark.parametrize(
    "text", [r'{"client.id": "a\ud800b"}', r'{"client.id": "a\u0000b"}', r'{"client\udc00.id": "a"}']
)
def test_properties_that_no_library_takes(text: str) -> None:
    """The client would end with a segmentation fault, or cut the text at the NUL."""
    with pytest.raises(SettingsError, match="half of a surrogate pair"):
        load_settings({"CUSTOMFIT_API_KEY": KEY, "CUSTOMFIT_KAFKA_PROPERTIES": text})
