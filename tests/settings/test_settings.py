"""Settings: every default and limit, what contradicts, and that no secret is shown."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
from dataclasses import FrozenInstanceError, fields, replace
from pathlib import Path
from typing import Literal, get_args, get_origin, get_type_hints

import pytest

from consumer.settings import Secret, Settings, settings_table, variable
from consumer.settings.settings import RULES
from tests.settings.given_settings import KEY, load, problem, problems, written

ROOT = Path(__file__).resolve().parents[2]
NUMBERS = [name for name, rule in RULES.items() if rule.low is not None]
# Leaves every numeric setting its whole range, whatever the others demand.
ROOM = {
    "CUSTOMFIT_IN_FLIGHT_MAX": "1",
    "CUSTOMFIT_BUFFER_BYTES_MAX": "68719476736",
    "CUSTOMFIT_RECORD_BYTES_MAX": "1000",
    "CUSTOMFIT_KAFKA_PROPERTIES": '{"max.poll.interval.ms": 86400000}',
}


# ---- defaults and the table


def test_defaults() -> None:
    """With only the key set, every setting has the default of the contract."""
    settings = load()

    assert {
        "api_key": "***",
        "api_url": "https://api.customfit.ai/v1/cfe",
        "api_auth": "bearer",
        "api_dialect": "destination",
        "api_ca_file": None,
        "destination_name": "https://api.customfit.ai/v1/cfe",
        "http_engine": "httptools",
        "kafka_bootstrap_servers": "localhost:9092",
        "kafka_topic": "segment-events",
        "kafka_group_id": "customfit-consumer",
        "kafka_start": "earliest",
        "kafka_properties": {},
        "dead_letter_topic": "segment-events.customfit-dlq",
        "state_topic": "customfit-consumer.identified-users",
        "replay_topic": "segment-events.customfit-replay",
        "value_format": "auto",
        "schema_registry_url": None,
        "schema_registry_user_info": None,
        "state_dir": "state",
        "hold_seconds": 0.0,
        "unidentified": "introduce",
        "anonymous": "skip",
        "integrations": "respect",
        "in_flight_max": 256,
        "batch_events_max": 100,
        "batch_bytes_max": 450_000,
        "request_timeout_seconds": 10.0,
        "give_up_seconds": 900.0,
        "dead_letter_ratio_max": 0.5,
        "buffer_events_max": 20_000,
        "buffer_bytes_max": 134_217_728,
        "record_bytes_max": 1_048_576,
        "known_users_max": 1_000_000,
        "commit_interval_seconds": 1.0,
        "uncommitted_events_max": 10_000,
        "drain_seconds": 15.0,
        "startup_timeout_seconds": 30.0,
        "http_host": "0.0.0.0",  # noqa: S104 the documented default
        "http_port": 9464,
        "log_level": "info",
        "log_format": "text",
    } == settings.describe()
    assert () == settings.warnings


def test_every_field_is_a_setting() -> None:
    """No field of Settings lacks a rule, but those that load_settings adds."""
    assert {field.name for field in fields(Settings)} - {"warnings", "origins"} == set(RULES)


def test_table() -> None:
    """The documentation table has a row with help for each variable, in order, `_FILE` variants included."""
    table = settings_table()

    assert [doc.variable for doc in table][:3] == ["CUSTOMFIT_API_KEY", "CUSTOMFIT_API_KEY_FILE", "CUSTOMFIT_API_URL"]
    assert len(RULES) + 3 == len(table)
    assert all(doc.help.endswith(".") and doc.limits and "\n" not in doc.help for doc in table)
    assert {"{topic}.customfit-dlq"} == {doc.default for doc in table if doc.variable == "CUSTOMFIT_DEAD_LETTER_TOPIC"}
    assert {"0 to 600 seconds"} == {doc.limits for doc in table if doc.variable == "CUSTOMFIT_HOLD_SECONDS"}


def test_documented_defaults_are_the_defaults() -> None:
    """Giving every documented default that is a plain value changes nothing."""
    plain = {
        doc.variable: doc.default for doc in settings_table() if doc.default and not RULES[_name(doc.variable)].derived
    }

    assert load() == load(plain)


def _name(environment_variable: str) -> str:
    return environment_variable.removeprefix("CUSTOMFIT_").lower()


def test_derived_defaults() -> None:
    """The other topics follow the topic, the destination's name the URL without its query."""
    settings = load(kafka_topic="orders", api_url="https://example.com/in?app=7")

    assert "orders.customfit-dlq" == settings.dead_letter_topic
    assert "orders.customfit-replay" == settings.replay_topic
    assert "https://example.com/in" == settings.destination_name
    assert "other" == load(destination_name="other").destination_name


