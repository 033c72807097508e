"""The estimate before a long command, and its question."""

import click

from service.cli.output import say

_CONFIRM_FROM_SECONDS = 60


def confirm(estimate: str, seconds: float, *, is_agreed: bool) -> None:
    """Print an estimate on stderr. Ask before a command of more than a minute. Raises click.Abort."""
    say(estimate, err=True)
    if seconds > _CONFIRM_FROM_SECONDS and not is_agreed:
        click.confirm("Begin?", abort=True, err=True)


def spell(seconds: float) -> str:
    """Write a number of seconds for people."""
    if seconds < 90:  # noqa: PLR2004
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"  # noqa: PLR2004
