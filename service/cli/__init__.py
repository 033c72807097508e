"""The operator's commands, each group in a module of its own.

`check`, `why`, `counts` and `try-rules` only look; `send-test` sends a mail; the others change what is done next.
"""

from importlib.metadata import version

import click

from service.cli.braking import pause, resume
from service.cli.checking import check
from service.cli.counting import counts
from service.cli.mailing import send_test
from service.cli.mending import restored, retry
from service.cli.stopping import stop, unstop
from service.cli.telling import why
from service.cli.trying import try_rules


@click.group()
@click.version_option(version("afterword"), prog_name="afterword")
def main() -> None:
    """Afterword: customer-satisfaction surveys for Dixa."""


for command in (check, why, counts, try_rules, pause, resume, retry, restored, stop, unstop, send_test):
    main.add_command(command)