def test_derived_default_that_does_not_fit() -> None:
    """A derived default can be wrong too, and the message says what it came from."""
    first, second = problems(kafka_topic="t" * 240)

    assert first.startswith("CUSTOMFIT_DEAD_LETTER_TOPIC (default, from CUSTOMFIT_KAFKA_TOPIC): ")
    assert first.endswith("has 254 characters; use at most 249")
    assert second.startswith("CUSTOMFIT_REPLAY_TOPIC (default, from CUSTOMFIT_KAFKA_TOPIC): ")


def test_import_is_light() -> None:
    """The health check imports settings alone: no Kafka, no HTTP client, no command line."""
    heavy = "{'confluent_kafka', 'httpx', 'typer', 'rich', 'asyncio', 'msgspec', 'fastavro', 'prometheus_client'}"
    code = f"import sys, consumer.settings.settings; print(sorted({heavy} & sys.modules.keys()))"

    assert (
        "[]\n"
        == subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    )


# ---- numbers and choices


def test_promised_limits() -> None:
    """The limits that users were promised, literally."""
    assert {
        "hold_seconds": "0 to 600 seconds",
        "in_flight_max": "1 to 4096 requests",
        "batch_events_max": "1 to 2500 events",
        "batch_bytes_max": "1000 to 100000000 bytes",
        "request_timeout_seconds": "0.1 to 300 seconds",
        "give_up_seconds": "1 to 604800 seconds",
        "dead_letter_ratio_max": "more than 0, at most 1",
        "buffer_events_max": "1 to 10000000 events",
        "buffer_bytes_max": "1000 to 68719476736 bytes",
        "record_bytes_max": "1000 to 1000000000 bytes",
        "known_users_max": "0 to 10000000 users",
        "commit_interval_seconds": "0.01 to 60 seconds",
        "uncommitted_events_max": "2 to 10000000 events",
        "drain_seconds": "0 to 3600 seconds",
        "startup_timeout_seconds": "1 to 3600 seconds",
        "http_port": "0 to 65535",
    } == {name: RULES[name].limits for name in NUMBERS}


@pytest.mark.parametrize("name", NUMBERS)
def test_limits_are_accepted(name: str) -> None:
    """The lowest and the highest value of each number are fine."""
    rule = RULES[name]
    assert rule.low is not None
    assert rule.high is not None
    for number in (rule.low + 0.001 if rule.low_excluded else rule.low, rule.high):
        settings = load(ROOM, **{name: f"{number:.15g}"})

        assert number == getattr(settings, name)


@pytest.mark.parametrize("name", NUMBERS)
def test_just_outside_is_refused(name: str) -> None:
    """A step below the lowest or above the highest value is one problem with setting, source and remedy."""
    rule = RULES[name]
    assert rule.low is not None
    assert rule.high is not None
    step = 1 if rule.default == str(rule.parse(rule.default)) else 0.001
    below = rule.low if rule.low_excluded else rule.low - step
    for number, wrong in ((below, "not above" if rule.low_excluded else "below"), (rule.high + step, "above")):
        text = problem(ROOM, **{name: f"{number:.15g}"})

        assert text.startswith(f"{variable(name)} (environment): {number:.15g} is {wrong} ")
        assert text.endswith(f"; use {rule.limits}")


def test_message_of_a_limit() -> None:
    """The wording, once in full."""
    assert "CUSTOMFIT_IN_FLIGHT_MAX (environment): 0 is below 1; use 1 to 4096 requests" == problem(in_flight_max="0")


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("text", ["12kB", "1_000", "nan", "inf", "0x10", "1e3", "\u0661", "1,5", " 1", "9" * 5000])
def test_only_plain_numbers(name: str, text: str) -> None:
    """Units, separators, exponents and other digits are refused with the range to use."""
    message = problem(ROOM, **{name: text})

    assert message.startswith(f"{variable(name)} (environment): ")
    assert message.endswith(f"; use {RULES[name].limits}")


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


# ---- between settings


