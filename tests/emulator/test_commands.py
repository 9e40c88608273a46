"""`emulator control` and `emulator last`: a running emulator is made to fail, and asked, without a line of Python."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import httpx
import msgspec
import pytest
from typer.testing import CliRunner, Result

from consumer.cli import app
from consumer.emulator.faults import Faults
from consumer.emulator.server import Emulator, running_emulator
from tests.emulator.emulator_calls import KEY, events, identify, introduction, track, track_event


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """One that runs."""
    with running_emulator() as running:
        yield running


def emulate(emulator: Emulator | str, *arguments: str) -> Result:
    """`customfit-consumer emulator ...` against this one."""
    url = emulator if isinstance(emulator, str) else emulator.base_url
    return CliRunner().invoke(app("emulator"), ["emulator", *arguments, "--url", url])


def send(emulator: Emulator, body: object) -> int:
    """The status that this request is answered with."""
    headers = {"Authorization": f"Bearer {KEY}"}
    return httpx.post(emulator.url, headers=headers, json=body, trust_env=False).status_code


# --- control


def test_a_running_emulator_is_told_to_fail_and_to_be_well_again(emulator: Emulator) -> None:
    """Each says what holds now; what is not named stays as it was."""
    told = [emulate(emulator, "control", "--fail-rate", "1", "--fail-status", "429")]
    failing = send(emulator, identify("ann"))
    told.append(emulate(emulator, "control", "--refuse-user", "eve", "--refuse-user", "mallory"))
    told.append(emulate(emulator, "control"))
    told.append(emulate(emulator, "control", "--calm"))
    well = send(emulator, identify("ann"))

    assert [0, 0, 0, 0] == [one.exit_code for one in told]
    assert [429, 200] == [failing, well]
    assert "faults: --fail-rate 1.0 --fail-status 429\n" == told[0].stdout
    assert "faults: --fail-rate 1.0 --fail-status 429 --refuse-user eve --refuse-user mallory\n" == told[1].stdout
    assert told[1].stdout == told[2].stdout
    assert "no faults: every valid request is accepted at once\n" == told[3].stdout


def test_calm_goes_before_the_faults_that_stand_beside_it(emulator: Emulator) -> None:
    """One command: these faults and no others."""
    emulator.faults.change({"hang": True, "fail_rate": 0.5})
    told = emulate(emulator, "control", "--calm", "--latency-seconds", "0.25")

    assert "faults: --latency-seconds 0.25\n" == told.stdout
    assert Faults(latency_seconds=0.25) == emulator.faults


def test_a_switch_can_be_turned_off_alone(emulator: Emulator) -> None:
    """`--no-hang`, while the rest goes on."""
    emulator.faults.change({"hang": True, "fail_rate": 0.5})
    told = emulate(emulator, "control", "--no-hang")

    assert "faults: --fail-rate 0.5\n" == told.stdout
    assert not emulator.faults.hang


def test_an_outage_is_one_option(emulator: Emulator) -> None:
    """Nobody is answered for that long."""
    emulate(emulator, "control", "--unavailable-seconds", "60")
    with pytest.raises(httpx.RemoteProtocolError):
        send(emulator, identify("ann"))


def test_faults_out_of_range_change_nothing(emulator: Emulator) -> None:
    """The option is named as it was typed, while it runs and at its start; exit code 2."""
    told = emulate(emulator, "control", "--fail-rate", "7", "--hang")
    at_start = CliRunner().invoke(app("emulator"), ["emulator", "--fail-rate", "7"])

    assert [2, 2] == [told.exit_code, at_start.exit_code]
    assert "Invalid value for --fail-rate: Expected `float` <= 1.0\n" in told.stderr
    assert "Invalid value for --fail-rate: Expected `float` <= 1.0\n" in at_start.stderr
    assert Faults() == emulator.faults


def test_what_is_told_of_the_faults_can_be_typed_again(emulator: Emulator) -> None:
    """A user's id of two words, too."""
    told = emulate(emulator, "control", "--refuse-user", "ann lee")

    assert "faults: --refuse-user 'ann lee'\n" == told.stdout


@pytest.mark.parametrize("path", ["/last", "/ledger", "/ledger?entries=1", "/control"])
def test_a_page_ends_its_line(emulator: Emulator, path: str) -> None:
    """The prompt of a shell does not stand behind what curl prints."""
    page = httpx.get(f"{emulator.base_url}{path}", trust_env=False).content

    assert page.endswith(b"}\n")


def test_control_prints_json_for_scripts(emulator: Emulator) -> None:
    """All faults, by the names that `POST /control` takes."""
    told = emulate(emulator, "control", "--fail-user", "ann", "--json")

    assert {**msgspec.to_builtins(Faults()), "fail_users": ["ann"]} == json.loads(told.stdout)


