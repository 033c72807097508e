"""The alert rules and the dashboard: promtool checks them, and they use only what `/metrics` has."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from service.cli import main
from service.doctor.checks import with_needed
from tests.deploy.manifests import DEPLOY, ROOT
from tests.deploy.tools import run

RULES = DEPLOY / "prometheus" / "afterword.rules.yml"
UNIT_TESTS = ROOT / "tests" / "deploy" / "prometheus" / "rules_test.yml"
DASHBOARD: dict[str, Any] = json.loads((DEPLOY / "prometheus" / "dashboard.json").read_text(encoding="utf-8"))

ALERTS: list[dict[str, Any]] = [
    rule for group in yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"] for rule in group["rules"]
]
EXPRESSIONS = {
    f"{panel['title']} ({target['refId']})": target["expr"]
    for panel in DASHBOARD["panels"]
    for target in panel["targets"]
}
# tests/web/test_metrics.py compares this table with `/metrics`.
METRICS = set(
    re.findall(r"^\| `(afterword_\w+)", (ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8"), re.MULTILINE)
)


def metrics_in(text: str) -> set[str]:
    return {re.sub("_(bucket|sum|count)$", "", name) for name in re.findall(r"\bafterword_\w+", text)}


def test_rules_are_valid_and_alert_when_they_should() -> None:
    run("promtool", "check", "rules", RULES)
    run("promtool", "test", "rules", UNIT_TESTS)


def test_each_alert_has_a_test_of_its_alarm_and_of_its_silence() -> None:
    cases = [
        case
        for test in yaml.safe_load(UNIT_TESTS.read_text(encoding="utf-8"))["tests"]
        for case in test["alert_rule_test"]
    ]
    names = {each["alert"] for each in ALERTS}
    assert {each["alertname"] for each in cases if each["exp_alerts"]} == names
    assert {each["alertname"] for each in cases if not each["exp_alerts"]} == names


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: str(alert["alert"]))
def test_each_alert_names_a_command_that_exists(alert: dict[str, Any]) -> None:
    summary = alert["annotations"]["summary"]
    if alert["alert"] == "AfterwordWebGone":
        return  # Its commands are the supervisor's.
    commands = re.findall(r"afterword ([a-z-]+(?: --[a-z-]+(?: [a-z.]+)?)*)", summary.partition("Next: ")[2])
    assert commands, summary
    for each in commands:
        name, *given = shlex.split(each)
        command = main.get_command(click.Context(main), name)
        assert command
        command.make_context(name, given)
        assert name != "doctor" or all(with_needed([each]) for each in given[1:])


def test_alerts_use_only_metrics_that_exist() -> None:
    assert metrics_in(" ".join(each["expr"] for each in ALERTS)) - METRICS == set()
    assert "afterword_redis_up" in METRICS


def test_each_panel_is_a_question_with_metrics_that_exist() -> None:
    assert [each["title"] for each in DASHBOARD["panels"] if not each["title"].endswith("?")] == []
    for name, expression in EXPRESSIONS.items():
        used = metrics_in(expression)
        assert used, name
        assert used - METRICS == set(), name


def test_panels_have_ids_and_places_of_their_own() -> None:
    assert len({each["id"] for each in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        x, y, width, height = (panel["gridPos"][each] for each in "xywh")
        assert x + width <= 24
        cells = {(column, row) for column in range(x, x + width) for row in range(y, y + height)}
        assert not taken & cells, panel["title"]
        taken |= cells


def test_every_expression_of_the_dashboard_can_be_parsed(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel_{number}", "expr": each.replace("$__rate_interval", "5m").replace("$job", "afterword")}
        for number, each in enumerate(EXPRESSIONS.values())
    ]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    run("promtool", "check", "rules", file)
