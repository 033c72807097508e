"""Closed conversations, and what `afterword try-rules` prints about them."""

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


def tried(run: Runner, *options: str, surveys: str = ONE, **environ: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run("try-rules", "--json", *options, surveys=surveys, **environ).stdout)
    return found


MAIL = {"SMTP_URL": "smtp://localhost:2525", "MAIL_FROM": "help@nordlys.example"}


def percents(told: str) -> list[str]:
    """The lines of the table, each with single blanks."""
    return [" ".join(line.split()) for line in told.splitlines() if line.endswith("%")]
