"""CUSTOMFIT_FORWARD_HEADERS: which names it takes, however they are written, and which it refuses at the start."""

from __future__ import annotations

from pathlib import Path

import pytest

from consumer.settings.header_names import NAME_CHARACTERS_MAX, NAMES_MAX, REFUSED, REFUSED_BEGINNINGS
from tests.settings.given_settings import load, problem, problems, written

WHERE = "CUSTOMFIT_FORWARD_HEADERS (environment): "


def test_nothing_is_forwarded_by_default() -> None:
    """Off is None: what is off costs one look."""
    assert None is load().forward_headers
    assert None is load().describe()["forward_headers"]


@pytest.mark.parametrize("text", ["traceparent,X-Team", "traceparent , X-Team", '["traceparent", "X-Team"]'])
def test_names_are_a_list_with_commas_or_a_json_array(text: str) -> None:
    """As they are written, in their order; shown as a list with commas."""
    assert ("traceparent", "X-Team") == load(forward_headers=text).forward_headers
    assert "traceparent,X-Team" == load(forward_headers=text).describe()["forward_headers"]


def test_a_file_may_have_an_array(tmp_path: Path) -> None:
    """TOML has arrays."""
    toml = written(tmp_path / "c.toml", 'forward_headers = ["traceparent", "x-team"]')

    assert ("traceparent", "x-team") == load({}, toml).forward_headers


@pytest.mark.parametrize(
    "name",
    [
        *REFUSED,
        *(f"{beginning}anything" for beginning in REFUSED_BEGINNINGS),
        "Host",
        "AUTHORIZATION",
        "Content-Length",
        "Content_Length",
        "Transfer_Encoding",
        "X_Forwarded_For",
        "Content.Length",
        "transfer!encoding",
        "X~Forwarded*For",
        "X-Api-Key",
        "X-Auth-Request-User",
        "Cookie",
        "Proxy-Authorization",
        "Accept-Encoding",
        "Expect",
    ],
)
def test_what_matters_to_http_or_to_us_is_refused(name: str) -> None:
    """In any case, and with another sign for `-`, which CGI makes one of; the message says why."""
    message = problem(forward_headers=name)

    assert message.startswith(f"{WHERE}'{name}' ")
    assert message.endswith("; leave it out, or have producers use another name")


@pytest.mark.parametrize("name", ["traceparent", "tracestate", "baggage", "b3", "X-Request-ID", "x-amzn-trace-id"])
def test_names_that_people_want_are_taken(name: str) -> None:
    """Traces and ids."""
    assert (name,) == load(forward_headers=name).forward_headers


@pytest.mark.parametrize(
    "name", ["a b", "a:", "a\r\nHost: evil", "a\nb", "näme", "a\0", "(x)", "a/b", '"x"y', "a\N{KELVIN SIGN}"]
)
def test_what_is_no_name_of_http_is_refused(name: str) -> None:
    """A name with a line end would be another header."""
    assert "can't be the name of an HTTP header" in problem(forward_headers=f"x-first,{name},x-last")


@pytest.mark.parametrize("text", ['["a\\n"]', '["\\ta"]', '[" a"]'])
def test_an_array_has_names_as_they_are(text: str) -> None:
    """White space beside a comma is dropped, but what stands in an array is meant."""
    assert "can't be the name of an HTTP header" in problem(forward_headers=text)
    assert ("a", "b") == load(forward_headers="a,\n  b\n").forward_headers


@pytest.mark.parametrize("text", ["a,,b", "a,", ","])
def test_an_empty_name_is_refused(text: str) -> None:
    """It is a mistake of writing."""
    assert problems(forward_headers=text)[0].startswith(f"{WHERE}'' can't be the name of an HTTP header")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[]", "names no header; name some, or remove it"),
        ('["a", 1]', "holds something else than names; write an array of texts"),
        ('["a"', "is no JSON array of names; write the names with commas between them"),
        ("[" * 100_000, "is no JSON array of names; write the names with commas between them"),
        ("a,B,b", "'b' is there twice, and HTTP knows no case; keep one"),
        (",".join(f"h{n}" for n in range(NAMES_MAX + 1)), "17 names are more than 16; keep those that are needed"),
        ("x" * (NAME_CHARACTERS_MAX + 1), "has 101 characters; use at most 100"),
    ],
)
def test_what_is_no_such_list_is_refused(text: str, words: str) -> None:
    """Each for what it is."""
    assert problem(forward_headers=text).endswith(words)


def test_as_many_names_as_there_may_be() -> None:
    """The limits themselves are within."""
    names = [f"h{n}" for n in range(NAMES_MAX - 1)] + ["x" * NAME_CHARACTERS_MAX]

    assert tuple(names) == load(forward_headers=",".join(names)).forward_headers


def test_all_that_is_wrong_is_told_at_once() -> None:
    """A line for each name."""
    assert ["'Host'", "'a b'", "'te'"] == [
        line.removeprefix(WHERE).split(" can't ")[0].split(" says ")[0].split(" makes ")[0]
        for line in problems(forward_headers="Host,x-good,a b,te")
    ]
