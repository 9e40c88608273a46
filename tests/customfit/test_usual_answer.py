"""An answer that is read at a glance: only what nobody could read in another way."""

from __future__ import annotations

import pytest

from consumer.customfit.usual_answer import HEADS_MAX, Usual, UsualAnswers

USUAL = b"HTTP/1.1 200 OK\r\nDate: Sun, 29 Nov 2026 10:00:00 GMT\r\nContent-Length: 2\r\n\r\nok"


def read(data: bytes) -> Usual | None:
    """Read it twice: the second time its head is known."""
    answers = UsualAnswers()
    first, second = answers.read(data), answers.read(data)
    assert first == second
    return first


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (USUAL, Usual(200, b"ok")),
        (USUAL.replace(b"Content-Length: 2", b"content-length:2").replace(b"200 OK", b"202 "), Usual(202, b"ok")),
        (b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\nServer: a\x80\r\n\r\n", Usual(201, b"")),
    ],
)
def test_what_is_usual(data: bytes, expected: Usual) -> None:
    """2xx with a length, whole."""
    assert expected == read(data)


@pytest.mark.parametrize(
    "data",
    [
        *(pytest.param(USUAL[:length], id=f"the first {length} bytes") for length in range(len(USUAL))),
        pytest.param(b"\r\n", id="an empty line"),
        pytest.param(USUAL.replace(b"\r\n\r\n", b"\r\nX: " + b"x" * 4096 + b"\r\n\r\n"), id="a long head"),
        pytest.param(USUAL + b"H", id="more follows"),
        pytest.param(USUAL + USUAL, id="twice"),
        pytest.param(USUAL.replace(b"200", b"503"), id="503"),
        pytest.param(USUAL.replace(b"200", b"100"), id="100"),
        pytest.param(USUAL.replace(b"200", b"204"), id="204 has no body"),
        pytest.param(USUAL.replace(b"HTTP/1.1", b"HTTP/1.0"), id="HTTP/1.0"),
        pytest.param(USUAL.replace(b"\r\n", b"\n"), id="bare LF"),
        pytest.param(USUAL.replace(b"Date:", b"Date :"), id="a blank before the colon"),
        pytest.param(USUAL.replace(b"Date:", b"\r\n Date:"), id="a folded line"),
        pytest.param(USUAL.replace(b"Date: ", b"Date: \0"), id="a control character"),
        pytest.param(USUAL.replace(b"Length: 2", b"Length: +2"), id="a sign"),
        pytest.param(USUAL.replace(b"Length: 2", b"Length: 2, 2"), id="a list of lengths"),
        *(
            pytest.param(USUAL.replace(b"Date:", b"Content-Length:%b\r\nDate:" % other), id=f"two lengths, {other!r}")
            for other in (b" 2", b"", b" 0x2", b" -1", b" 2, 2", b" 1000000")
        ),
        pytest.param(USUAL.replace(b"Content-Length: 2\r\n", b""), id="no length"),
        pytest.param(USUAL.replace(b"Date:", b"Connection: close\r\nDate:"), id="it closes"),
        pytest.param(USUAL.replace(b"Date:", b"TRANSFER-ENCODING: chunked\r\nDate:"), id="chunks"),
        pytest.param(USUAL.replace(b"Date:", b"Upgrade: h2c\r\nDate:"), id="another protocol"),
    ],
)
def test_what_is_not_is_left_to_the_parser(data: bytes) -> None:
    """Which knows more, and says what is wrong with it."""
    assert read(data) is None


def test_few_heads_are_remembered() -> None:
    """Each second has another date, and a server may say a random number in each answer."""
    answers = UsualAnswers()
    for number in range(3 * HEADS_MAX):
        assert Usual(200, b"") == answers.read(b"HTTP/1.1 200 OK\r\nX-Id: %d\r\nContent-Length: 0\r\n\r\n" % number)

    assert len(answers._heads) <= HEADS_MAX
