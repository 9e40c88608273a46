"""`make broker`: one of the tests' brokers to work with by hand, until Ctrl-C. Nothing of it stays.

`make broker ARGS=--secured`: TLS, a user with a password, and no rights at all; what `check --connect` names is to be
granted at the second address, where everybody may do everything.
"""

from __future__ import annotations

import argparse
import json
import shlex
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from tests.real_broker.broker import LIBS, Broker, missing
from tests.real_broker.secured import secured_broker

TOOLS: Final = {
    "kafka-acls.sh": "org.apache.kafka.tools.AclCommand",
    "kafka-topics.sh": "org.apache.kafka.tools.TopicCommand",
    "kafka-consumer-groups.sh": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
}


@contextmanager
def running(folder: Path, *, is_secured: bool) -> Iterator[list[str]]:
    """A broker; gives lines to paste into a shell."""
    if not is_secured:
        with Broker() as broker:
            yield _exports(CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS=broker.bootstrap_servers)
        return
    with secured_broker(folder) as secured:
        properties = folder / "consumer.json"
        properties.write_text(json.dumps(secured.scram), encoding="utf-8")
        yield [
            *_exports(
                CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS=secured.broker.address("SASL"),
                CUSTOMFIT_KAFKA_PROPERTIES_FILE=str(properties),
            ),
            f"# who grants rights: --bootstrap-server {secured.broker.bootstrap_servers}, without --command-config",
        ]


def _exports(**variables: str) -> list[str]:
    return [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]


def main() -> int:
    """Run one until Ctrl-C or SIGTERM; 1 if it can't be started."""
    parser = argparse.ArgumentParser(prog="make broker", description=__doc__)
    parser.add_argument("--secured", action="store_true", help="with TLS, a password and access lists")
    is_secured: bool = parser.parse_args().secured
    if (problem := missing()) is not None:
        print(problem, file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, _interrupt)
    with (
        suppress(KeyboardInterrupt),
        tempfile.TemporaryDirectory(prefix="customfit-broker-") as name,
        running(Path(name), is_secured=is_secured) as lines,
    ):
        print("\n".join(lines))
        for script, class_name in TOOLS.items():
            print(f"# {script}: java -cp {shlex.quote(f'{LIBS}/*')} {class_name}")
        print("# it runs until Ctrl-C", flush=True)
        while True:
            signal.pause()
    return 0


def _interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
