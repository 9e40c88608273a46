"""`user` asks members what waits: by the pseudonym alone, all at once, and whoever does not answer is named."""

from __future__ import annotations

import json
import os
import socket
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from consumer.cli import user_members
from consumer.cli.user import user
from consumer.kafka import group_hosts as group_hosts_module
from consumer.kafka.group_hosts import GroupUnknown
from consumer.ops.pseudonyms import Pseudonyms
from consumer.sequencing.events import User
from consumer.state.records import StateKey, encode_key, encode_value
from tests.fakes.mock_cluster import Cluster, mock_cluster
from tests.fakes.served import Quiet, served

HERE = "https://api.customfit.ai/v1/cfe"
ANN = "ann@raw.example"
NAME = Pseudonyms("customfit-consumer", HERE).of(User(ANN))
WAITS = {
    "topic": "segment-events",
    "partition": 1,
    "offset": 7,
    "text": "their identify is tried again in 4 s; 2 attempts in 9 s, last answer 500",
    "why": "retry",
}
UNREAD = {"topic": "segment-events", "partition": 2, "why": "restoring", "text": "its state is being read"}
Answer = tuple[int, bytes]
Serve = Callable[[Answer], str]


def said(**changes: Any) -> Answer:
    """A member's answer: one event of theirs waits there."""
    answer = {
        "user": NAME,
        "group": "customfit-consumer",
        "destination": HERE,
        "text": "1 event of theirs waits here",
        "here": True,
        "identified": False,
        "waits": [WAITS],
        "unread": [UNREAD],
    }
    return 200, json.dumps({**answer, **changes}).encode()


