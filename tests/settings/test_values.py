"""Settings: words, names, addresses and files, each refused when it is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args, get_origin, get_type_hints

import pytest

from consumer.settings import Settings, variable
from consumer.settings.settings import RULES
from tests.settings.given_settings import KEY, load, problem, written


@pytest.mark.parametrize(
    ("name", "options"),
    [(name, get_args(type_)) for name, type_ in get_type_hints(Settings).items() if get_origin(type_) is Literal],
)
def test_choices(name: str, options: tuple[str, ...]) -> None:
    """Each word of its type is accepted in any case, the first is the default; another is refused, not repeated."""
    assert options[0] == getattr(load(), name)
    for option in options:
        assert option == getattr(load(**{name: option.upper()}), name)
    assert f"{variable(name)} (environment): not one of {', '.join(options)}; use one of these" == problem(
        **{name: "0123456789"}
    )


def test_choice_near_miss() -> None:
    """A near miss names the word that was meant."""
    assert problem(log_level="warn").endswith("; did you mean warning?")


@pytest.mark.parametrize("topic", ["a", "A.b_c-9", "x" * 249])
def test_topic_names(topic: str) -> None:
    """Kafka's own rule for topic names."""
    assert topic == load(dead_letter_topic=topic, kafka_group_id=topic, state_topic="s").dead_letter_topic


@pytest.mark.parametrize("topic", [".", "..", "a b", "a/b", "ü", "x" * 250, "a\n"])
@pytest.mark.parametrize("name", ["kafka_topic", "kafka_group_id", "dead_letter_topic", "replay_topic"])
def test_bad_topic_names(name: str, topic: str) -> None:
    """What Kafka does not take is refused before Kafka is asked."""
    assert problem(**{name: topic}).startswith(f"{variable(name)} (environment): ")


@pytest.mark.parametrize(
    ("text", "servers"),
    [
        ("kafka", "kafka"),
        ("a:9092, b:9093 ,c:1", "a:9092,b:9093,c:1"),
        ("[::1]:9092", "[::1]:9092"),
        ("SASL_SSL://a.example:9092", "SASL_SSL://a.example:9092"),
    ],
)
def test_brokers(text: str, servers: str) -> None:
    """A list of brokers loses its spaces."""
    assert servers == load(kafka_bootstrap_servers=text).kafka_bootstrap_servers


@pytest.mark.parametrize("text", ["a:9092,", ",", "a:0", "a:65536", "a:b", "a b:1", "http://a:1"])
def test_bad_brokers(text: str) -> None:
    """What is no broker address is refused."""
    assert problem(kafka_bootstrap_servers=text).startswith("CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS (environment): ")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("api.customfit.ai/v1/cfe", "does not start with https://"),
        ("ftp://example.com/", "does not start with https://"),
        ("https:///v1", "names no host"),
        ("https://example.com:0/", "port 0"),
        ("https://example.com:99999/", "can't be read"),
        ("https://[::1/", "can't be read"),
        ("https://example.com/#x", "# part"),
        ("https://example.com/#", "# part"),
        ("https://example.com/a b", "percent-encode"),
        ("https://example.com/\n", "percent-encode"),
        (f"https://{KEY}@example.com/", "put the key in CUSTOMFIT_API_KEY"),
        (f"https://user:{KEY}@example.com/", "put the key in CUSTOMFIT_API_KEY"),
        (f"https://example.com/?cfenc={KEY}", "set CUSTOMFIT_API_KEY and CUSTOMFIT_API_AUTH=query"),
    ],
)
def test_bad_urls(text: str, words: str) -> None:
    """Each kind of wrong URL is told apart, and never repeated, because a key may be in it."""
    message = problem(api_url=text)

    assert message.startswith("CUSTOMFIT_API_URL (environment): ")
    assert words in message
    assert KEY not in message


@pytest.mark.parametrize("name", [name for name in RULES if name != "api_key"])
def test_set_but_empty(name: str) -> None:
    """An empty variable is a mistake (a substitution that failed), not a wish for the default."""
    assert problem(**{name: ""}).endswith(": set but empty; give it a value, or remove it to have the default")


def test_quotes_around_a_value() -> None:
    """Quotes that docker's --env-file keeps are named as what is wrong."""
    assert "quotes around it are part of the value" in problem(kafka_topic='"segment-events"')


def test_ca_file(tmp_path: Path) -> None:
    """The file of certificates must be readable now, not at the first request."""
    certificates = written(tmp_path / "ca.pem", "")

    assert certificates == load(api_ca_file=str(certificates)).api_ca_file
    assert "No such file or directory" in problem(api_ca_file=str(tmp_path / "none"))
    assert "Is a directory" in problem(api_ca_file=str(tmp_path))


def test_state_dir_is_not_touched(tmp_path: Path) -> None:
    """Settings create nothing."""
    folder = tmp_path / "state"

    assert folder == load(state_dir=str(folder)).state_dir
    assert not folder.exists()
