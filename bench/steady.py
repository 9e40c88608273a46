"""What a member costs that keeps up: CPU at an even rate of events, without a backlog.

    python -m bench.steady [--rates 0,100,1000,5000] [--seconds 20] [--only customfit-consumer]

Each event is a request then, since nothing waits that could go with it. Prints Markdown. CPU is measured when the
member has been at it for some seconds; its start is left out.
"""

from __future__ import annotations

import argparse
import json
import threading
import time
import uuid
from typing import Final
from urllib.request import urlopen

from bench.contenders import CONTENDERS, OURS
from bench.measure import Conditions, Run
from bench.processes import thread_cpu_seconds
from bench.workload import Workload, produce_at
from tests.real_broker.broker import JVM_OPTIONS_IN_PRODUCTION, Broker

WARM_UP_SECONDS: Final = 8.0
SETTLE_SECONDS: Final = 6.0
IN_FLIGHT: Final = 64


def main() -> None:
    """One rate after the other."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rates", default="0,100,1000,5000")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--only", action="append", help="this contender; several times for several")
    parser.add_argument("--threads", action="store_true", help="say how much each thread took")
    given = parser.parse_args()
    names = given.only or [OURS]
    print("| events/s | contender | % of a core | µs an event | events a request |\n|---|---|---|---|---|")
    with Broker(jvm_options=JVM_OPTIONS_IN_PRODUCTION) as broker:
        for rate in map(float, given.rates.split(",")):
            for name in names:
                print(_row(broker, name, rate, given.seconds, threads=given.threads), flush=True)


def _row(broker: Broker, name: str, rate: float, seconds: float, *, threads: bool) -> str:
    topic = f"steady-{uuid.uuid4().hex[:8]}"
    broker.create_topic(topic, 6)
    events = int(rate * (WARM_UP_SECONDS + seconds + 2)) + 1
    workload = Workload(events=events, users=20_000)
    conditions = Conditions(topic, workload, 0.0, IN_FLIGHT, 0.0, seconds)
    with Run(broker, CONTENDERS[name], conditions) as run:
        _until_ready(run, name)
        at_this_rate = (broker.bootstrap_servers, topic, workload, max(rate, 1.0))
        producing = threading.Thread(target=produce_at, args=at_this_rate)
        producing.start()
        time.sleep(WARM_UP_SECONDS)
        begin, threads_begin = run.look(), thread_cpu_seconds(run.pid)
        time.sleep(seconds)
        end, threads_end = run.look(), thread_cpu_seconds(run.pid)
        producing.join()
        run.stop()
    cpu, got = end.cpu_seconds - begin.cpu_seconds, end.events - begin.events
    requests = end.stats["requests"] - begin.stats["requests"]
    percent = 100 * cpu / (end.at - begin.at)
    cost = f"{1e6 * cpu / got:.0f} | {got / max(requests, 1):.2f}" if rate and got else " | "
    row = f"| {rate:g} | `{name}` | {percent:.1f} | {cost} |"
    if threads:
        took = {f"{thread}": round(at - threads_begin.get(thread, 0.0), 2) for thread, at in threads_end.items()}
        row += "\n" + json.dumps(dict(sorted(took.items(), key=lambda one: -one[1])[:8]))
    return row


def _until_ready(run: Run, name: str) -> None:
    if not name.startswith(OURS):
        time.sleep(SETTLE_SECONDS)
        return
    while True:
        try:
            with urlopen(f"{run.url}/readyz", timeout=5):  # noqa: S310  our own process
                return
        except OSError:
            time.sleep(0.1)


if __name__ == "__main__":
    main()
