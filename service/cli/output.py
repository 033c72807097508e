"""What the commands print. A line is a line: what others have put into it neither ends it nor moves the cursor."""

import json
from collections.abc import Iterable
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
    """Print data for machines, which a terminal may show as well."""
    say_all(json.dumps(data, indent=2, ensure_ascii=False).split("\n"))