class Members:
    """Servers that answer as members, and all that they were sent."""

    def __init__(self, stack: ExitStack) -> None:
        self.heard: list[str] = []
        self._stack = stack

    def serve(self, answer: Answer) -> str:
        """The URL of one more."""
        members = self

        class Handler(Quiet, BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                members.heard.append(f"{self.requestline}\n{self.headers}")
                code, body = answer
                self.send_response(code)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        return self._stack.enter_context(served(Handler))


@pytest.fixture
def members() -> Iterator[Members]:
    """None at first."""
    with ExitStack() as stack:
        yield Members(stack)


@pytest.fixture(scope="module")
def cluster() -> Cluster:
    """A cluster of one broker, which tells nobody who is in a group."""
    return mock_cluster()


@pytest.fixture(autouse=True)
def topics(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """A state topic of this test's own, in which ann is identified; and a source without records."""
    topic, source = f"state-{uuid.uuid4().hex}", f"source-{uuid.uuid4().hex}"
    for name in (topic, source):
        cluster.keeper.list_topics(name, timeout=60)
    key = StateKey(HERE, User(ANN))
    cluster.keeper.produce(topic, encode_value(key, 1), encode_key(key), partition=0, timestamp=1_795_428_000_456)
    assert cluster.keeper.flush(10) == 0
    monkeypatch.setenv("CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS", cluster.servers)
    monkeypatch.setenv("CUSTOMFIT_STATE_TOPIC", topic)
    monkeypatch.setenv("CUSTOMFIT_KAFKA_TOPIC", source)
    monkeypatch.setenv("CUSTOMFIT_STARTUP_TIMEOUT_SECONDS", "10")


def run(*options: str) -> Result:
    """The command, in this process."""
    app = typer.Typer()
    app.command()(user)
    return CliRunner().invoke(app, list(options))


def at(*urls: str) -> list[str]:
    """As options."""
    return [option for url in urls for option in ("--url", url)]


def place(url: str) -> str:
    """As it is shown."""
    return url.removeprefix("http://")


def nobody_listens() -> str:
    """A URL at which nobody answers."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}"


def test_what_waits_is_said_beside_who_is_identified(members: Members) -> None:
    """The state topic says the one, a member the other; which partitions it has not read yet, too."""
    url = members.serve(said())
    result = run(ANN, *at(url))

    assert 0 == result.exit_code, result.output
    assert [
        f"{ANN} is identified at {HERE}",
        "  by an event of partition 0, since 2026-11-23T10:00:00Z",
        f"on pages and in the log they are called {NAME}",
        "what waits, by 1 of 1 member:",
        f"  {place(url)}: 1 event of theirs waits here",
        f"    segment-events-1, offset 7: {WAITS['text']}",
        "    segment-events-2 is not read to its end: its state is being read",
    ] == result.stdout.splitlines()


def test_no_id_leaves_in_a_request(members: Members) -> None:
    """Neither in the URL nor in a header, in no spelling: a proxy between would log it."""
    run(ANN, *at(members.serve(said())))
    (heard,) = members.heard

    assert f"GET /users/{NAME} HTTP/1.1" == heard.splitlines()[0]
    assert not any(part in heard for part in ("ann", "raw.example", "%40"))


def test_all_are_asked_and_who_does_not_answer_is_named(members: Members, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their events may lie in several partitions. One is gone, one hangs: both together cost no more than one."""
    monkeypatch.setattr(user_members, "SECONDS_MAX", 0.5)
    first, second = members.serve(said()), members.serve(said(text="nothing of theirs is here", waits=[], unread=[]))
    gone = nobody_listens()
    with socket.create_server(("127.0.0.1", 0)) as hangs:
        silent = f"127.0.0.1:{hangs.getsockname()[1]}"
        result = run(ANN, *at(first, second, gone, silent))

    assert 0 == result.exit_code, result.output
    assert "what waits, by 2 of 4 members:" in result.stdout
    for line in (
        f"  {place(first)}: 1 event of theirs waits here",
        f"  {place(second)}: nothing of theirs is here",
        f"  {place(gone)}: no answer: Connection refused",
        f"  {silent}: no answer within",
    ):
        assert line in result.stdout
    assert "from the topics alone" not in result.stdout


def test_without_an_answer_the_topics_say_what_they_can(cluster: Cluster) -> None:
    """Marked as such: how far the group is behind, not whose the events are."""
    source = os.environ["CUSTOMFIT_KAFKA_TOPIC"]
    gone = nobody_listens()
    idle, idle_json = run(ANN, *at(gone)), run(ANN, *at(gone), "--json")
    cluster.keeper.produce(source, b"{}", partition=1)
    assert cluster.keeper.flush(10) == 0
    behind = run(ANN, *at(gone))

    alone = "no member has answered; from the topics alone, which do not say whose the events are:"
    assert [0, 0, 0] == [idle.exit_code, idle_json.exit_code, behind.exit_code]
    assert [alone, "  nothing is behind, so nothing of theirs waits"] == idle.stdout.splitlines()[-2:]
    assert [0] * 4 == [one["lag_events"] for one in json.loads(idle_json.stdout)["from_topics"]]
    assert behind.stdout.splitlines()[-1].startswith(f"  {source}-1: 1 behind, the oldest for ")


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ((403, b'{"problem": "set CUSTOMFIT_HTTP_USERS=all"}'), "it answered 403: set CUSTOMFIT_HTTP_USERS=all"),
        ((503, b'{"problem": "this member is starting"}'), "it answered 503: this member is starting"),
        ((404, b"Not found"), "it tells nobody of users (CUSTOMFIT_HTTP_USERS=off), or is of an older version"),
        ((200, b"<html>"), "it answered 200: not as a member does"),
        ((200, b'{"user": 7}'), "it answered 200: not as a member does"),
        ((200, b"\xff"), "it answered 200: not as a member does"),
        ((500, b'{"problem": "\\u001b[31m\\nred"}'), "it answered 500: "),
        (said(group="another"), "it is of group another and destination"),
        (said(destination="elsewhere"), "and destination elsewhere, where a user has another pseudonym"),
    ],
)
def test_what_is_no_answer_is_said_to_be_none(members: Members, answer: Answer, problem: str) -> None:
    """Whatever a server at that address says; none of it can move the cursor or begin a line."""
    url = members.serve(answer)
    result = run(ANN, *at(url))

    assert 0 == result.exit_code, result.output
    assert problem in next(line for line in result.stdout.splitlines() if place(url) in line)
    assert "\x1b" not in result.stdout


def test_a_hostile_member_s_text_stays_text(members: Members) -> None:
    """On one line, without control characters."""
    url = members.serve(said(text="\x1b[2Jgone\nforged line", waits=[{**WAITS, "topic": "t\r", "text": "\x07"}]))
    result = run(ANN, *at(url))

    assert not any(character in result.stdout for character in "\x1b\r\x07")
    assert "forged line" not in result.stdout.splitlines()


