"""Settings: where values come from, unknown names, service links, the key and its file."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.settings import SettingsError, load_settings, variable
from consumer.settings.settings import RULES
from tests.settings.given_settings import KEY, load, problem, problems, written


def test_precedence(tmp_path: Path) -> None:
    """The environment wins over the file, the file over the default; each setting knows where it came from."""
    toml = written(tmp_path / "c.toml", 'kafka_topic = "file"\nhold_seconds = 5\nin_flight_max = "7"\n')
    settings = load({}, toml, kafka_topic="environment")

    assert ("environment", 5.0, 7, 100) == (
        settings.kafka_topic,
        settings.hold_seconds,
        settings.in_flight_max,
        settings.batch_events_max,
    )
    assert "CUSTOMFIT_KAFKA_TOPIC (environment)" == settings.origin("kafka_topic")
    assert f"CUSTOMFIT_HOLD_SECONDS (hold_seconds in {toml})" == settings.origin("hold_seconds")
    assert "CUSTOMFIT_BATCH_EVENTS_MAX (default)" == settings.origin("batch_events_max")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("in_flight_max = 0", "0 is below 1; use 1 to 4096 requests"),
        ("in_flight_max = true", "true or false is neither text nor a number"),
        ("in_flight_max = [1]", "a list is neither text nor a number"),
        ("in_flight_max = 1979-05-27", "a date or time is neither text nor a number"),
        ("kafka_topic = {a = 1}", "a table is neither text nor a number"),
        ("in_flight_max = 1.0", "'1.0' is not a whole number"),
        ("hold_seconds = inf", "'inf' is not a number"),
        ("hold_seconds = nan", "'nan' is not a number"),
    ],
)
def test_wrong_values_in_toml(tmp_path: Path, line: str, words: str) -> None:
    """A problem in the file names the file and the key."""
    toml = written(tmp_path / "c.toml", line)
    key = line.partition(" ")[0]
    message = problem({}, toml)

    assert message.startswith(f"{variable(key)} ({key} in {toml}): ")
    assert words in message


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"a = ?\n", "line 1"), (b"\xff", "not UTF-8"), (b"#" * 1_048_577, "more than"), (None, "No such")],
)
def test_unusable_toml(tmp_path: Path, content: bytes | None, words: str) -> None:
    """A file that is absent or not TOML is one problem."""
    toml = tmp_path / "c.toml"
    if content is not None:
        toml.write_bytes(content)
    message = problem({}, toml)

    assert message.startswith(f"--config: {toml} ")
    assert words in message


@pytest.mark.parametrize(
    ("given_name", "meant"),
    [
        ("CUSTOMFIT_HOLD_SECOND", "CUSTOMFIT_HOLD_SECONDS"),
        ("CUSTOMFIT_TOPIC", "CUSTOMFIT_KAFKA_TOPIC"),
        ("CUSTOMFIT_APIKEY", "CUSTOMFIT_API_KEY"),
        ("CUSTOMFIT_API_KEYFILE", "CUSTOMFIT_API_KEY_FILE"),
        ("CUSTOMFIT_Http_Port", "CUSTOMFIT_HTTP_PORT"),
    ],
)
def test_unknown_variable(given_name: str, meant: str) -> None:
    """A misspelt variable is refused and the one that was meant is named; its value is not repeated."""
    assert (
        f"{given_name} (environment): no such setting; the nearest known one is {meant}: correct or remove it"
        == problem({given_name: "canary-value"})
    )


def test_unknown_key(tmp_path: Path) -> None:
    """The same for a key of the file, also when it is written as a variable."""
    toml = written(tmp_path / "c.toml", 'CUSTOMFIT_HOLD_SECONDS = 1\n[kafka]\ntopic = "x"\n')
    found = problems({}, toml)

    assert found[0].startswith(
        f"CUSTOMFIT_HOLD_SECONDS in {toml}: no such setting; the nearest known one is hold_seconds"
    )
    assert found[1].startswith(f"kafka in {toml}: no such setting; ")


@pytest.mark.parametrize(
    "name",
    [
        "CUSTOMFIT_SERVICE_HOST",
        "CUSTOMFIT_METRICS_SERVICE_HOST",
        "CUSTOMFIT_METRICS_SERVICE_PORT",
        "CUSTOMFIT_METRICS_SERVICE_PORT_HTTP",
        "CUSTOMFIT_METRICS_PORT_9464_TCP",
        "CUSTOMFIT_METRICS_PORT_9464_TCP_ADDR",
        "CUSTOMFIT_PORT_53_UDP_PORT",
    ],
)
def test_injected_variables_are_ignored(name: str) -> None:
    """What a container platform injects for its services is nobody's mistake."""
    assert load() == load({name: "10.0.0.1"})


