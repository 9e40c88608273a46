"""`make docs`: pages, Grafana's dashboard, Kubernetes' rules, from their sources; test_docs.py finds stale ones."""

from __future__ import annotations

import ast
import inspect
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

from typer.models import ArgumentInfo, OptionInfo

from consumer import exit_codes
from consumer.cli.examples import SHOWN, variable
from consumer.cli.tree import Command, Parameter, commands
from consumer.log_codes import FOREIGN, Code
from consumer.ops import metrics_table
from consumer.ops.causes import MEANINGS, NOT_READY, Cause
from consumer.ops.metric_kinds import LabelValues, Now
from consumer.ops.metrics_table import COUNTERS, FROM_SNAPSHOT
from consumer.rekey.figures import FIGURES
from consumer.settings import settings_table
from deploy.grafana.dashboard import dashboard
from deploy.kubernetes.prometheus_rule import prometheus_rule
from tests.deploy.rules import thresholds
from tests.ops.given_snapshot import snapshot

ROOT: Final = Path(__file__).resolve().parents[1]
MADE: Final = "<!-- Made by `make docs` from the code: what is written here by hand is lost. -->\n"


def settings_page() -> str:
    """docs/settings.md."""
    rows = [
        (f"`{row.variable}`", f"`{row.default}`" if row.default else "", row.limits, row.help)
        for row in settings_table()
    ]
    return f"""# Settings
{MADE}
Set them as environment variables, or in a TOML file (`--config FILE`), where their names are in lower case and without
`CUSTOMFIT_`; the environment wins. An unknown name is an error. Only the API key is required. Where a setting is one of
a few words, the first is the default.

{_table(("variable", "default", "limits", "meaning"), rows)}"""


def metrics_page() -> str:
    """docs/metrics.md."""
    rows = [(f"`{row.name}`", row.kind, ", ".join(row.labels), row.help) for row in metrics_table.rows()]
    values = [(f"`{name}`", ", ".join(labels), text) for name, labels, text in _label_values()]
    of_rekey = [(f"`{one.shown}`", one.kind, ", ".join(one.labels), one.help) for one in FIGURES]
    causes = [(f"`{one.value}`", "503" if one in NOT_READY else "200", MEANINGS[one]) for one in Cause]
    return f"""# Metrics
{MADE}
Prometheus finds them at `/metrics` on `CUSTOMFIT_HTTP_PORT`, together with those of any Python process (`process_*`,
`python_gc_*`). Alerts on them are in `deploy/prometheus`, with a [runbook](runbook.md); a
[dashboard](operations.md#dashboard) is in `deploy/grafana`.

All figures of the loop are read from one snapshot, so they agree: `consumed = finished + unfinished` at every scrape.
Every counter starts at 0 for each of its label values. No user id, event name, URL or error text is ever a label; rules
of what is [not sent](events.md#what-is-not-sent) are. A member shows the partitions that it owns. If Kafka or the topic
goes away, their series stay at their last values.

{_table(("name", "kind", "labels", "meaning"), rows)}
## Of `rekey`
The process of [`rekey`](rekey.md) has these in place of the others, and `customfit_build_info`. Those of Python's
memory (`python_gc_*`) are left out.

{_table(("name", "kind", "labels", "meaning"), of_rekey)}
## Label values
No other values occur.

{_table(("name", "labels", "values"), values)}
## Causes of `customfit_degraded`
The worst comes first.

{_table(("cause", "/readyz", "meaning"), causes)}"""


def logs_page() -> str:
    """docs/logs.md."""
    rows = [(f"`{code.value}`", code.meaning) for code in Code]
    return f"""# Log lines
{MADE}
Lines go to standard error. Each has a code that stays when its words change, so search and alert by codes; the list is
closed. In text the code is the last field, `code=…`. With `CUSTOMFIT_LOG_FORMAT=json` each line is an object: `ts`,
`level`, `code`, `event` (the words), its fields and, after a bug, `traceback`. A library's own lines have the code
`{FOREIGN}` and the field `logger`. A process that crashes below Python (exit code 139 in a container) prints last where
its threads stood: plain lines from `Fatal Python error:` on, which show no values. Please report them.

{_table(("code", "meaning"), rows)}"""


def commands_page() -> str:
    """docs/commands.md."""
    codes = _table(("code", "meaning"), [(str(code), text) for code, text in _exit_codes()])
    sections = "".join(f"\n{_command(command)}" for command in commands())
    return f"""# Commands
{MADE}
`customfit-consumer COMMAND`; `python -m consumer` is the same. In a checkout after `make demo` it is
`.venv/bin/customfit-consumer`; in compose, write `docker compose exec consumer` before it. `--help` shows what this
page shows. `--json` prints JSON where a script would want it. Progress bars and colours appear on terminals only.

## Exit codes
{codes}{sections}"""