def test_as_json_all_that_members_said_is_there(members: Members) -> None:
    """Beside what was there before."""
    url, gone = members.serve(said()), nobody_listens()
    told = json.loads(run(ANN, *at(url, gone), "--json").stdout)

    assert (True, NAME, None) == (told["identified"], told["pseudonym"], told["from_topics"])
    assert [(place(url), None), (place(gone), "no answer: Connection refused")] == [
        (one["place"], one["problem"]) for one in told["members"]
    ]
    assert "retry" == told["members"][0]["answer"]["waits"][0]["why"]


def test_without_urls_the_group_s_members_are_asked(members: Members, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each host once, at CUSTOMFIT_HTTP_PORT; where several are at one host, the others have to be named."""
    port = members.serve(said()).rpartition(":")[2]
    monkeypatch.setenv("CUSTOMFIT_HTTP_PORT", port)
    monkeypatch.setattr(group_hosts_module, "group_hosts", lambda _: Counter({"127.0.0.1": 2}))
    result = run(ANN)

    assert f"  127.0.0.1:{port}: 1 event of theirs waits here" in result.stdout
    assert f"2 members connect from 127.0.0.1, and only the one at port {port} (CUSTOMFIT_HTTP_PORT)" in result.stdout
    assert 1 == len(members.heard)


def test_a_broker_that_tells_of_no_group_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the mock cluster; and a group without members."""

    def unknown(_: object) -> Counter[str]:
        raise GroupUnknown("the members of customfit-consumer are not known: no access")

    monkeypatch.setattr(group_hosts_module, "group_hosts", unknown)
    denied = run(ANN)
    monkeypatch.setattr(group_hosts_module, "group_hosts", lambda _: Counter())
    empty = run(ANN)

    assert "  the members of customfit-consumer are not known: no access\n" in denied.stdout
    assert "  nobody is in the group customfit-consumer\n" in empty.stdout
    assert all("from the topics alone" in result.stdout for result in (denied, empty))


def test_a_group_of_the_new_protocol_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client's question about it may end the process; who knows the members names them."""
    monkeypatch.setenv("CUSTOMFIT_KAFKA_PROPERTIES", '{"group.protocol": "consumer"}')
    result = run(ANN)

    assert (
        "  the members of a group with group.protocol=consumer are not looked for; name them with --url"
        in result.stdout
    )


def test_a_pseudonym_is_asked_of_members_alone(members: Members, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a page or the log said is enough; Kafka is not needed. The exit codes are as for an id."""
    monkeypatch.setenv("CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    results = [run(NAME, "--pseudonym", *at(members.serve(said(identified=known)))) for known in (True, False, None)]
    gone = run(NAME, "--pseudonym", *at(nobody_listens()))

    assert [0, 1, 69, 69] == [result.exit_code for result in (*results, gone)]
    assert all("1 event of theirs waits here" in result.stdout for result in results)
    assert {f"GET /users/{NAME} HTTP/1.1"} == {heard.splitlines()[0] for heard in members.heard}


@pytest.mark.parametrize(
    "options", [(ANN,), (NAME, "--forget"), (NAME, "--anonymous")], ids=["id", "forget", "anonymous"]
)
def test_what_a_pseudonym_cannot_be_used_for_is_a_usage_error(options: tuple[str, ...]) -> None:
    """It says no id; and an id is no pseudonym."""
    assert 2 == run(*options, "--pseudonym").exit_code


def test_an_id_that_looks_like_a_pseudonym_is_said_to(members: Members) -> None:
    """It is taken for an id all the same: there may be such ids."""
    result = run("9ebb7c63b02b", *at(members.serve(said())))

    assert 1 == result.exit_code
    assert "customfit-consumer user --pseudonym 9ebb7c63b02b" in result.stdout
    assert "GET /users/9ebb7c63b02b " not in members.heard[0]


def test_what_members_said_is_shown_where_the_state_topic_can_not_be_read(
    members: Members, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exit code says that it can't be told whether they are identified."""
    url = members.serve(said())
    monkeypatch.setenv("CUSTOMFIT_STATE_TOPIC", "not-there")
    result = run(ANN, *at(url))

    assert 69 == result.exit_code
    assert f"  {place(url)}: 1 event of theirs waits here" in result.stdout


@pytest.mark.parametrize("url", ["ftp://a", "http://", "a:b"])
def test_what_is_no_url_is_a_usage_error(url: str) -> None:
    """Nothing is asked then."""
    assert 2 == run(ANN, "--url", url).exit_code
