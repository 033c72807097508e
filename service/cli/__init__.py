"""The operator's commands, one module for each.

`doctor`, `why`, `list`, `show-person`, `stats` and `try-rules` change no survey. `send-test` sends one e-mail.
"""

from importlib.metadata import version

import click

from service.cli.archive import archive
from service.cli.ask import ask
from service.cli.context import Commands
from service.cli.digest import digest
from service.cli.doctor import doctor
from service.cli.erase import erase, show_person
from service.cli.export import export
from service.cli.list_surveys import list_surveys
from service.cli.make_login import make_login
from service.cli.opt_out import opt_in, opt_out
from service.cli.pause import pause, resume
from service.cli.recover import recover
from service.cli.retry import mark_restored, retry
from service.cli.send_test import send_test
from service.cli.stats import stats
from service.cli.subscribe import subscribe
from service.cli.try_rules import try_rules
from service.cli.why import why
from service.cli.worker_alive import worker_alive


@click.group(cls=Commands)
@click.version_option(version("afterword"), prog_name="afterword")
def main() -> None:
    """Afterword: customer-satisfaction surveys for Dixa."""


for command in (
    subscribe,
    doctor,
    worker_alive,
    why,
    list_surveys,
    stats,
    export,
    digest,
    try_rules,
    ask,
    recover,
    pause,
    resume,
    retry,
    mark_restored,
    opt_out,
    opt_in,
    show_person,
    erase,
    archive,
    send_test,
    make_login,
):
    main.add_command(command)
