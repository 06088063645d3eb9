"""What is shipped for Prometheus and Grafana asks for what there is, and every alert says what to do."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from ruamel.yaml import YAML

from control_tower.ledger import Ledger
from control_tower.metrics.collecting import registry
from desk.command import app

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
DASHBOARD, ALERTS = ROOT / "deployments" / "grafana_dashboard.json", ROOT / "deployments" / "prometheus_alerts.yaml"
METRIC = re.compile(r"\btower_[a-z_]+")


@pytest.fixture(scope="module")
def exposed(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names of all metrics, which even an empty ledger tells."""
    ledger = f"sqlite:///{tmp_path_factory.mktemp('empty') / 'ledger.db'}"
    Ledger(ledger).engine.dispose()
    families = list(text_string_to_metric_families(generate_latest(registry(ledger, {})).decode()))
    assert all(family.documentation.endswith(".") for family in families)
    return {f"{family.name}_total" if family.type == "counter" else family.name for family in families}


@pytest.fixture(scope="module")
def rules() -> list[dict[str, Any]]:
    groups = YAML(typ="safe").load(ALERTS.read_text("utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


@pytest.fixture(scope="module")
def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text("utf-8"))["panels"]
    return found


def asked_by(panels: list[dict[str, Any]]) -> list[str]:
    return [target["expr"] for panel in panels for target in panel["targets"]]


def test_the_dashboard_and_the_alerts_ask_for_nothing_that_is_not_there(
    exposed: set[str], rules: list[dict[str, Any]], panels: list[dict[str, Any]]
) -> None:
    asked = {name for text in (*asked_by(panels), *(rule["expr"] for rule in rules)) for name in METRIC.findall(text)}
    assert len(asked) > 12 and asked <= exposed


def test_the_page_tells_of_every_metric_and_every_alert(exposed: set[str], rules: list[dict[str, Any]]) -> None:
    page = (ROOT / "docs" / "watching.md").read_text("utf-8")
    assert set(METRIC.findall(page)) == exposed
    assert not [rule["alert"] for rule in rules if "alert" in rule and rule["alert"] not in page]


def commands(group: Any) -> set[str]:
    """Every command, as it is typed after `tower`."""
    found = set()
    for name, command in group.commands.items():
        found |= {f"{name} {inner}" for inner in commands(command)} if hasattr(command, "commands") else {name}
    return found


def test_every_alert_waits_says_how_bad_it_is_and_names_a_command_that_there_is(rules: list[dict[str, Any]]) -> None:
    known = commands(typer.main.get_command(app))
    for rule in (rule for rule in rules if "alert" in rule):
        assert re.fullmatch(r"\d+[mh]", rule["for"])
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"].endswith(".")
        named = re.findall(r"`tower ([a-z -]+)", rule["annotations"]["runbook"])
        assert named and all(any(words.startswith(one) for one in known) for words in named), (rule["alert"], named)


def test_the_dashboard_can_be_imported(panels: list[dict[str, Any]]) -> None:
    dashboard = json.loads(DASHBOARD.read_text("utf-8"))
    assert dashboard["uid"] and dashboard["schemaVersion"] and "id" not in dashboard
    assert {one["name"] for one in dashboard["templating"]["list"]} == {"source", "instance"}
    assert len({panel["id"] for panel in panels}) == len(panels) <= 16
    assert len({(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}) == len(panels)
    assert all(panel["title"] and panel["description"] for panel in panels)
    assert {panel["datasource"]["uid"] for panel in panels} == {"${source}"}


@pytest.fixture
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("no promtool here: it comes with Prometheus")
    return found


def passes(*command: str | Path) -> str:
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout + said.stderr
    return said.stdout


def test_prometheus_takes_the_rules_and_the_example(promtool: str) -> None:
    assert "13 rules found" in passes(promtool, "check", "rules", ALERTS)
    passes(promtool, "check", "config", ROOT / "deployments" / "prometheus.yaml")


def test_each_alert_fires_when_it_should_and_not_before(promtool: str) -> None:
    passes(promtool, "test", "rules", Path(__file__).parent / "prometheus_alerts_test.yaml")


def test_prometheus_understands_what_the_dashboard_asks(
    promtool: str, panels: list[dict[str, Any]], tmp_path: Path
) -> None:
    asked = [{"record": f"panel:{number}", "expr": text} for number, text in enumerate(asked_by(panels))]
    (tmp_path / "asked.yaml").write_text(json.dumps({"groups": [{"name": "dashboard", "rules": asked}]}))
    passes(promtool, "check", "rules", tmp_path / "asked.yaml")
