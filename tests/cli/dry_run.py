"""Closed conversations, and the output of `afterword try-rules` about them."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from service.sandbox.server import Sandbox
from tests.cli.conftest import Runner

ONE = """
[[survey]]
name = "one"

[survey.match]
assigned = true
"""


def close(dixa: Sandbox, *, days_ago: float = 1, **facts: Any) -> int:
    """Add a conversation that was closed some days ago."""
    number = dixa.make_conversation(**facts, state="Closed")
    conversation = dixa.conversation(number)
    conversation.closed_at = conversation.state_updated_at = datetime.now(UTC) - timedelta(days=days_ago)
    return number


def dry_run(run: Runner, *options: str, surveys: str = ONE, **environ: str) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(run("try-rules", "--json", *options, surveys=surveys, **environ).stdout)
    return report


MAIL = {"SMTP_URL": "smtp://localhost:2525", "MAIL_FROM": "help@nordlys.example"}


def percentage_lines(output: str) -> list[str]:
    """Return the lines of the table with single spaces."""
    return [" ".join(line.split()) for line in output.splitlines() if line.endswith("%")]
