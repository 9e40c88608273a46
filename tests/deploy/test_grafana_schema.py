"""The dashboard against Grafana's own types, by TypeScript's compiler, where Node and npm are (REQUIRE_NODE=1 insists).

Grafana itself can't be started here. Its package `@grafana/schema` says which fields a dashboard has, and which options
each kind of panel; a name that is not among them is an error. The packages are those of grafana_schema/, in .npm.
"""

from __future__ import annotations

import copy
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.deploy.tools import ROOT, leave_out, need

pytestmark = pytest.mark.long  # npm takes up to half a minute
DECLARED: Final = Path(__file__).parent / "grafana_schema"
INSTALLED: Final = ROOT / ".npm" / "grafana_schema"
MADE: Final = json.loads((ROOT / "deploy/grafana/customfit-consumer.json").read_text(encoding="utf-8"))
FLAGS: Final = ("--noEmit", "--strict", "--module", "esnext", "--moduleResolution", "bundler", "--skipLibCheck")
FOLDER_OF: Final = {
    "timeseries": "timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen",
    "stat": "stat/panelcfg/x/StatPanelCfg_types.gen",
    "state-timeline": "statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen",
    "table": "table/panelcfg/x/TablePanelCfg_types.gen",
}
HEAD: Final = """\
import type * as grafana from '@grafana/schema';
// As JSON has it: an enum is one of its texts.
type Json<T> = T extends string ? `${T}` : T extends (infer E)[] ? Json<E>[]
  : T extends object ? { [K in keyof T]: Json<T[K]> } : T;
type Query = { refId: string; datasource: Json<grafana.DataSourceRef>; expr: string; legendFormat: string;
  instant: boolean; range: boolean; format: 'table' | 'time_series' };
type Override = { matcher: { id: 'byRegexp'; options: string };
  properties: [{ id: 'color'; value: Json<grafana.FieldColor> }] };
type Shown<Type, Options, Custom> = Omit<Json<grafana.Panel>, 'type' | 'options' | 'fieldConfig' | 'targets'> & {
  type: Type; options: Json<Options>; targets: Query[]; fieldConfig: { overrides: Override[];
    defaults: Omit<Json<grafana.FieldConfig>, 'custom'> & { custom: Partial<Json<Custom>> } } };
"""


def program(dashboard: dict[str, Any]) -> str:
    """TypeScript that holds it, each panel with the type of its kind."""
    lines = [HEAD]
    for kind, place in FOLDER_OF.items():
        name = kind.replace("-", "_")
        lines.append(f"import type * as {name} from '@grafana/schema/dist/esm/raw/composable/{place}';")
    rest = {name: value for name, value in dashboard.items() if name != "panels"}
    lines.append(f"export const dashboard: Json<Omit<grafana.Dashboard, 'panels'>> = {json.dumps(rest, indent=1)};")
    lines += [
        f"export const panel{one['id']}: {_type(one['type'])} = {json.dumps(one, indent=1)};"
        for one in dashboard["panels"]
    ]
    return "\n".join(lines) + "\n"


def _type(kind: str) -> str:
    if kind == "row":
        return "Json<grafana.RowPanel>"
    name = kind.replace("-", "_")
    custom = "Record<never, never>" if kind == "stat" else f"{name}.FieldConfig"  # it has no fields of its own
    return f"Shown<'{kind}', {name}.Options, {custom}>"


@pytest.fixture(scope="module")
def compiler() -> list[str]:
    """What runs TypeScript's compiler; installed once, exactly as the lock file says."""
    node, npm = need("node", "REQUIRE_NODE"), need("npm", "REQUIRE_NODE")
    INSTALLED.mkdir(parents=True, exist_ok=True)
    lock = DECLARED / "package-lock.json"
    kept = INSTALLED / "package-lock.json"
    if not (INSTALLED / "node_modules").exists() or kept.read_bytes() != lock.read_bytes():
        shutil.copy(DECLARED / "package.json", INSTALLED)
        shutil.copy(lock, INSTALLED)
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=INSTALLED, check=False, capture_output=True, text=True)
        if done.returncode:
            shutil.rmtree(INSTALLED)
            leave_out(f"npm can't install Grafana's types: {done.stderr[-300:]}", "REQUIRE_NODE")
    return [node, "node_modules/typescript/bin/tsc", *FLAGS]


def _timeseries(dashboard: dict[str, Any]) -> Any:
    return next(panel for panel in dashboard["panels"] if panel["type"] == "timeseries")


def _stat(dashboard: dict[str, Any]) -> Any:
    return next(panel for panel in dashboard["panels"] if panel["type"] == "stat")


FAULTS: Final[dict[str, Callable[[dict[str, Any]], object]]] = {
    "fillOpacit": lambda one: _timeseries(one)["fieldConfig"]["defaults"]["custom"].update(fillOpacit=1),
    "botom": lambda one: _timeseries(one)["options"]["legend"].update(placement="botom"),
    "colourMode": lambda one: _stat(one)["options"].update(colourMode="background"),
    "treshold": lambda one: _stat(one)["fieldConfig"]["defaults"].update(treshold={}),
    "'string' is not assignable to type 'number'": lambda one: one.update(schemaVersion="42"),
    "intervall": lambda one: _timeseries(one).update(intervall="5s"),
    "rangee": lambda one: _timeseries(one)["targets"][0].update(rangee=True),
    "hiden": lambda one: one["templating"]["list"][0].update(hiden=1),
}
"""Words of the compiler's message → a fault of the dashboard."""


@pytest.fixture(scope="module")
def messages(compiler: list[str]) -> Iterator[dict[str, str]]:
    """What the compiler says of the dashboard as it is (""), and with each of the faults."""
    written = {}
    for number, (word, put_in) in enumerate({"": lambda _: None, **FAULTS}.items()):
        dashboard = copy.deepcopy(MADE)
        put_in(dashboard)
        written[word] = INSTALLED / f"dashboard{number}.ts"
        written[word].write_text(program(dashboard), encoding="utf-8")
    files = [file.name for file in written.values()]
    done = subprocess.run([*compiler, *files], cwd=INSTALLED, check=False, capture_output=True, text=True)
    said = done.stdout.splitlines()
    yield {word: "\n".join(line for line in said if line.startswith(f"{file.name}(")) for word, file in written.items()}
    for file in written.values():
        file.unlink()


def test_every_field_and_option_is_one_that_grafana_has(messages: dict[str, str]) -> None:
    """The dashboard as it is committed."""
    assert "" == messages[""]


def test_wrong_fields_are_found(messages: dict[str, str]) -> None:
    """The gate itself: in the dashboard, a panel, its fields, its options, a query, a variable."""
    assert {} == {word: messages[word] for word in FAULTS if word not in messages[word]}
