"""Output of the commands. Control characters in data are shown, so they can't end a line or move the cursor."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import click

from config.invisible import escape_invisible


def say(line: str, **style: Any) -> None:
    """Print a line. `style` is click's: fg, bold, err."""
    click.secho(escape_invisible(line), **style)  # noqa: TID251 - the one home


def say_all(lines: Iterable[str]) -> None:
    """Print lines."""
    for line in lines:
        say(line)


def say_json(data: Any) -> None:
    """Print JSON. A terminal may show it too, so control characters are escaped here as well."""
    say_all(json.dumps(data, indent=2, ensure_ascii=False, default=_dump).split("\n"))


def _dump(value: Mapping[str, Any] | datetime) -> Any:
    return value.isoformat(timespec="seconds") if isinstance(value, datetime) else dict(value)
