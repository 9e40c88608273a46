"""A fault that has rotted is found out: by its types before it is run, by how its test failed afterwards."""

from __future__ import annotations

import json
import logging
from typing import Final

import pytest

from consumer.ops.logs import JsonFormatter, TextFormatter
from tests.edge_faults.fault import EdgeFault
from tests.edge_faults.trying import put, rotten
from tests.rotten import raised_there

SOURCE = "consumer/kafka/source.py"
TIMES = "consumer/segment/timestamps.py"
TIME_TEST = "tests/segment/test_timestamps.py::test_text"
PYTEST = """
    def _give_up(self):
>       positions = self._consumer.position(_topic_partitions(partitions))
E       NameError: name '_topic_partitions' is not defined

consumer/kafka/source.py:404: NameError
"""


def in_source(name: str, new: str) -> EdgeFault:
    """A fault that was right when it was written."""
    return EdgeFault(
        name, SOURCE, "error = self._commits.make(points)\n        if error", f"{new}\n        if error", ""
    )


def in_times(new: str) -> EdgeFault:
    """A fault whose test takes no time."""
    return EdgeFault("of a time", TIMES, "            datetime.fromisoformat(text)", f"            {new}", TIME_TEST)


FITS: Final = "error = None if 1 > 2 else self._commits.make(points)"
ROTTED: Final = {
    "name": ("error = self._consumer.position(_topic_partitions(partitions))", "F821"),
    "attribute": ("error = self._commits.make_long(points)", "attr-defined"),
    "arguments": ("error = self._commits.make(points, points)", "call-arg"),
    "a name for the type checker alone": ("error = self._commits.make(dict[Partition, CommitPoint]())", "TC004"),
    "too early": ("print(error)\n        error = self._commits.make(points)", "used-before-def"),
    "syntax": ("error = self._commits.make(points", "syntax"),
}
"""What is wrong with it: the fault, and what is said of it."""


@pytest.fixture(scope="module")
def found() -> dict[str, list[str]]:
    """All at once: the types of the whole program are read once, and not for each fault."""
    faults = [in_source(name, new) for name, (new, _) in ROTTED.items()]
    return rotten([in_source("fits", FITS), *faults])


@pytest.mark.parametrize("name", ROTTED)
def test_a_fault_that_does_not_fit_the_code_is_found_before_it_is_run(found: dict[str, list[str]], name: str) -> None:
    """Whatever its test says of it then, it would say by an error that has nothing to do with the fault."""
    assert ROTTED[name][1] in "".join(found[name])


def test_a_fault_that_fits_is_not_called_rotten(found: dict[str, list[str]]) -> None:
    """It may leave things without use, or say what is never true."""
    assert ROTTED.keys() == found.keys()


def test_a_fault_that_fails_by_an_error_of_its_own_is_rotten_and_not_caught() -> None:
    """What types don't see, the test's output shows: here an attribute that is asked for by its name."""
    result = put(in_times('getattr(text, "day_" + "of_month")'))

    assert "ROTTEN" == result.word
    assert "AttributeError" in result.rotted[0]


@pytest.mark.parametrize(("new", "word"), [("int('00')", "NO"), ("return None", "yes")])
def test_a_fault_that_runs_is_caught_or_not(new: str, word: str) -> None:
    """As its test says."""
    assert word == put(in_times(new)).word


@pytest.mark.parametrize("formatter", [JsonFormatter(), TextFormatter()], ids=["json", "text"])
@pytest.mark.parametrize("error", [NameError, UnboundLocalError, AttributeError, TypeError, ModuleNotFoundError])
def test_an_error_in_the_log_of_a_service_is_found(error: type[Exception], formatter: logging.Formatter) -> None:
    """Where it was raised in the file that was changed, and nowhere else."""
    code = compile("def drain():\n    raise error('no such thing')\n\ndrain()\n", f"/a/copy/{SOURCE}", "exec")
    with pytest.raises(error) as raised:
        exec(code, {"error": error})  # noqa: S102  the file's name is what this is about
    info = (raised.type, raised.value, raised.tb)
    record = logging.LogRecord("consumer", logging.CRITICAL, "", 0, "the kafka part failed", (), info)
    text = f"a line before\n{formatter.format(record)}\nanother\n"

    assert [f"{error.__name__}: no such thing"] == [
        found.split("\\")[0].split('"')[0] for found in raised_there(text, SOURCE)
    ]
    assert [] == raised_there(text, TIMES)


def test_an_error_in_the_output_of_pytest_is_found() -> None:
    """In the file that was changed; an assertion that fails is what a test is for."""
    assert ["NameError"] == raised_there(PYTEST, SOURCE)
    assert [] == raised_there(PYTEST.replace("NameError", "AssertionError"), SOURCE)
    assert [] == raised_there(PYTEST, TIMES)
    assert [] == raised_there(json.dumps({"event": "NameError", "file": SOURCE}), SOURCE)
