"""Which engine is opened, and what is refused before it is."""

from __future__ import annotations

import logging

import pytest

from consumer.customfit.engine import EngineUnavailable, answer_to
from consumer.customfit.opening import open_engine
from consumer.settings import load_settings
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
    ("asked", "opened"),
    [
        ({}, "httptools"),
        ({"CUSTOMFIT_HTTP_ENGINE": "auto"}, "httptools"),
        ({"CUSTOMFIT_HTTP_ENGINE": "httpx"}, "httpx"),
    ],
)
@pytest.mark.parametrize("proxy", [{}, {"HTTPS_PROXY": "http://p:1"}])
async def test_the_engine_that_is_asked_for_is_opened(
    asked: dict[str, str], opened: str, proxy: dict[str, str]
) -> None:
    """With a proxy, too; `auto` is what the default was called when there were several to choose from."""
    engine = open_engine(load_settings({"CUSTOMFIT_API_KEY": KEY} | asked), proxy)
    await engine.close()

    assert opened == engine.name


@pytest.mark.parametrize("auth", ["bearer", "query"])
async def test_the_key_is_in_no_repr_and_no_log(open_: Open, caplog: pytest.LogCaptureFixture, auth: str) -> None:
    """Not even with every logger at DEBUG."""
    caplog.set_level(logging.DEBUG)
    async with RawServer(answering()) as server:
        engine = open_(server.url, api_auth=auth)
        await answer_to(engine, BODY)
        shown = [repr(engine), repr(vars(engine).get("_target")), caplog.text]

    assert server.url in shown[0]
    assert not any(key in text for key in (KEY, ENCODED_KEY) for text in shown)