@pytest.mark.parametrize(
    ("settings", "first", "second"),
    [
        ({"buffer_events_max": "255"}, "BUFFER_EVENTS_MAX (environment): 255", "IN_FLIGHT_MAX (default), which is 256"),
        ({"in_flight_max": "300", "buffer_events_max": "299"}, "BUFFER_EVENTS_MAX", "IN_FLIGHT_MAX (environment)"),
        ({"record_bytes_max": "134217729"}, "BUFFER_BYTES_MAX (default)", "RECORD_BYTES_MAX (environment)"),
        ({"dead_letter_topic": "segment-events"}, "DEAD_LETTER_TOPIC (environment)", "KAFKA_TOPIC (default)"),
        ({"replay_topic": "segment-events"}, "REPLAY_TOPIC (environment)", "KAFKA_TOPIC (default)"),
        (
            {"replay_topic": "a.customfit-dlq", "kafka_topic": "a"},
            "REPLAY_TOPIC (environment)",
            "DEAD_LETTER_TOPIC (default, from CUSTOMFIT_KAFKA_TOPIC)",
        ),
        ({"drain_seconds": "290"}, "DRAIN_SECONDS (environment): 290 s", "KAFKA_PROPERTIES (default)"),
        (
            {"kafka_properties": '{"max.poll.interval.ms": 25000, "session.timeout.ms": 6000}'},
            "DRAIN_SECONDS (default): 15 s and 10 s for the commit do not fit max.poll.interval.ms, 25 s",
            "use less than 15 or raise max.poll.interval.ms",
        ),
    ],
)
def test_conflicts(settings: dict[str, str], first: str, second: str) -> None:
    """Two settings that contradict each other are both named, each with its source."""
    message = problem(**settings)

    assert message.startswith(f"CUSTOMFIT_{first}")
    assert second in message


@pytest.mark.parametrize(
    "settings",
    [
        {"buffer_events_max": "256"},
        {"record_bytes_max": "134217728"},
        {"drain_seconds": "289.9"},
        {"kafka_properties": '{"max.poll.interval.ms": 25001, "session.timeout.ms": 20000}'},
    ],
)
def test_no_conflict_at_the_edge(settings: dict[str, str]) -> None:
    """The last value that fits is accepted."""
    assert () == load(**settings).warnings


def test_all_problems_at_once() -> None:
    """Nothing hides behind the first problem, and a wrong setting starts no chain of others."""
    found = problems(
        {"CUSTOMFIT_HOLD_SECOND": "1"}, in_flight_max="0", kafka_topic="a b", log_level="loud", kafka_properties="[]"
    )

    assert [
        "CUSTOMFIT_HOLD_SECOND",
        "CUSTOMFIT_KAFKA_TOPIC",
        "CUSTOMFIT_KAFKA_PROPERTIES",
        "CUSTOMFIT_IN_FLIGHT_MAX",
        "CUSTOMFIT_LOG_LEVEL",
    ] == [line.split()[0] for line in found]


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


# ---- secrets


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


def test_settings_do_not_change() -> None:
    """Neither a field nor a property can be set."""
    settings = load()
    with pytest.raises(FrozenInstanceError):
        settings.hold_seconds = 1.0  # type: ignore[misc]
    with pytest.raises(TypeError):
        settings.kafka_properties["client.id"] = "x"  # type: ignore[index]


# --- the schema registry


def test_the_schema_registry() -> None:
    """Its URL without the last slash, and a password that is never shown."""
    settings = load(schema_registry_url="https://registry.example.com/api/", schema_registry_user_info=f"me:{KEY}")

    assert "https://registry.example.com/api" == settings.schema_registry_url
    assert settings.schema_registry_user_info is not None
    assert f"me:{KEY}" == settings.schema_registry_user_info.reveal()
    assert KEY not in repr(settings)
    assert KEY not in str(settings.describe())
    assert () == settings.warnings


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        (
            "schema_registry_url",
            f"https://me:{KEY}@example.com",
            "put user:password in CUSTOMFIT_SCHEMA_REGISTRY_USER_",
        ),
        ("schema_registry_url", f"https://example.com/?key={KEY}", "has a query"),
        ("schema_registry_url", "example.com", "does not start with https:// or http://"),
        ("schema_registry_user_info", KEY, "not user:password on one line"),
        ("schema_registry_user_info", f":{KEY}", "not user:password on one line"),
        ("schema_registry_user_info", f"me:{KEY}\n", "not user:password on one line"),
        ("value_format", "avor", "did you mean avro?"),
    ],
)
def test_bad_registries(name: str, text: str, words: str) -> None:
    """What is wrong is said without what is secret."""
    message = problem(**{name: text})

    assert words in message
    assert KEY not in message


def test_a_registry_password_in_clear_text() -> None:
    """Is warned of, unless it stays on this machine."""
    for host, count in (("registry.example.com", 1), ("127.0.0.1", 0), ("localhost", 0)):
        settings = load(schema_registry_url=f"http://{host}:8081", schema_registry_user_info="me:secret")

        assert count == len([warning for warning in settings.warnings if "the registry's password" in warning])