@pytest.mark.parametrize("command", [[], ["control"]], ids=["at the start", "while it runs"])
def test_every_fault_is_an_option(command: list[str]) -> None:
    """A list is given one by one: `reject_keys` is `--reject-key`."""
    names = [
        name.removesuffix("s") if isinstance(value, list) else name
        for name, value in msgspec.to_builtins(Faults()).items()
    ]
    shown = CliRunner().invoke(app("emulator"), ["emulator", *command, "--help"], env={"COLUMNS": "300"}).stdout

    assert [] == [name for name in names if f"--{name.replace('_', '-')} " not in shown]


# --- last


def test_what_arrived_last_is_read_line_by_line(emulator: Emulator) -> None:
    """One event a line, the newest at the bottom, with its contents."""
    for body in (identify("ann"), introduction("bob"), events("ann", track_event(), track_event("t2", properties={}))):
        send(emulator, body)
    told = emulate(emulator, "last")
    times, lines = zip(*(line.split(" ", 1) for line in told.stdout.splitlines()), strict=True)

    assert 0 == told.exit_code
    assert (
        'identify ann {"plan":"pro"}',
        "identify bob (introduced: nothing known but the id)",
        'track ann "Order Completed" {"total":27.5}',
        'track ann "Order Completed" {}',
    ) == lines
    assert all(len("2026-11-29T04:04:05.500Z") == len(time) for time in times)
    assert "3 requests accepted\n" == told.stderr


def test_what_arrived_of_a_user(emulator: Emulator) -> None:
    """And whether they are identified; what was refused is counted beside it."""
    for body in (identify("ann"), identify("bob"), {}):
        send(emulator, body)
    told = emulate(emulator, "last", "--user", "ann")

    assert ['identify ann {"plan":"pro"}'] == [line.split(" ", 1)[1] for line in told.stdout.splitlines()]
    assert "ann is identified; 2 requests accepted of everybody, refused: 1 with 400\n" == told.stderr


def test_nothing_of_a_user_is_exit_code_1(emulator: Emulator) -> None:
    """A script can wait for it."""
    send(emulator, identify("ann"))
    told = emulate(emulator, "last", "--user", "bob\x1b[31m")

    assert (1, "") == (told.exit_code, told.stdout)
    assert "nothing has arrived of bob\\x1b[31m, who is not identified; 1 request accepted of everybody\n" == (
        told.stderr
    )


def test_nothing_at_all_is_exit_code_1_too(emulator: Emulator) -> None:
    """With the address that events go to."""
    told = emulate(emulator, "last")

    assert 1 == told.exit_code
    assert f"nothing has arrived at {emulator.url}" in told.stderr


def test_old_contents_and_lost_answers_are_said_to_be_so(emulator: Emulator) -> None:
    """A line never looks as if there had been nothing in it."""
    emulator.faults.reset_rate = 1.0
    with pytest.raises(httpx.TransportError):
        send(emulator, identify("ann"))
    emulator.faults.reset_rate = 0.0
    emulator.ledger._contents.clear()
    send(emulator, track("ann"))
    told = emulate(emulator, "last", "--limit", "2").stdout.splitlines()

    assert told[0].endswith("Z identify ann (too old: traits not kept) (its answer was lost)")
    assert told[1].endswith('Z track ann "Order Completed" {"total":27.5}')


def test_last_prints_json_for_scripts(emulator: Emulator) -> None:
    """One request a line, as `GET /last` has them."""
    for body in (identify("ann"), track("ann")):
        send(emulator, body)
    told = emulate(emulator, "last", "--json", "-n", "1")

    assert [("ann", [27.5])] == [
        (one["user_id"], [event["properties"]["total"] for event in one["events"]])
        for one in map(json.loads, told.stdout.splitlines())
    ]


# --- both


@pytest.mark.parametrize("command", ["control", "last"])
def test_nobody_there_is_exit_code_69(command: str) -> None:
    """One line with the address, the option, and what starts one."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        told = emulate(url, command)

    assert 69 == told.exit_code
    assert told.stderr.startswith(f"customfit-consumer: no emulator answers at {url} (--url): ")
    assert 1 == len(told.stderr.splitlines())


@pytest.mark.parametrize("url", ["localhost:8080", "ftp://localhost", "http://", "http://localhost:x", "http://a b"])
def test_an_address_that_is_none_is_exit_code_2(url: str) -> None:
    """And the message names the option."""
    told = emulate(url, "last")

    assert 2 == told.exit_code
    assert "--url" in told.stderr


def test_somebody_else_at_the_address_is_said_to_be_no_emulator() -> None:
    """An answer that no emulator gives, as another server's at port 8080."""
    with running_emulator() as emulator:
        told = emulate(f"{emulator.base_url}/else", "last")

    assert 69 == told.exit_code
    assert "no emulator" in told.stderr


def test_the_url_for_events_is_taken_too(emulator: Emulator) -> None:
    """It is the one that the emulator prints first."""
    send(emulator, identify("ann"))

    assert 0 == emulate(emulator.url, "last").exit_code
