"""Each line of the log has a code of a closed list, and each code has a line."""

from __future__ import annotations

import ast
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from consumer.dead_letters.selection import REASONS
from consumer.log_codes import CODES, FOREIGN, RESERVED, Code, fields
from consumer.ops.logs import JsonFormatter, TextFormatter
from consumer.ops.metrics_table import ERROR_KINDS
from tests.cli.test_streams import shell

CONSUMER = Path(__file__).parents[1] / "consumer"
LEVELS = {"debug", "info", "warning", "error", "critical", "exception", "log"}
LOGGERS = {"log", "logger"}


def calls() -> Iterator[tuple[str, ast.Call]]:
    """Every call of a logger's method, with its place."""
    for file in sorted(CONSUMER.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            of = node.func.value
            is_logger = (isinstance(of, ast.Name) and of.id in LOGGERS) or "getLogger" in ast.unparse(of)
            if is_logger and node.func.attr in LEVELS:
                yield f"{file.relative_to(CONSUMER.parent)}:{node.lineno}", node


def has_code(call: ast.Call) -> bool:
    """Whether it says `extra=fields(…)`, whose first argument the type checker holds to be a code."""
    extra = next((keyword.value for keyword in call.keywords if keyword.arg == "extra"), None)
    return isinstance(extra, ast.Call) and ast.unparse(extra.func) == "fields" and bool(extra.args)


def test_each_call_says_its_code() -> None:
    """Else whoever searches by codes misses it."""
    found = list(calls())

    assert len(found) > 40
    assert [] == [place for place, call in found if not has_code(call)]


def test_each_code_is_said_somewhere() -> None:
    """One that nothing says would be searched for in vain. Those of the state are found by their kind."""
    files = [file for file in CONSUMER.rglob("*.py") if file.name != "log_codes.py"]
    said = {name for file in files for name in re.findall(r"\bCode\.([A-Z_]+)", file.read_text(encoding="utf-8"))}
    of_state = {f"STATE_{kind.upper()}" for kind in ERROR_KINDS["state"]}

    assert {code.name for code in Code} == said | of_state


def test_codes_are_words_for_machines() -> None:
    """In lower case, as their names are; each with a sentence."""
    assert [] == [code for code in Code if code.name.lower() != code.value or not re.fullmatch("[a-z_]+", code.value)]
    assert [] == [code for code in Code if not re.fullmatch(r"[A-Z].*[.]", code.meaning)]
    assert FOREIGN not in CODES
    assert {"refused", "unknown"} <= set(REASONS), "the field `reason` of dead_letter"


def test_both_formats_have_it() -> None:
    """JSON as a member of its own; text as the last field. A library's lines say that they are its own."""
    ours = logging.LogRecord("consumer", logging.INFO, "", 0, "words", (), None)
    vars(ours).update(fields(Code.TOPIC_CREATED, partitions=3))
    foreign = logging.LogRecord("asyncio", logging.INFO, "", 0, "words", (), None)

    assert ("topic_created", 3) == tuple(
        json.loads(JsonFormatter().format(ours))[key] for key in ("code", "partitions")
    )
    assert TextFormatter().format(ours).endswith("INFO     words  partitions=3 code=topic_created")
    assert FOREIGN == json.loads(JsonFormatter().format(foreign))["code"]
    assert TextFormatter().format(foreign).endswith("INFO     words  logger=asyncio")


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_no_field_has_a_reserved_name(name: str) -> None:
    """It would stand in the place of what each line has."""
    with pytest.raises((AssertionError, TypeError)):
        fields(Code.ENDED, **{name: "x"})


def test_a_run_says_first_what_it_is_and_last_how_it_ended() -> None:
    """Also one that never finds a broker."""
    done = shell("run", CUSTOMFIT_LOG_FORMAT="json", CUSTOMFIT_API_URL="http://api.example/v1?x=1")
    first, warning, *_, last = [json.loads(line) for line in done.stderr.splitlines()]

    assert ("started", "segment-events", "customfit-consumer", "http://api.example/v1", "httptools") == tuple(
        first[key] for key in ("code", "topic", "group", "destination", "engine")
    )
    assert re.fullmatch(r"[0-9.]+", first["version"])
    assert "setting_warning" == warning["code"]
    assert ("ended", 69, "error") == (last["code"], last["exit_code"], last["level"])
    assert last["event"].startswith("ended: no Kafka broker answered at 127.0.0.1:1")
