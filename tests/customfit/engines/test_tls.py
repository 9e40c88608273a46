"""Whom an engine trusts."""

from __future__ import annotations

from pathlib import Path

import pytest

from consumer.customfit.answers import Answered, NoAnswer
from consumer.customfit.engine import EngineUnavailable, answer_to
from consumer.customfit.opening import open_engine
from tests.customfit.engines.given_engine import BODY, Open, settings_for
from tests.fakes.servers import RawServer, TlsFiles, answering


async def test_an_own_ca_is_trusted_when_given(open_: Open, tls: TlsFiles) -> None:
    """CUSTOMFIT_API_CA_FILE makes a server with a certificate from it acceptable; without it nothing is sent."""
    async with RawServer(answering(200, b"ok"), tls=tls.context) as server:
        trusting = await answer_to(open_(server.url, api_ca_file=tls.ca, request_timeout_seconds=5), BODY)
        distrusting = await answer_to(open_(server.url, request_timeout_seconds=5), BODY)

    assert trusting == Answered(200, None, b"ok")
    assert isinstance(distrusting, NoAnswer)
    assert distrusting.kind == "connect_error"
    assert "certificate" in distrusting.detail
    assert len(server.requests) == 1


async def test_the_host_name_is_verified(open_: Open, tls: TlsFiles) -> None:
    """A certificate for another name from a trusted CA is refused."""
    async with RawServer(answering(), tls=tls.context) as server:
        url = server.url.replace("127.0.0.1", "localhost")
        answer = await answer_to(open_(url, api_ca_file=tls.ca, request_timeout_seconds=5), BODY)

    assert isinstance(answer, NoAnswer)
    assert answer.kind == "connect_error"
    assert server.requests == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot read"),
        ("", "holds no PEM certificate"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "damaged"),
        ("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n", "damaged"),
    ],
)
def test_a_bad_ca_file_is_refused(engine_name: str, tmp_path: Path, content: str | None, said: str) -> None:
    """The message names the setting and what is wrong with the file."""
    ca_file = tmp_path / "ca.pem"
    if content is not None:
        ca_file.write_text(content, encoding="ascii")

    with pytest.raises(EngineUnavailable, match=f"CUSTOMFIT_API_CA_FILE: .*{said}"):
        open_engine(settings_for("https://x.invalid/", http_engine=engine_name, api_ca_file=ca_file), {})
