"""How compose gives Grafana its data source and the dashboard: files that are there, at the places that are named.

Grafana itself is not started here.
"""

from __future__ import annotations

from typing import Any, Final

import yaml

from tests.deploy.tools import ROOT

COMPOSE: Final = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
GRAFANA: Final[dict[str, Any]] = COMPOSE["services"]["grafana"]
FOLDER: Final = ROOT / "deploy/grafana/provisioning"
MOUNTED: Final = {target: source for source, target, _ in (one.split(":") for one in GRAFANA["volumes"])}


def provisioned(name: str) -> Any:
    """One of the files that Grafana reads at its start."""
    return yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))


def test_grafana_runs_only_where_its_profile_is_asked_for() -> None:
    """Without a profile, `up` starts what it started before; nothing waits for Grafana."""
    waiting = [name for name, service in COMPOSE["services"].items() if "grafana" in service.get("depends_on", ())]

    assert ["grafana"] == GRAFANA["profiles"]
    assert [] == waiting
    assert ["grafana"] == [name for name, one in COMPOSE["services"].items() if "grafana" in one.get("profiles", ())]


def test_what_is_mounted_is_there() -> None:
    """Read-only, and from this checkout."""
    assert all(one.endswith(":ro") for one in GRAFANA["volumes"])
    assert [] == [source for source in MOUNTED.values() if not (ROOT / source).exists()]
    assert FOLDER == ROOT / MOUNTED["/etc/grafana/provisioning"]


def test_the_dashboard_lies_where_grafana_looks_for_it() -> None:
    """In the folder that the provider names; it is the first page, too."""
    [provider] = provisioned("dashboards/customfit-consumer.yml")["providers"]
    [place] = [target for target in MOUNTED if target.endswith(".json")]

    assert provider["options"]["path"] == place.rpartition("/")[0]
    assert place == GRAFANA["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]


def test_the_data_source_is_composes_prometheus() -> None:
    """At the port that it has inside; the default one, which the dashboard's variable chooses by itself."""
    [source] = provisioned("datasources/prometheus.yml")["datasources"]
    scrapes = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text(encoding="utf-8"))

    assert ("prometheus", True, "http://prometheus:9090") == (source["type"], source["isDefault"], source["url"])
    assert "prometheus" in GRAFANA["depends_on"]
    assert scrapes["global"]["scrape_interval"] == source["jsonData"]["timeInterval"]


def test_nobody_who_looks_can_change_anything() -> None:
    """Visitors are viewers; nobody can log in, by the form or by HTTP, and there is no admin with a known password."""
    environment = GRAFANA["environment"]

    assert ("true", "Viewer") == (environment["GF_AUTH_ANONYMOUS_ENABLED"], environment["GF_AUTH_ANONYMOUS_ORG_ROLE"])
    assert ("true", "false") == (environment["GF_AUTH_DISABLE_LOGIN_FORM"], environment["GF_AUTH_BASIC_ENABLED"])
    assert "true" == environment["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"]