def dashboard_file() -> str:
    """deploy/grafana/customfit-consumer.json."""
    return json.dumps(dashboard(thresholds()), indent=1, ensure_ascii=False) + "\n"


PAGES: Final[dict[str, Callable[[], str]]] = {
    "docs/settings.md": settings_page,
    "docs/metrics.md": metrics_page,
    "docs/commands.md": commands_page,
    "docs/logs.md": logs_page,
    "deploy/grafana/customfit-consumer.json": dashboard_file,
    "deploy/kubernetes/base/prometheusrule.yaml": prometheus_rule,
}


# --- metrics


def _label_values() -> Iterator[tuple[str, LabelValues, str]]:
    """Of each metric whose label values are known before anything has happened."""
    of_partitions = {"topic", "partition"}
    for metric in FROM_SNAPSHOT:
        if metric.labels and not of_partitions & set(metric.labels):
            found = [values for values, _ in metric.read(snapshot(), Now(0.0, 0.0))]
            if "rule" in metric.labels:  # which only the settings know
                continue
            shown = f"{metric.name}_total" if metric.kind == "counter" else metric.name
            yield shown, metric.labels, _grouped(found)
    for counted in (counter for counter in COUNTERS if counter.labels):
        yield f"{counted.name}_total", counted.labels, _grouped(counted.values)


def _grouped(found: Iterable[LabelValues]) -> str:
    """One label: its values. Two: for each value of the first those of the second."""
    groups: dict[str, list[str]] = {}
    for first, *others in found:
        groups.setdefault(first, []).extend(others)
    return "; ".join(f"{first}: {', '.join(others)}" for first, others in groups.items() if others) or ", ".join(groups)


# --- commands


def _command(command: Command) -> str:
    arguments, options = [], []
    for parameter in command.parameters():
        row = (_default(parameter.default), parameter.help)
        if parameter.is_argument:
            arguments.append((f"`{parameter.names[0]}`", *row))
        else:
            options.append((_option(parameter), *row))
    usage = " ".join([command.name, *(name.strip("`") for name, *_ in arguments)])
    table = _table(("option", "default", "meaning"), [*arguments, *options]) if arguments or options else ""
    return f"## `{usage}`\n{command.help}\n{_examples(command.name)}\n{table}"


def _examples(name: str) -> str:
    shown = SHOWN[name]
    width = max(len(example.command) for example in shown.examples)
    lines = [f"{example.command:{width}}  # {example.what}" for example in shown.examples]
    settings = ", ".join(f"`{variable(setting)}`" for setting in shown.settings)
    return "```\n" + "\n".join(lines) + "\n```\n" + (f"Settings that matter: {settings}.\n" if settings else "")


def _option(parameter: Parameter) -> str:
    """`--rate NUMBER`: its name, and what is to be given."""
    shown = ", ".join(parameter.names)
    if parameter.choices and not parameter.info.metavar:
        return f"`{shown}` {', '.join(parameter.choices)}"
    if not parameter.takes_value:
        return f"`{shown}`"
    given = parameter.info.metavar or {int: "N", float: "NUMBER", Path: "FILE"}.get(parameter.kind, "TEXT")
    return f"`{shown} {given}`{_range(parameter.info)}"


def _range(info: OptionInfo | ArgumentInfo) -> str:
    match info.min, info.max:
        case None, None:
            return ""
        case low, None:
            return f" at least {low:g}"
        case None, high:
            return f" at most {high:g}"
        case low, high:
            return f" {low:g} to {high:.15g}"


def _default(default: object) -> str:
    return "" if default is None or default is False else f"`{default}`"


def _exit_codes() -> Iterator[tuple[int, str]]:
    """Each code with the sentence below it."""
    body = ast.parse(inspect.getsource(exit_codes)).body
    for assigned, below in pairwise(body):
        if isinstance(assigned, ast.AnnAssign) and isinstance(assigned.value, ast.Constant):
            assert isinstance(below, ast.Expr), f"a code without a sentence: {ast.unparse(assigned)}"
            assert isinstance(below.value, ast.Constant)
            yield int(str(assigned.value.value)), " ".join(str(below.value.value).split())


# --- Markdown


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    escaped = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    lines = [head, ["---"] * len(head), *escaped]
    return "".join(f"| {' | '.join(line)} |\n".replace("|  |", "| |") for line in lines)


def main() -> None:
    """Write them all."""
    for name, page in PAGES.items():
        (ROOT / name).write_text(page(), encoding="utf-8")
        print(name)


if __name__ == "__main__":
    main()
