"""The operator's commands, each group in a module of its own.

`check`, `why`, `counts` and `try-rules` only look; `send-test` sends a mail; the others change what is done next.
"""

from importlib.metadata import version

import click

from service.cli.doctor import check
from service.cli.opt_out import stop, unstop
from service.cli.pause import pause, resume
from service.cli.retry import restored, retry
from service.cli.send_test import send_test
from service.cli.stats import counts
from service.cli.try_rules import try_rules
from service.cli.why import why


@click.group()
@click.version_option(version("afterword"), prog_name="afterword")
def main() -> None:
    """Afterword: customer-satisfaction surveys for Dixa."""


for command in (check, why, counts, try_rules, pause, resume, retry, restored, stop, unstop, send_test):
    main.add_command(command)
