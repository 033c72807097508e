"""Writes the generated documents: `python -m tests.docs`, or `make docs`."""

import textwrap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from config.environment import Variable, rows_of
from config.secret_files import file_variable
from config.settings import Settings, Timings
from service.surveys.reasons import Reason

ROOT = Path(__file__).parents[1]
WIDTH = 120

ENV_INTRO = """\
# Made from config/settings.py by `make docs`.
# Copy to .env and fill in the first block; both processes read it from the folder they start in.
# A variable that the process already has overrides the one in here. An empty one counts as not set.
# Durations are written like 250ms, 15s, 5m, 1h 30m or 28d.
"""
SETTINGS_INTRO = """\
<!-- Made from config/settings.py by `make docs`. -->
# Settings

Afterword reads its settings from the environment, and from `.env` in the working folder for variables that the
environment lacks. An empty variable counts as not set. Durations are written like `250ms`, `15s`, `5m`, `1h 30m` or
`28d`. Afterword doesn't start with a mistake in them: it names all of them at once.

Each secret can be in a file instead, such as a Docker or Kubernetes secret: `SECRET_KEYS_FILE=/run/secrets/keys`.
White space around the secret doesn't count. The file is read at the start and after a HUP.
"""
REASONS_INTRO = """\
<!-- Made from service/surveys/reasons.py by `make docs`. -->
# Reasons

`afterword why` shows the reason of each decision, `afterword stats` counts them. Keys are of surveys.toml, names in
capitals are settings.
"""


def env_example() -> str:
    """Return `.env.example`: every variable with its help, and its default as a comment."""
    lines = [ENV_INTRO]
    for row in _rows():
        if row.group:
            lines += [f"# ── {row.group} ".ljust(WIDTH, "─"), ""]
        lines += textwrap.wrap(
            _help(row).replace("`", ""),
            WIDTH,
            initial_indent="# ",
            subsequent_indent="# ",
            break_on_hyphens=False,
            break_long_words=False,
        )
        lines += [f"{row.name}=" if row.default is None else f"#{row.name}={row.default}", ""]
    return "\n".join(lines)


def settings_page() -> str:
    """Return docs/settings.md: a table for each group."""
    lines = [SETTINGS_INTRO]
    for row in _rows():
        if row.group:
            lines += ["", f"## {row.group}", "", "| variable | default | meaning |", "|---|---|---|"]
        default = "required" if row.default is None else f"`{row.default}`" if row.default else "none"
        lines.append(f"| `{row.name}` | {default} | {_help(row)} |")
    return "\n".join(lines).replace("\n\n\n", "\n\n") + "\n"


def reasons_page() -> str:
    """Return docs/reasons.md: why a conversation was not asked, or a survey failed."""
    rows = [f"| `{reason}` | {reason.meaning} | {reason.remedy} |" for reason in Reason]
    return "\n".join([REASONS_INTRO, "| reason | meaning | what to change |", "|---|---|---|", *rows]) + "\n"


FILES: Mapping[str, Callable[[], str]] = {
    ".env.example": env_example,
    "docs/settings.md": settings_page,
    "docs/reasons.md": reasons_page,
}
"""The generated documents, by path."""


def _rows() -> Iterator[Variable]:
    for table in (Settings, Timings):
        yield from rows_of(table).values()


def _help(row: Variable) -> str:
    return (
        f"{row.help_text} Secret, or the path of its file in `{file_variable(row.name)}`."
        if row.is_secret
        else row.help_text
    )


if __name__ == "__main__":
    for name, make in FILES.items():
        (ROOT / name).write_text(make(), encoding="utf-8")
