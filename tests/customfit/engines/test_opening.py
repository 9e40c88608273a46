"""Which engine is opened, and what is refused before it is."""

from __future__ import annotations

import logging
import sys

import pytest

from consumer.customfit.target import EngineUnavailable, open_engine
from tests.customfit.engines.given_engine import BODY, ENCODED_KEY, KEY, Open, settings_for
from tests.fakes.servers import RawServer, answering


@pytest.mark.parametrize(
    ("environ", "variable"),
    [
        ({"HTTP_PROXY": "socks5://me:secret@p:1"}, "HTTP_PROXY"),
        ({"HTTP_PROXY": "http://me:secret@p:99999"}, "HTTP_PROXY"),
        ({"all_proxy": "http://:secret@"}, "all_proxy"),
    ],
)
def test_a_proxy_that_no_engine_can_use_is_refused(engine_name: str, environ: dict[str, str], variable: str) -> None:
    """The message names the variable and shows no password."""
    with pytest.raises(EngineUnavailable, match=variable) as raised:
        open_engine(settings_for("http://a/", http_engine=engine_name), environ)

    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("installed", "environ", "name"),
    [
        (("httptools", "pyreqwest"), {}, "httptools"),
        (("httptools", "pyreqwest"), {"HTTP_PROXY": "http://p:1"}, "pyreqwest"),
        (("httptools",), {"HTTP_PROXY": "http://p:1"}, "httpx"),
        (("pyreqwest",), {}, "pyreqwest"),
        ((), {}, "httpx"),
    ],
)
async def test_auto_takes_the_fastest_that_can_do_it(
    monkeypatch: pytest.MonkeyPatch, installed: tuple[str, ...], environ: dict[str, str], name: str
) -> None:
    """Httptools connects directly only; without the extra `fast` there is httpx."""
    for module in ("httptools", "pyreqwest"):
        if module in installed:
            pytest.importorskip(module)
        else:
            monkeypatch.setitem(sys.modules, module, None)
            monkeypatch.setitem(sys.modules, f"{module}.client", None)
    engine = open_engine(settings_for("http://a/"), environ)
    await engine.close()

    assert name == engine.name


@pytest.mark.parametrize("name", ["httptools", "pyreqwest"])
def test_an_engine_that_is_asked_for_must_be_installed(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The message says how to install it."""
    monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, f"{name}.client", None)

    with pytest.raises(EngineUnavailable, match=rf"CUSTOMFIT_HTTP_ENGINE={name}: .*customfit-consumer\[fast\]"):
        open_engine(settings_for("http://a/", http_engine=name), {})


@pytest.mark.parametrize("auth", ["bearer", "query"])
async def test_the_key_is_in_no_repr_and_no_log(open_: Open, caplog: pytest.LogCaptureFixture, auth: str) -> None:
    """Not even with every logger at DEBUG."""
    caplog.set_level(logging.DEBUG)
    async with RawServer(answering()) as server:
        engine = open_(server.url, api_auth=auth)
        await engine.post(BODY)
        shown = [repr(engine), repr(vars(engine).get("_target")), caplog.text]

    assert server.url in shown[0]
    assert not any(key in text for key in (KEY, ENCODED_KEY) for text in shown)
