"""The end of each command's help: examples, and the settings that matter to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

AS_IT_IS: Final = "\b"
"""Stands before a paragraph of help whose lines must not be joined."""


class Example(NamedTuple):
    """A command as it is typed, and what it is for."""

    command: str
    what: str


class Shown(NamedTuple):
    """What one command shows."""

    examples: Sequence[Example]
    settings: Sequence[str] = ()


KAFKA: Final = ("kafka_bootstrap_servers", "kafka_topic", "kafka_group_id", "kafka_properties")

SHOWN: Final[Mapping[str, Shown]] = {
    "run": Shown(
        (
            Example("customfit-consumer run", "the service, with settings from the environment"),
            Example("customfit-consumer run --config consumer.toml", "and from a file; the environment wins"),
        ),
        ("api_key", "api_key_file", "api_url", *KAFKA, "state_dir", "http_port", "log_level"),
    ),
    "demo": Shown(
        (
            Example("customfit-consumer demo", "10,000 events, failing requests, an outage, and the proof"),
            Example("customfit-consumer demo --keep", "then left running, for events of your own"),
            Example("customfit-consumer demo --calm --events 500 --users 50", "a short one, nothing fails"),
        )
    ),
    "emulator": Shown(
        (
            Example("customfit-consumer emulator --verbose", "says each event that arrives"),
            Example("customfit-consumer emulator --port 8081 --fail-rate 0.1", "a tenth of the requests get 503"),
            Example("customfit-consumer emulator --ledger accepted.jsonl", "remembers over restarts what it took"),
        )
    ),
    "emulator last": Shown(
        (
            Example("customfit-consumer emulator last", "what arrived last"),
            Example("customfit-consumer emulator last --user ann", "what arrived of ann"),
        )
    ),
    "emulator control": Shown(
        (
            Example("customfit-consumer emulator control --fail-rate 0.5", "half of the requests get 503 from now on"),
            Example("customfit-consumer emulator control --calm", "none any longer"),
        )
    ),
    "produce": Shown(
        (
            Example("customfit-consumer produce", "1,000 sample events of 100 users"),
            Example("customfit-consumer produce --file events.jsonl", "your own, one JSON object a line"),
            Example("customfit-consumer produce --events 5000 --rate 200", "5,000, at 200 a second"),
            Example("customfit-consumer produce --format single-object", "in Avro, without a registry"),
        ),
        ("kafka_bootstrap_servers", "kafka_topic", "kafka_properties", "schema_registry_url"),
    ),
    "check": Shown(
        (
            Example("customfit-consumer check", "are the settings right"),
            Example("customfit-consumer check --connect", "do broker, topics, rights and registry answer"),
            Example("customfit-consumer check --send-test-event", "does the key work"),
            Example('customfit-consumer check --event \'{"type":"group"}\'', "what becomes of an event"),
        ),
        ("api_key", "api_key_file", "api_url", "api_auth", "api_dialect", *KAFKA, "schema_registry_url"),
    ),
    "health": Shown(
        (
            Example("customfit-consumer health", "is the one on this machine ready"),
            Example("customfit-consumer health --port 9465", "the one at another port"),
        ),
        ("http_host", "http_port"),
    ),
    "top": Shown(
        (
            Example("customfit-consumer top", "the member on this machine, until q or Ctrl-C"),
            Example("customfit-consumer top --url consumer", "all addresses of a name, such as a headless service"),
            Example("customfit-consumer top --url a:9464 --url b:9464", "two members"),
            Example("customfit-consumer top --once", "one frame, for a script"),
        ),
        ("http_host", "http_port"),
    ),
    "lag": Shown(
        (
            Example("customfit-consumer lag", "how far the group is behind, by partition"),
            Example("customfit-consumer lag --json", "for a script"),
            Example("customfit-consumer lag --max 10000", "exit code 1 when more is behind"),
        ),
        (*KAFKA, "replay_topic"),
    ),
    "rekey": Shown(
        (
            Example("customfit-consumer rekey", "write segment-events.by-user, until Ctrl-C"),
            Example("customfit-consumer rekey --accept-growth", "once, after that topic has grown and is delivered"),
        ),
        (*KAFKA, "rekey_wait_seconds", "http_port"),
    ),
    "user": Shown(
        (
            Example("customfit-consumer user ann", "is ann identified, since when; what do her events wait for"),
            Example("customfit-consumer user ann --url consumer-0:9464", "what waits, asked of this member"),
            Example("customfit-consumer user --pseudonym 9ebb7c63b02b", "a user whom the log or a page names"),
            Example("customfit-consumer user ann --forget", "have her forgotten"),
        ),
        (*KAFKA, "state_topic", "destination_name", "api_url", "http_port", "http_users"),
    ),
    "dlq list": Shown(
        (
            Example("customfit-consumer dlq list", "what is there, and why"),
            Example("customfit-consumer dlq list --reason refused --since 2h", "refused in the last two hours"),
            Example("customfit-consumer dlq list --user ann --limit 0", "all of one user"),
        ),
        (*KAFKA, "dead_letter_topic", "replay_topic"),
    ),
    "dlq show": Shown(
        (Example("customfit-consumer dlq show 0:0", "one in full, by its place in the list"),),
        (*KAFKA, "dead_letter_topic"),
    ),
    "dlq replay": Shown(
        (
            Example("customfit-consumer dlq replay --reason refused --dry-run", "what would be sent again"),
            Example("customfit-consumer dlq replay --reason refused", "send it"),
            Example("customfit-consumer dlq replay --user ann --identifies", "of one user, identifies too"),
        ),
        (*KAFKA, "dead_letter_topic", "replay_topic"),
    ),
    "pause": Shown(
        (Example('customfit-consumer pause --reason "CustomFit is being moved"', "no member sends, from now on"),),
        (*KAFKA, "state_topic"),
    ),
    "resume": Shown((Example("customfit-consumer resume", "all members go on"),), (*KAFKA, "state_topic")),
    "offsets": Shown(
        (
            Example("customfit-consumer offsets --to -2h --dry-run", "what would be sent again of the last two hours"),
            Example("customfit-consumer offsets --to 2026-11-23T10:00:00Z", "say so, ask, and do it"),
            Example("customfit-consumer offsets --to latest --yes", "leave out all that is there, without being asked"),
        ),
        (*KAFKA, "kafka_start"),
    ),
    "state copy": Shown(
        (
            Example(
                "customfit-consumer state copy --from-topic old.identified-users --dry-run", "what would be copied"
            ),
            Example("customfit-consumer state copy --from-topic old.identified-users", "say so, ask, and do it"),
        ),
        (*KAFKA, "state_topic", "destination_name"),
    ),
    "audit": Shown(
        (
            Example("customfit-consumer audit --from -2h --to now", "of the last two hours"),
            Example("customfit-consumer audit --from 2026-11-23T10:00:00Z --to -1h --each", "a line for every event"),
            Example("customfit-consumer audit --from -1d --to now --ledger accepted.jsonl", "proved by a ledger"),
        ),
        (*KAFKA, "dead_letter_topic", "replay_topic", "receipt_topic"),
    ),
    "completion": Shown(
        (
            Example('eval "$(customfit-consumer completion bash)"', "in ~/.bashrc"),
            Example('eval "$(customfit-consumer completion zsh)"', "in ~/.zshrc"),
            Example("customfit-consumer completion fish | source", "in ~/.config/fish/config.fish"),
        )
    ),
}


def variable(setting: str) -> str:
    """The environment variable of a setting."""
    return f"CUSTOMFIT_{setting.upper()}"


def epilog(name: str) -> str | None:
    """The end of a command's help; None for a group, which has help of its own."""
    shown = SHOWN.get(name)
    if shown is None:
        return None
    lines = [AS_IT_IS, "Examples:"]
    for example in shown.examples:
        lines += [f"  {example.command}", f"      {example.what}"]
    if shown.settings:
        lines += ["", AS_IT_IS, "Settings that matter:", *(f"  {variable(setting)}" for setting in shown.settings)]
    return "\n".join(lines)