def test_injected_port_is_ignored_when_it_is_an_address() -> None:
    """`X_PORT` is ignored when a service link set it, and refused otherwise."""
    assert load() == load({"CUSTOMFIT_METRICS_PORT": "tcp://10.0.0.1:9464"})
    assert "CUSTOMFIT_HTTP_PORT" in problem({"CUSTOMFIT_HTP_PORT": "9464"})


def test_service_link_in_a_known_setting() -> None:
    """A Service called customfit-http injects CUSTOMFIT_HTTP_PORT; the message explains it."""
    message = problem(http_port="tcp://10.0.0.1:9464")

    assert message.startswith("CUSTOMFIT_HTTP_PORT (environment): ")
    assert "a Service called customfit-http; set enableServiceLinks: false" in message


# ---- the key


def test_key_is_needed_unless_said_otherwise() -> None:
    """`run` needs the key; `lag` and `health` do not."""
    with pytest.raises(SettingsError) as raised:
        load_settings({})
    [message] = raised.value.problems

    assert message.startswith("CUSTOMFIT_API_KEY (not set): ")
    assert message.endswith("; set it, or name a file that holds it in CUSTOMFIT_API_KEY_FILE")
    assert not load_settings({}, api_key_required=False).api_key
    assert "" == load_settings({}, api_key_required=False).describe()["api_key"]


@pytest.mark.parametrize("newline", ["", "\n", "\r\n"])
def test_key_from_a_file(tmp_path: Path, newline: str) -> None:
    """One newline at the end of the file is not part of the key."""
    file = tmp_path / "key"
    file.write_bytes(f"{KEY}{newline}".encode())
    settings = load_settings({"CUSTOMFIT_API_KEY_FILE": str(file)})

    assert KEY == settings.api_key.reveal()
    assert "CUSTOMFIT_API_KEY_FILE (environment)" == settings.origin("api_key")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "No such file or directory"),
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"short", "shorter than 8 characters"),
        (b"canary key", "white space at position 7"),
        (b"canary-key\n\n", "white space at position 11"),
        (b"canary-\x00key", "a control or non-ASCII character at position 8"),
        ("canary-kéy".encode(), "a control or non-ASCII character at position 9"),
        (b"canary-\xffkey", "not UTF-8 text at byte 7"),
        (b"k" * 5000, "longer than 4096 characters"),
        (b"k" * 2_000_000, "more than 1048576 bytes"),
    ],
)
def test_unusable_key_files(tmp_path: Path, content: bytes | None, words: str) -> None:
    """Each way a key file can be wrong is told apart, without any of its content."""
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsError) as raised:
        load_settings({"CUSTOMFIT_API_KEY_FILE": str(file)})
    [message] = raised.value.problems

    assert message.startswith("CUSTOMFIT_API_KEY_FILE (environment): ")
    assert words in message
    assert "canary" not in message.replace(str(tmp_path), "")


@pytest.mark.parametrize("value", [KEY, f"/{KEY}", f"canary/{KEY}/x", f'{{"sasl.password": "{KEY}"}}', KEY * 500])
@pytest.mark.parametrize("name", ["api_key_file", "kafka_properties_file"])
def test_secret_in_place_of_its_file(name: str, value: str) -> None:
    """Somebody will put the key itself where the path of its file belongs: it is not taken for a path and shown."""
    with pytest.raises(SettingsError) as raised:
        load_settings({variable(name): value}, api_key_required=False)
    [message] = raised.value.problems

    assert message.startswith(f"{variable(name)} (environment): the file it names can't be read (")
    assert KEY not in message


def test_key_twice(tmp_path: Path) -> None:
    """The key and its file at once is a mistake; over two sources the environment wins."""
    file = written(tmp_path / "key", KEY + "-file")
    toml = written(tmp_path / "c.toml", f'api_key_file = "{file}"')

    assert (
        "CUSTOMFIT_API_KEY (environment) and CUSTOMFIT_API_KEY_FILE (environment): both are set; keep one"
        == problem(api_key_file=str(file))
    )
    assert KEY == load({}, toml).api_key.reveal()
    assert KEY + "-file" == load_settings({}, toml).api_key.reveal()


# ---- anything at all


@given(
    st.dictionaries(st.sampled_from([*RULES, "api_key_file", "kafka_properties_file", "x\n"]), st.text(), max_size=4)
)
def test_any_text_is_a_value_or_a_problem(settings: dict[str, str]) -> None:
    """No text makes loading fail otherwise, and each problem is one printable line with a name and a remedy."""
    found: list[str] = []
    try:
        load_settings({variable(name): value for name, value in settings.items()}, api_key_required=False)
    except SettingsError as error:
        found = str(error).split("\n")

    assert [] == [line for line in found if not (line.isprintable() and line.startswith("CUSTOMFIT_"))]
    assert [] == [line for line in found if not (": " in line and ";" in line)]
